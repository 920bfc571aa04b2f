"""Races as exercises: verdicts become words with a schedule, learners' walkers and lines are taken with care."""

from typing import Any

import pytest

import ptwalk
from ptwalk.checks import NotYet, race
from ptwalk.checks import failed as room
from ptwalk.errors import PtwalkError
from ptwalk.walk import broken, damon


async def only_the_ptl(mm: Any, addr: int) -> None:
    """A walker that breaks rule (a)."""
    await damon.damon_va_mkold_v34(mm, addr)


async def merged(mm: Any, addr: int) -> Any:
    """A walker that holds."""
    return await broken.walk_read_locked(mm, addr)


def said(call: Any, *arguments: Any, **settings: Any) -> str:
    """What a refused answer hears."""
    with pytest.raises(NotYet) as caught:
        call(*arguments, **settings)
    assert "\n" not in caught.value.observed
    return caught.value.observed


def test_trials_leave_out_what_a_kernel_does_not_have() -> None:
    """Reclaim came with 6.14; arm64 is said behind a comma."""
    assert [t.changer for t in race.trials("munmap reclaim", "5.15.0")] == ["munmap"]
    assert [str(t) for t in race.trials("reclaim", "7.1,arm64")] == ["reclaim, kernel 7.1, arm64"]
    assert len(race.trials("all", "7.1")) > 15


def test_a_broken_walker_hears_what_was_seen_and_the_schedule_replays() -> None:
    """The race of a failed check is kept: its schedule breaks the same rule again."""
    line = said(race.safe_against, only_the_ptl, race.trials("munmap", "5.15.0"))
    assert line.startswith("Against munmap, kernel 5.15.0: ") and "Schedule (2 switches): 0x" in line
    assert "ptwalk.stepper(*ptwalk.failed())" in line
    what, schedule = ptwalk.failed()
    assert schedule in line
    assert ptwalk.replay(what, schedule).report is not None


def test_an_exercise_may_have_its_own_words() -> None:
    """Words replace what the report observed, and keep the schedule."""
    words = lambda trial, verdict: f"I saw {race.oracle(verdict)}."  # noqa: E731
    assert "I saw wild. Schedule" in said(
        race.safe_against, only_the_ptl, race.trials("munmap", "5.15.0"), words=words
    )


@pytest.mark.parametrize("walkers", [1, 2])
def test_a_right_walker_is_told_what_was_searched(walkers: int) -> None:
    """Two CPUs, or three."""
    told = race.safe_against(merged, race.trials("munmap collapse-anon", "5.15.0", "7.1"), walkers=walkers)
    assert "2 changers" in told and f"{walkers + 1} CPUs" in told


def test_a_result_that_cannot_have_been_true_is_refused() -> None:
    """`accept` judges what a walker gives back, in every execution."""
    wrong = lambda trial, result: "" if result is None else "It gave an entry."  # noqa: E731
    assert "It gave an entry. Schedule" in said(
        race.safe_against, merged, race.trials("munmap", "6.1"), accept=wrong
    )


async def takes_no_address(mm: Any) -> None:
    """No walker."""


async def never_ends(mm: Any, addr: int) -> None:
    """Reads for ever."""
    while True:
        await broken.peek_pte(mm, addr)


async def keeps_the_lock(mm: Any, addr: int) -> None:
    """A forgotten unlock."""
    from ptwalk.kernel.mmap_lock import mmap_read_lock

    await mmap_read_lock(mm)


async def stumbles(mm: Any, addr: int) -> None:
    """An error of Python."""
    await broken.peek_pte(mm, addr)
    raise KeyError("pmd")


@pytest.mark.parametrize(
    ("walker", "words"),
    [
        (None, "Nothing was handed in"),
        (3, "this is int"),
        (lambda mm, addr: None, "is not async"),
        (takes_no_address, "cannot be called with"),
        (never_ends, "goes round in circles"),
        (keeps_the_lock, "holds the mmap_lock"),
        (stumbles, "KeyError"),
    ],
)
def test_what_is_no_walker_is_told_before_any_race(walker: Any, words: str) -> None:
    """A slip in the code is not told as a race."""
    assert words in said(race.safe_against, walker, race.trials("munmap", "6.1"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "still empty"),
        (7, "is an int, not text"),
        ("", "no turn in it"),
        ("first CPU 0", "'first' is no turn"),
        ("0x4 then 1", "'then' is no turn"),
        ("0x4 7x2", "CPU 7's"),
    ],
)
def test_a_line_that_cannot_be_played_is_told_so(answer: object, words: str) -> None:
    """Whatever stands in the answer cell."""
    assert words in said(race.played, "munmap-vs-damon-v34", answer)


def test_the_whole_replay_line_may_be_pasted() -> None:
    """As a report prints it, quotes and all."""
    schedule = ptwalk.explore("munmap-vs-damon-v34").schedule
    assert (
        race.played("munmap-vs-damon-v34", f"ptwalk replay munmap-vs-damon-v34 '{schedule}'").report
        is not None
    )
    assert race.played("munmap-vs-damon-v34", schedule).report is not None


def test_a_scenario_that_must_be_safe() -> None:
    """`safe` gives the verdict, or the words handed in."""
    assert race.safe("munmap-vs-damon-merged").outcome == "safe"
    assert said(race.safe, "munmap-vs-damon-v34", "It broke.").startswith("It broke. Schedule (2 switches)")


def test_a_search_without_end_is_not_called_safe() -> None:
    """A limit that was hit is told as such."""
    line = said(race.safe, "munmap-vs-damon-merged", limits=race.Limits(executions=1))
    assert line.startswith("The search did not come to an end")


def test_before_any_failure_there_is_nothing_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """`failed()` says so."""
    monkeypatch.setattr(room, "_kept", [])
    with pytest.raises(PtwalkError, match="no check has failed"):
        ptwalk.failed()
