"""A schedule replays exactly, and survives an edit of the code as far as possible."""

from typing import Any

import pytest

from ptwalk.explore import explore, replay
from ptwalk.machine.program import Program
from ptwalk.machine.shared import Shared
from ptwalk.trace.schedule import ScheduleError

from .models import model


def _bank(extra_read: bool = False, renamed: bool = False) -> Program:
    shared = Shared(2)
    x, y = shared.variable("x"), shared.variable("y")

    async def pays() -> None:
        if extra_read:
            await y.add(0)
        value = await x.read()
        await x.write(value + 1)

    async def pays_atomically() -> None:
        await x.add(1)

    both = pays_atomically if renamed else pays
    return shared.program(both, pays, check=lambda end: None if end["x"] == 2 else "lost")


def test_every_step_is_told() -> None:
    """Numbers, CPUs, words, lines, results and memories of each step; the last one carries the report."""
    program = model("R1")
    verdict = explore(program)
    run = replay(model("R1"), str(verdict.schedule))
    assert len(run.steps) == verdict.steps == 14
    assert run.steps[-1].report == verdict.report
    assert run.report == verdict.report
    assert run.schedule == verdict.schedule
    assert run.steps[0].result == 1 and run.steps[0].kind == "read" and run.steps[0].line
    assert [step.after for step in run.steps[:-1]] == [step.before for step in run.steps[1:]]
    assert "CPU 0 walker0" in str(run)


def test_plain_digits_replay_too() -> None:
    """The CPU of each step, as text or as numbers."""
    assert replay(_bank(), "0110").report is not None
    assert replay(_bank(), [0, 0, 1, 1]).report is None


def test_a_schedule_survives_a_step_put_in() -> None:
    """A step added before the racing read: the turn ends where its anchor is, and the bug still shows."""
    schedule = str(explore(_bank()).schedule)
    run = replay(_bank(extra_read=True), schedule)
    assert run.diverged == ""
    assert run.report is not None
    assert len(run.steps) == 6


def test_where_a_schedule_stops_fitting_is_said() -> None:
    """The turn, what was expected, and what is there now."""
    run = replay(_bank(renamed=True), "0x1:read 1x2:write 0x1:write")
    assert "stops fitting at turn 1 (0x1:read)" in run.diverged
    assert "'add'" in run.diverged


@pytest.mark.parametrize("what", [[-1], ["0"], 5, None, [True], {0: 1}])
def test_what_is_no_schedule_is_refused(what: Any) -> None:
    """In words, and not taken for the last CPU."""
    with pytest.raises(ScheduleError, match="is no schedule"):
        replay(model("R1", 1, 1), what)


def test_a_schedule_for_more_cpus_is_refused() -> None:
    """With a sentence."""
    with pytest.raises(ScheduleError, match="the program has 2 CPUs"):
        replay(_bank(), "5x1")
