"""What came out of an answer: `Mark` for one exercise, `Marked` for a whole file. Plain values, JSON both ways.

Knows no exercise and no notebook.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

STATES = {
    "passed": "passed",
    "partly": "passed in part",
    "not yet": "not yet",
    "stopped": "stopped",
    "open": "not begun",
    "missing": "no answer in this file",
}
"""Every state of a mark, best first, and how it is said. `stopped`: the code could not be judged to its end."""


@dataclass(frozen=True)
class Mark:
    """One exercise: its state, the words for it, and the parts that were judged by themselves.

    `parts` pairs each part's name with whether it holds. `credit` is the share from 0 to 1.
    """

    exercise: str
    state: str
    words: str = ""
    parts: tuple[tuple[str, bool], ...] = ()

    @property
    def credit(self) -> float:
        """1 for a pass, the share of parts that hold for anything else that was judged."""
        if self.state == "passed":
            return 1.0
        return sum(holds for _, holds in self.parts) / len(self.parts) if self.parts else 0.0

    @property
    def tried(self) -> bool:
        """Whether there was an answer to judge."""
        return self.state not in ("open", "missing")


@dataclass(frozen=True)
class Marked:
    """A file and what came out of it: marks in the order of the course, and what else was seen.

    `remarks` are sentences on the file as a whole: a cell that stopped, a check cell that was changed. `walls` are the
    limits that stood round the process. `unreadable` says why there are no marks, if so.
    """

    file: str
    marks: tuple[Mark, ...] = ()
    remarks: tuple[str, ...] = ()
    walls: tuple[str, ...] = ()
    unreadable: str = ""
    seconds: float = field(default=0.0, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Marked:
        """What `to_json` gave; raises ValueError, KeyError or TypeError for anything else."""
        marks = tuple(
            Mark(
                str(m["exercise"]),
                str(m["state"]),
                str(m["words"]),
                tuple((str(name), bool(holds)) for name, holds in m["parts"]),
            )
            for m in data["marks"]
        )
        if any(mark.state not in STATES for mark in marks):
            raise ValueError("a state that is not known")
        remarks, walls = tuple(map(str, data["remarks"])), tuple(map(str, data["walls"]))
        return cls(str(data["file"]), marks, remarks, walls, str(data["unreadable"]), float(data["seconds"]))
