"""The race that a check failed on, kept for the stepper.

Knows neither scenarios nor the stepper, so that the verbs can ask for it and import nothing heavy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ptwalk.errors import PtwalkError


class Failed(NamedTuple):
    """The race that the last check failed on: what ran, and the schedule.  `ptwalk.stepper(*ptwalk.failed())`."""

    what: Any
    schedule: str


_kept: list[Failed] = []


def keep(what: Any, schedule: str) -> None:
    """Keep a race for the stepper."""
    _kept[:] = [Failed(what, schedule)]


def latest() -> Failed | None:
    """The race that was kept last, None if there is none yet."""
    return _kept[-1] if _kept else None


def put_back(race: Failed | None) -> None:
    """Keep again what `latest` gave: where parts are judged one by one, the words tell of the first that failed."""
    _kept[:] = [] if race is None else [race]


def failed() -> Failed:
    """The race that the last check failed on, for the stepper; raises `PtwalkError` if there is none yet."""
    if not _kept:
        raise PtwalkError("no check has failed on a race yet in this session: there is nothing to show")
    return _kept[-1]
