"""A schedule: which CPU takes each step, as one line that can be pasted.

Room: trace.  Knows only the errors.  A run is its schedule: the same program and the same schedule give the
same steps.  The text form counts steps in runs of one CPU and names what the last step of each run was, so that
a schedule still means something after the code was edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ptwalk.errors import PtwalkError


class ScheduleError(PtwalkError):
    """A line was given that is no schedule; the text says where it goes wrong."""


_RUN = re.compile(r"(\d+)(?:x(\d+))?(?::([^\s@]+))?(?:@(\d+))?\Z")


@dataclass(frozen=True, slots=True)
class Turn:
    """CPU `cpu` takes `count` steps in a row; the last of them is a `kind` in source line `line`.

    `kind` ("" if unknown) and `line` (0 if unknown) are the anchor by which a replay finds the end of the turn
    again when the code has changed.
    """

    cpu: int
    count: int
    kind: str = ""
    line: int = 0

    def __str__(self) -> str:
        kind = f":{self.kind}" if self.kind else ""
        line = f"@{self.line}" if self.line else ""
        return f"{self.cpu}x{self.count}{kind}{line}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Turns of the CPUs, in order; prints as one line such as `0x4:read@12 1x9:free@31 0x1:lock@13`."""

    turns: tuple[Turn, ...] = ()

    @classmethod
    def of_steps(cls, cpus: Sequence[int], anchors: Sequence[tuple[str, int]] | None = None) -> Schedule:
        """The schedule in which the steps are taken by `cpus` in turn.

        `anchors` gives (kind, source line) of each step; without it the schedule holds counts only.
        """
        turns: list[Turn] = []
        begin = 0
        for end in range(1, len(cpus) + 1):
            if end == len(cpus) or cpus[end] != cpus[begin]:
                kind, line = anchors[end - 1] if anchors is not None else ("", 0)
                turns.append(Turn(cpus[begin], end - begin, kind, line))
                begin = end
        return cls(tuple(turns))

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Read the one-line form; plain digits (`00011`) and numbers without count (`0 1 0`) are understood too.

        Raises `ScheduleError` with the word that could not be read.
        """
        words = text.split()
        if len(words) == 1 and words[0].isdigit() and len(words[0]) > 1:
            return cls.of_steps([int(digit) for digit in words[0]])
        turns = []
        for word in words:
            match = _RUN.match(word)
            if match is None or match[2] == "0":
                raise ScheduleError(
                    f"{word!r} is no turn of a schedule; write CPU x COUNT with blanks between, "
                    "such as 0x4 or 0x4:read@12"
                )
            turns.append(Turn(int(match[1]), int(match[2] or 1), match[3] or "", int(match[4] or 0)))
        return cls(tuple(turns))

    @property
    def steps(self) -> int:
        """Number of steps."""
        return sum(turn.count for turn in self.turns)

    @property
    def switches(self) -> int:
        """Number of times another CPU takes over (the first turn counts as none)."""
        return sum(1 for one, two in zip(self.turns, self.turns[1:], strict=False) if one.cpu != two.cpu)

    def cpus(self) -> Iterator[int]:
        """The CPU of each step in order."""
        for turn in self.turns:
            for _ in range(turn.count):
                yield turn.cpu

    def bare(self) -> str:
        """The schedule as one digit for each step ("00011"); needs no more than ten CPUs."""
        if any(turn.cpu > 9 for turn in self.turns):
            raise ScheduleError("more than ten CPUs cannot be written with one digit each; use str() instead")
        return "".join(str(cpu) for cpu in self.cpus())

    def __str__(self) -> str:
        return " ".join(str(turn) for turn in self.turns)

    def to_json(self) -> list[dict[str, Any]]:
        """A list with one object for each turn."""
        return [{"cpu": t.cpu, "count": t.count, "kind": t.kind, "line": t.line} for t in self.turns]

    @classmethod
    def from_json(cls, value: Iterable[dict[str, Any]] | str) -> Schedule:
        """The schedule written by `to_json`, or its one-line text."""
        if isinstance(value, str):
            return cls.parse(value)
        return cls(tuple(Turn(t["cpu"], t["count"], t.get("kind", ""), t.get("line", 0)) for t in value))
