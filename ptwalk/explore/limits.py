"""Limits of a search, and the tally it keeps so that a search cut short still tells what it knows.

Room: explore.  Knows the errors.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from ptwalk.errors import PtwalkError


class LimitError(PtwalkError):
    """A limit was given that makes no sense."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a search gives up; None means never.

    `executions` complete executions (dpor, brute), `states` distinct states (states), `runs` random runs (pct),
    `seconds` of time, `depth` operations of one CPU, `logs` different lists of results of all CPUs together,
    `megabytes` for the states held at once, or the traces that brute force has met (an estimate).
    """

    executions: int | None = None
    states: int | None = 20_000_000
    runs: int | None = 1_000
    seconds: float | None = None
    depth: int | None = 1_000
    logs: int | None = 20_000
    megabytes: float | None = 2_000

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            kind, words = (
                (int | float, "number") if one.name in ("seconds", "megabytes") else (int, "whole number")
            )
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, kind) or not value > 0
            ):
                raise LimitError(f"the limit of {one.name} is {value!r}; give a positive {words} or None")


class LimitReached(Exception):
    """The search ends here; the text names the limit and how far it came."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is: what it counts, and for how many seconds it has run."""

    engine: str
    executions: int
    states: int
    seconds: float

    def __str__(self) -> str:
        done = f"{self.executions:,} executions" if self.executions else f"{self.states:,} states"
        return f"{self.engine}: {done} in {self.seconds:.1f} s"


def bar(progress: Progress) -> None:
    """Show the progress on one line of the terminal."""
    sys.stderr.write(f"\r{progress}\x1b[K")
    sys.stderr.flush()


# Executions that are still run after a CPU has reached the limit of operations.
_LOOK_FURTHER = 100


@dataclass(slots=True)
class Tally:
    """What a search has counted and found so far."""

    engine: str
    limits: Limits
    progress: Callable[[Progress], None] | None = None
    executions: int = 0
    violations: int = 0
    blocked: int = 0
    states: int = 0
    interleavings: int | None = None
    traces: int | None = None
    state_bytes: int = 0
    # The most states held at once so far.
    most_held: int = 0
    # The first failing path met, as (CPU of each step, report); not yet minimal.
    bug: tuple[list[int], Any] | None = None
    # Whether a search that keeps no paths has met a failure.
    violated: bool = False
    cut: bool = False
    # Says whether a CPU ran into the limit of operations.
    too_deep: Callable[[], bool] | None = None
    _deep_since: tuple[int, int] | None = None
    _began: float = field(default_factory=time.monotonic)
    _shown: float = 0.0

    def seconds(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self._began

    def tick(self) -> None:
        """Check the limits and show progress; raises `LimitReached`."""
        limits = self.limits
        if self.too_deep is not None and self.too_deep():
            # The verdict cannot be "safe" any more; look a little further for a bug and be done.
            if self._deep_since is None:
                self._deep_since = (self.executions, self.states)
            executions, states = self._deep_since
            if self.executions - executions > _LOOK_FURTHER or self.states - states > 1_000 * _LOOK_FURTHER:
                raise LimitReached("")
        if limits.executions is not None and self.executions >= limits.executions:
            raise LimitReached(f"the limit of {limits.executions:,} executions was reached")
        if limits.states is not None and self.states >= limits.states:
            raise LimitReached(f"the limit of {limits.states:,} states was reached")
        if limits.seconds is None and self.progress is None:
            return
        now = self.seconds()
        if limits.seconds is not None and now > limits.seconds:
            raise LimitReached(f"the limit of {limits.seconds:g} seconds was reached")
        if self.progress is not None and now - self._shown > 0.2:
            self._shown = now
            self.progress(Progress(self.engine, self.executions, self.states, now))
