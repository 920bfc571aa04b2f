"""Thousands of random small programs, judged by running every interleaving of each.

Shown for every one: DPOR runs exactly one execution for each class of equivalent schedules, none twice and none in
vain; the stateful search counts the interleavings, gives the same verdict and the same minimal schedule; and the
order in which the CPUs are listed changes nothing.
"""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from ptwalk.explore.brute import search as brute_force
from ptwalk.explore.dpor import OptimalDpor
from ptwalk.explore.fewest import fewest_switches
from ptwalk.explore.limits import Limits, Tally
from ptwalk.explore.space import StateSpace
from ptwalk.explore.states import search as stateful
from ptwalk.machine.program import Program

from .oracle import TooMany, judge, run
from .random_programs import World

SEEDS = 2_700
SHARDS = 6


def _dpor(program: Program) -> tuple[list[list[int]], Tally]:
    space, tally, paths = StateSpace(program), Tally("dpor", Limits(executions=20_000)), list[list[int]]()
    OptimalDpor(space, tally, lambda cpus, report: paths.append(cpus)).run(stop_at_first=False)
    space.close()
    return paths, tally


def _minimal(program: Program) -> tuple[int, int] | None:
    space = StateSpace(program)
    failure = fewest_switches(space)
    space.close()
    if failure is None:
        return None
    cpus = failure.cpus
    return sum(one != two for one, two in pairwise(cpus)), len(cpus)


@pytest.mark.parametrize(
    "shard", [0, *(pytest.param(shard, marks=pytest.mark.slow) for shard in range(1, SHARDS))]
)
def test_the_engines_against_every_interleaving(
    shard: int, record_property: Callable[[str, object], None]
) -> None:
    """Every claim at the top of this file, on this share of the programs."""
    outcomes: Counter[str] = Counter()
    for seed in range(shard, SEEDS, SHARDS):
        program = World(seed).program
        try:
            truth = judge(program, limit=400)
        except TooMany:
            outcomes["too large"] += 1
            continue
        paths, tally = _dpor(program)
        traces = [run(program, path).trace for path in paths]
        assert set(traces) == truth.traces, f"seed {seed}: not the traces brute force finds"
        assert len(traces) == len(truth.traces), f"seed {seed}: a trace was run twice"
        assert tally.blocked == 0, f"seed {seed}: a redundant execution was begun"
        assert tally.violations == len(truth.failing_traces), f"seed {seed}: violating executions"
        space, counted = StateSpace(program), Tally("states", Limits())
        violated = stateful(space, counted, stop_at_first=False)
        space.close()
        assert counted.interleavings == truth.interleavings, f"seed {seed}: interleavings"
        assert violated == (truth.best is not None), f"seed {seed}: verdict"
        assert _minimal(program) == truth.best, f"seed {seed}: minimal schedule"
        outcomes["bug" if truth.best else "safe"] += 1
        if seed % 4 == 0:
            count = len(program.cpus)
            turned = World(seed, list(range(count))[::-1]).program
            paths_turned, tally_turned = _dpor(turned)
            assert (len(paths_turned), tally_turned.violations) == (len(paths), tally.violations), (
                f"seed {seed}"
            )
            assert _minimal(turned) == truth.best, f"seed {seed}: minimal schedule, CPUs listed in reverse"
    judged = outcomes["bug"] + outcomes["safe"]
    assert judged * SHARDS >= 2_000
    assert outcomes["bug"] > judged // 10
    record_property("compared", f"{judged:,} random programs, {outcomes['bug']:,} with a bug")


def test_brute_force_counts_what_the_judge_counts() -> None:
    """The engine "brute" agrees with the judge of the tests, which shares no code with it."""
    for seed in range(60):
        program = World(seed).program
        try:
            truth = judge(program, limit=200)
        except TooMany:
            continue
        space, tally = StateSpace(program), Tally("brute", Limits())
        brute_force(space, tally, stop_at_first=False)
        space.close()
        assert (tally.interleavings, tally.traces) == (truth.interleavings, len(truth.traces))
