"""What a player meets when code gets nowhere: deadlock, livelock, and code that goes wrong before its first step."""

from __future__ import annotations

from typing import Any

import pytest

import ptwalk
from ptwalk.errors import PtwalkError
from ptwalk.machine.program import Program
from ptwalk.machine.shared import Shared
from ptwalk.trials.playing import play


def two_locks(again: bool) -> Program:
    """Two CPUs take two locks in opposite order; with `again` each puts its first back and tries anew."""
    shared = Shared(cpus=2)
    locks = [shared.mutex("a"), shared.mutex("b")]

    async def take(cpu: int) -> None:
        first, second = locks[cpu], locks[1 - cpu]
        await first.lock()
        if again:
            while not await second.try_lock():
                await first.unlock()
                await first.lock()
        else:
            await second.lock()
        await second.unlock()
        await first.unlock()

    return shared.program(lambda: take(0), lambda: take(1), name="two locks")


def test_a_deadlock_by_hand_says_who_waits() -> None:
    """Neither CPU can go on: the run ends there, in the explorer's words."""
    _, session = play(two_locks(again=False))
    report = session.run([0, 1]).report
    assert report is not None and report["kind"] == "deadlock"
    assert "CPU 0" in str(report["text"]) and "CPU 1" in str(report["text"])


def test_a_livelock_by_hand_is_noticed_where_the_explorer_sees_it() -> None:
    """Both go round in circles, with nobody left to change that; as long as one has not, it is only an unfair turn."""
    run, session = play(two_locks(again=True))
    assert run.report is not None and run.report["kind"] == "livelock"
    assert session.run(run.choices).report is not None
    assert session.run([0, 1, *[0] * 200]).report is None


async def raises(mm: Any, addr: int) -> None:
    """Wrong before it awaits anything."""
    raise ValueError("boom")


async def runs_on(mm: Any, addr: int) -> None:
    """Never comes to an operation."""
    while True:
        pass


def not_async(mm: Any, addr: int) -> None:
    """No coroutine at all."""


@pytest.mark.parametrize(
    ("walker", "says"), [(raises, "boom"), (runs_on, "without an operation"), (not_async, "async def")]
)
def test_code_that_goes_wrong_at_once_is_told(walker: Any, says: str) -> None:
    """There is no step to show it in: the report is at step 0, and the text of the run has it."""
    widget = ptwalk.stepper(walker, against="munmap")
    assert len(widget.run) == 0
    assert widget.run.report is not None and widget.run.report["step"] == 0
    assert says in str(widget.run.report["text"])
    assert says in widget._repr_mimebundle_()[0]["text/plain"]


def test_running_on_for_ever_is_stopped() -> None:
    """ "Run" lets a CPU that never blocks go only so far, and says so."""
    widget = ptwalk.stepper(two_locks(again=True))
    answer = widget.answer({"ask": "run", "choices": [0, 1], "cpu": 0})
    assert "does not block or end" in answer["message"]
    assert len(widget.run) < 1_100
    with pytest.raises(PtwalkError):
        widget.session.run([0, 1, 7])  # type: ignore[union-attr]
