"""What a check says of a race comes with the stepper: three steps before the end, below the words."""

from types import SimpleNamespace
from typing import Any

import pytest

import ptwalk
from ptwalk.checks import NotYet
from ptwalk.walk.damon import damon_va_mkold_v34


def refused(name: str, answer: object) -> NotYet:
    """What a check says to an answer that does not hold."""
    with pytest.raises(NotYet) as caught:
        ptwalk.check(name, answer)
    return caught.value


def test_a_race_opens_the_stepper(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the very schedule that the words name, where it matters; nothing of the harness is in the way."""
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    not_yet = refused("05.2", damon_va_mkold_v34)
    assert not_yet.race == ptwalk.failed()
    assert not_yet.race is not None and not_yet.race[1] in str(not_yet)
    ptwalk._show_race(SimpleNamespace(error_in_exec=not_yet))
    (stepper,) = shown
    assert stepper.step == len(stepper.run) - 3
    assert "judged" not in repr(stepper.run.to_json())


def test_what_is_no_race_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an answer that is none, after a race that an earlier check saw, nor a cell that ends well."""
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    refused("05.2", damon_va_mkold_v34)
    for error in (refused("05.2", None), ValueError("of the learner's"), None):
        ptwalk._show_race(SimpleNamespace(error_in_exec=error))
    assert shown == []


def test_a_stepper_that_cannot_be_made_is_no_error() -> None:
    """The words stand there already."""
    ptwalk._show_race(SimpleNamespace(error_in_exec=SimpleNamespace(race=("no such race", "0x1"))))
