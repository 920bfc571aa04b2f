"""One recording: an operation of a real kernel as its normalized steps, with the event behind each.

Room: recordings. Values only; how they become a picture is `recordings.timeline`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ptwalk.errors import PtwalkError

_DATA = Path(__file__).parent / "data"
LINUX_6_1 = "linux-6.1-x86_64"
"""The kernel whose recordings ship: Debian's 6.1.176 for x86-64."""


class NoSuchRecording(PtwalkError):
    """A recording was asked for that does not ship."""


@dataclass(frozen=True, slots=True)
class Step:
    """One normalized step. `word` is the step in the common vocabulary, such as `pmd[0]:clear`.

    `cpu`, `task` and `pid` say who; `what` names the word of memory that was touched, `level`, `va`, `index`
    the entry if it is one; `old` and `new` its values; `access` read, write or rmw; `chain` the functions on
    the stack, outermost first; `line` the source line.
    """

    word: str
    cpu: int
    task: str
    pid: int
    kind: str
    what: str
    level: str
    va: int
    old: int
    new: int
    access: str
    chain: tuple[str, ...]
    line: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One operation of a real kernel.

    `name` is its file name in the collection, `operation` what was done in one word, `what` the same in words,
    `kernel` the exact release, `setup` the layout of tables and entries before and after (addresses as hexadecimal
    text).
    `without_lock_breaks` are the words of the same run without voluntary lock breaks; equal to `words` if
    there was none.
    """

    name: str
    operation: str
    what: str
    kernel: str
    setup: dict[str, Any]
    steps: tuple[Step, ...]
    without_lock_breaks: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The steps as words of the common vocabulary."""
        return tuple(step.word for step in self.steps)

    @property
    def doer(self) -> int:
        """The CPU on which the operation was done: that of the first step that is no other task's."""
        return next((step.cpu for step in self.steps if not step.word.startswith("<")), 0)


@cache
def _collection(kernel: str) -> dict[str, Any]:
    path = _DATA / f"{kernel}.json"
    if not path.exists():
        raise NoSuchRecording(f"no recordings of {kernel!r} ship with ptwalk; there is {LINUX_6_1!r}")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def names(kernel: str = LINUX_6_1) -> tuple[str, ...]:
    """The names of the recordings of a kernel."""
    return tuple(_collection(kernel)["recordings"])


@cache
def load(name: str, kernel: str = LINUX_6_1) -> Recording:
    """One recording by its name, such as "munmap_tables"; raises `NoSuchRecording` if there is none."""
    data = _collection(kernel)
    if name not in data["recordings"]:
        known = ", ".join(data["recordings"])
        raise NoSuchRecording(f"there is no recording {name!r} of {kernel}; there are: {known}")
    return from_compact(name, data["recordings"][name], data["functions"])


def from_compact(name: str, found: dict[str, Any], functions: Sequence[str]) -> Recording:
    """One recording from its compact form, whose call chains are numbers in `functions`."""
    steps = tuple(_step(step, functions) for step in found["steps"])
    words = tuple(step.word for step in steps)
    return Recording(
        name,
        found["op"],
        found["what"],
        found["kernel"],
        found["setup"],
        steps,
        tuple(found.get("without_lock_breaks", words)),
    )


def _step(data: dict[str, Any], functions: Sequence[str]) -> Step:
    def number(name: str) -> int:
        value = data.get(name, 0)
        return int(value, 16) if isinstance(value, str) else int(value or 0)

    return Step(
        word=str(data["word"]),
        cpu=data.get("cpu", 0),
        task=data.get("comm", ""),
        pid=data.get("pid", 0),
        kind=data.get("kind", ""),
        what=data.get("what", ""),
        level=data.get("level", ""),
        va=number("va"),
        old=number("old"),
        new=number("new"),
        access=data.get("access", ""),
        chain=tuple(functions[i] for i in data["callers"]),
        line=data.get("line", ""),
    )
