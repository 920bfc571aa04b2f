"""Schedules as one line, there and back."""

import pytest

from ptwalk.trace.schedule import Schedule, ScheduleError, Turn


def test_turns_are_made_of_steps() -> None:
    """Steps in a row of one CPU are one turn, anchored at its last step."""
    schedule = Schedule.of_steps([0, 0, 1, 0], [("read", 3), ("lock", 4), ("free", 9), ("write", 5)])
    assert str(schedule) == "0x2:lock@4 1x1:free@9 0x1:write@5"
    assert (schedule.steps, schedule.switches, schedule.bare()) == (4, 2, "0010")


@pytest.mark.parametrize("text", ["0x2:lock@4 1x1:free@9", "0x12 1x3", "3x1:wait-even", "1x2@7", ""])
def test_the_text_is_read_back(text: str) -> None:
    """Text, value and JSON say the same."""
    schedule = Schedule.parse(text)
    assert str(schedule) == text
    assert Schedule.from_json(schedule.to_json()) == schedule
    assert Schedule.from_json(text) == schedule


def test_short_forms_are_understood() -> None:
    """Digits for steps, numbers without a count."""
    assert Schedule.parse("0011") == Schedule((Turn(0, 2), Turn(1, 2)))
    assert Schedule.parse("0 1 0").switches == 2


@pytest.mark.parametrize("text", ["hello", "0x", "0x0", "1y3", "0x2:"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    """With the word that cannot be read."""
    with pytest.raises(ScheduleError, match="is no turn of a schedule"):
        Schedule.parse(text)


def test_digits_are_for_ten_cpus() -> None:
    """Beyond that the long form is needed."""
    with pytest.raises(ScheduleError, match="ten CPUs"):
        Schedule.parse("10x1 2x1").bare()
