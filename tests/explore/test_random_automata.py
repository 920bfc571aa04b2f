"""Random programs with up to thousands of traces, judged by counting the classes of their beginnings."""

from collections.abc import Callable

import pytest

from ptwalk.explore import executions, explore, replay

from .oracle import TooMany, judge
from .prefix_judge import PrefixJudge
from .random_automata import automaton
from .random_programs import World

SEEDS = 360
SHARDS = 3


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_engines_against_the_classes_of_beginnings(
    shard: int, record_property: Callable[[str, object], None]
) -> None:
    """Executions, failing ones, states, interleavings, verdict, minimal schedule, its replay; any order of CPUs."""
    traces = 0
    for seed in range(shard, SEEDS, SHARDS):
        program = automaton(seed)
        try:
            truth = PrefixJudge(program, limit=8_000)
        except TooMany:
            continue
        traces += len(truth.traces)
        for engine in ("dpor", "states"):
            found = explore(program, engine, stop_at_first=False)
            assert (found.switches, found.steps) == (truth.best or (None, None)), f"seed {seed}: {engine}"
            assert found.outcome == ("bug" if truth.best else "safe"), f"seed {seed}: {engine}"
            if engine == "dpor":
                counts = (found.executions, found.violations, found.blocked)
                assert counts == (len(truth.traces), truth.failing, 0), f"seed {seed}"
            else:
                assert (found.states, found.interleavings) == (truth.states, truth.interleavings), (
                    f"seed {seed}"
                )
            if found.schedule is not None:
                assert replay(program, str(found.schedule)).report == found.report, f"seed {seed}"
        for order in ((3, 2, 1, 0), (1, 3, 0, 2)):
            turned = explore(automaton(seed, order), stop_at_first=False)
            assert (turned.executions, turned.violations) == (len(truth.traces), truth.failing), (
                f"seed {seed}"
            )
            assert (turned.switches, turned.steps) == (truth.best or (None, None)), f"seed {seed}: {order}"
    record_property("compared", f"{traces:,} traces of random automata")


def test_the_two_judges_agree() -> None:
    """Running every interleaving and counting the classes of beginnings give the same numbers."""
    for seed in range(0, 300, 3):
        program = World(seed).program
        try:
            truth = judge(program, limit=200)
        except TooMany:
            continue
        other = PrefixJudge(program)
        assert (other.interleavings, len(other.traces)) == (truth.interleavings, len(truth.traces)), seed
        assert (other.failing, other.best) == (len(truth.failing_traces), truth.best), seed
        assert len(executions(program)) == len(truth.traces)
