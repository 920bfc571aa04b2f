"""The public face: verdicts in words, limits, interruption, batches, browsing, minimal schedules."""

import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from ptwalk.errors import PtwalkError
from ptwalk.explore import Limits, Progress, executions, explore, explore_many, minimize, replay
from ptwalk.explore.fewest import any_failure
from ptwalk.explore.pct import promise
from ptwalk.explore.space import StateSpace
from ptwalk.machine.program import Program
from ptwalk.machine.shared import Shared
from ptwalk.trace.verdict import Verdict

from .models import model


def lost_update() -> Program:
    shared = Shared(2)
    x = shared.variable("x")

    async def adds_one() -> None:
        value = await x.read()
        await x.write(value + 1)

    return shared.program(
        adds_one, adds_one, check=lambda end: None if end["x"] == 2 else f"an update is lost: x is {end['x']}"
    )


def test_a_bug_says_what_and_how_to_see_it() -> None:
    """The one line names the failure and the size of the shortest schedule; the text has the line to paste."""
    verdict = explore(lost_update)
    assert str(verdict) == "bug: an update is lost: x is 1; shortest failing schedule: 2 switches, 4 steps"
    assert f"schedule: {verdict.schedule}" in verdict.text()
    assert replay(lost_update, str(verdict.schedule)).report == verdict.report


def test_a_safe_program_says_how_much_that_covers() -> None:
    """All executions, the interleavings they stand for, the CPUs and what was assumed."""
    assert str(explore(model("R3b", 1, 1))) == (
        "safe: all 8 executions explored, standing for 80,997 interleavings; 2 CPUs; sequentially consistent steps"
    )


@pytest.mark.parametrize("engine", ["dpor", "states", "brute", "pct", "random"])
def test_every_engine_finds_the_lost_update(engine: str) -> None:
    """And makes the same minimal schedule of it."""
    verdict = explore(lost_update, engine)
    assert (verdict.outcome, verdict.switches, verdict.steps) == ("bug", 2, 4)


@pytest.mark.parametrize(
    ("engine", "limit", "words"),
    [
        ("dpor", 3, "limit of 3 executions"),
        ("brute", 3, "limit of 3 executions"),
        ("states", 10, "limit of 10 states"),
        ("pct", 5, "5 random runs"),
        ("states", Limits(megabytes=0.01), "megabytes"),
        ("brute", Limits(megabytes=0.0001), "megabytes"),
        ("dpor", Limits(depth=4), "reached the limit of 4 operations"),
        ("dpor", Limits(logs=10), "different ways through the code"),
        ("dpor", Limits(seconds=1e-9), "seconds"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_limit_is_incomplete_and_says_which(engine: str, limit: int | Limits, words: str) -> None:
    """A search that was cut short never says "safe"."""
    verdict = explore(model("R3b", 2, 2), engine, limit=limit)
    assert verdict.outcome == "incomplete"
    assert words in verdict.limit
    assert words in str(verdict)


def test_pct_states_its_promise() -> None:
    """The probability is the one of the paper for these runs: at least 1 - (1 - 1/(n k^(d-1)))^r."""
    verdict = explore(model("R3b", 1, 1), "pct", limit=100, depth=2)
    assert "needs 2 steps in a certain order" in verdict.limit
    assert "probability of at least" in verdict.limit


def test_an_interrupted_search_tells_what_it_knows() -> None:
    """Ctrl-C in the middle gives a verdict, not a traceback."""

    shown: list[str] = []

    def show(progress: Progress) -> None:
        shown.append(str(progress))
        raise KeyboardInterrupt

    program = model("R3c", 8, 2)
    verdict = explore(program, progress=show)
    assert verdict.outcome == "incomplete"
    assert verdict.limit.startswith("interrupted")
    assert verdict.executions > 0
    assert "executions in" in shown[0]


def test_code_that_interrupts_is_an_interruption() -> None:
    """A KeyboardInterrupt never leaves the search, wherever it was raised, and every time it is raised."""
    shared = Shared(1)
    x = shared.variable("x")

    async def interrupts() -> None:
        await x.read()
        raise KeyboardInterrupt

    assert explore(shared.program(interrupts)).limit.startswith("interrupted")


def test_a_failure_met_before_a_limit_is_not_forgotten() -> None:
    """The stateful search keeps no paths; cut short, it still has a schedule for what it met."""
    for stop_at_first in (True, False):
        found = explore(model("R2", 8, 2), "states", stop_at_first, limit=4_000)
        assert (found.outcome, found.switches, found.steps) == ("bug", 2, 30)


def test_any_failure_is_found_where_the_shortest_would_take_too_long() -> None:
    """Depth first."""
    space = StateSpace(model("R1r", 4, 2))
    failure = any_failure(space)
    assert failure is not None
    assert replay(model("R1r", 4, 2), failure.cpus).report is not None
    space.close()


def test_a_probability_is_rounded_down() -> None:
    """Never to certainty; what was run before the longest run was met counts for nothing."""
    assert promise(2, 4, 3, 1, False).endswith("at least 0.031")
    assert "at least 0.999999999999" in promise(2, 4, 3, 1_000, False)
    assert promise(2, 4, 3, 0, False).endswith("at least 0")
    assert promise(16, 1_000, 5, 10, False).endswith("at least 6.2e-13")


@pytest.mark.parametrize("limit", [0, -3, 2.5, True, float("nan"), Limits])
def test_senseless_limits_are_refused(limit: object) -> None:
    """With a sentence."""
    with pytest.raises(PtwalkError, match="limit"):
        explore(lost_update, limit=limit)  # type: ignore[arg-type]


def test_what_is_no_program_is_refused() -> None:
    """With a sentence, for engines and programs."""
    with pytest.raises(PtwalkError, match="no engine 'magic'"):
        explore(lost_update, "magic")
    with pytest.raises(PtwalkError, match="neither a Program"):
        explore(lambda: 3)  # type: ignore[arg-type,return-value]
    with pytest.raises(PtwalkError, match="has no CPU"):
        explore(Shared(2).program())


def test_a_program_can_be_browsed_although_it_is_safe() -> None:
    """One execution for each trace, each with a schedule that replays without complaint."""
    listed = executions(partial(model, "R3b", 1, 1))
    assert len(listed) == 8
    assert len({str(one.schedule) for one in listed}) == 8
    for one in listed:
        again = replay(model("R3b", 1, 1), one.schedule)
        assert (again.complete, again.report, again.diverged, again.schedule) == (
            True,
            None,
            "",
            one.schedule,
        )


def test_minimize_makes_any_failing_schedule_short() -> None:
    """Whatever it is given, the minimum comes out; nothing comes out of a safe program."""
    assert str(minimize(lost_update)) == str(explore(lost_update).schedule)
    longer = executions(lost_update)[-1].schedule
    assert minimize(lost_update, str(longer), limit=1) is not None
    assert minimize(model("R1f")) is None


def test_verdicts_survive_pickle_and_json() -> None:
    """A verdict is a plain value."""
    for verdict in (explore(lost_update), explore(model("R1f")), explore(model("R3b"), limit=2)):
        assert pickle.loads(pickle.dumps(verdict)) == verdict
        assert Verdict.from_json(verdict.to_json()) == verdict


@pytest.fixture
def factory_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A module of its own whose factory other processes can import."""
    source = """
from ptwalk.machine.shared import Shared

def counter(locked):
    shared = Shared(2)
    x, m = shared.variable("x"), shared.mutex("m")
    async def adds_one():
        if locked:
            await m.lock()
        await x.write(await x.read() + 1)
        if locked:
            await m.unlock()
    return shared.program(adds_one, adds_one, check=lambda end: None if end["x"] == 2 else "lost")
"""
    (tmp_path / "counter_factory.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    import importlib

    yield importlib.import_module("counter_factory")
    sys.modules.pop("counter_factory", None)


def test_batches_run_on_any_executor(factory_module: object) -> None:
    """No executor, threads, processes: the same verdicts in the same order."""
    counter = factory_module.counter  # type: ignore[attr-defined]
    batch = [partial(counter, locked) for locked in (True, False, True)]
    alone = explore_many(batch)
    assert [verdict.outcome for verdict in alone] == ["safe", "bug", "safe"]
    with ThreadPoolExecutor(2) as threads:
        assert explore_many(batch, threads) == alone
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert explore_many(batch, processes) == alone


def test_alike_searches_give_the_same_verdict() -> None:
    """Nothing depends on chance: twice the same search, twice the same value."""
    assert explore(model("R2", 2, 2)) == explore(model("R2", 2, 2))
    assert explore(lost_update, "pct", seed=3) == explore(lost_update, "pct", seed=3)
