"""Trace: the state of a run between two steps, as one flat mapping from keys to plain values.

A flat mapping keeps a step's change small: a few keys with their new values. The keys are

    f7             frame 7                         e5.2           entry 2 of frame 5
    l:mmap_lock    who holds a lock                x:VMA          a fact worth showing
    c0.s.1         CPU 0's place at call depth 1   c0.v.1.pmd     local `pmd` of its frame at depth 1
    c0.next  c0.blocked  c0.state  c0.irq  c0.rcu  c0.tlb

Knows nothing of kernels or machines: whoever runs something writes these values (`trace.recording`),
whoever draws reads them. `docs/trace-schema.md` is the same in words for readers of the JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Changes: TypeAlias = dict[str, Json]
"""New values by key; None takes the key away."""

FRAME_STATES = ("live", "unlinked", "deposited", "freed", "data")
"""What a frame is now. `data` is a page of a process, or a table that was freed and handed out again."""

CPU_STATES = ("ready", "blocked", "finished", "stopped")
"""Whether a CPU can step; `stopped` is where a violation ended the run."""

LOCK_MODES = ("held", "write", "read")


def entry_key(frame: int, index: int) -> str:
    """The key of one entry."""
    return f"e{frame}.{index}"


@dataclass(frozen=True, slots=True)
class Frame:
    """One page frame and what it serves as.

    `kind` is "table" or "page" and, with `level`, is its place in the picture: a table that is reused keeps
    both and changes `state`. `note` is a word of the catalogue, or free text. `generation` counts how often
    the frame was handed out: a pointer with an older one dangles. `lock` names the lock that lives in the
    frame's metadata. `rest` counts used entries that are not in the snapshot one by one. `size` is in bytes.
    """

    id: int
    kind: str = "table"
    level: str = ""
    state: str = "live"
    note: str = ""
    generation: int = 0
    lock: str = ""
    rest: int = 0
    size: int = 0

    @property
    def key(self) -> str:
        """The key of this frame."""
        return f"f{self.id}"

    def to_json(self) -> Json:
        """The frame as JSON; defaults are left out."""
        names = (
            ("kind", "table"),
            ("level", ""),
            ("note", ""),
            ("generation", 0),
            ("lock", ""),
            ("rest", 0),
            ("size", 0),
        )
        out: dict[str, Json] = {"state": self.state}
        for name, default in names:
            value = getattr(self, name)
            if value != default:
                out[name] = value
        return out


@dataclass(frozen=True, slots=True)
class Slot:
    """One entry of a table: where it leads, its bits as marks, its raw value.

    `to` is the frame it leads to, or None; `word` says what it is when it leads nowhere ("none", "swap").
    `marks` are bits in the words of `Entry.marks`; a bit that is off is simply not there. `leaf` marks an
    entry that maps a huge page.
    """

    frame: int
    index: int
    to: int | None = None
    marks: str = ""
    raw: int | None = None
    word: str = ""
    leaf: bool = False

    @property
    def key(self) -> str:
        """The key of this entry."""
        return entry_key(self.frame, self.index)

    def to_json(self) -> Json:
        """The entry as JSON; what is empty is left out."""
        out: dict[str, Json] = {}
        if self.to is not None:
            out["to"] = self.to
        if self.marks:
            out["marks"] = self.marks
        if self.raw is not None:
            out["raw"] = f"{self.raw:x}"
        if self.word:
            out["word"] = self.word
        if self.leaf:
            out["leaf"] = True
        return out


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds a lock. `holders` are (CPU, mode) pairs; `destroyed` says the lock's home is gone."""

    lock: str
    holders: tuple[tuple[int, str], ...] = ()
    destroyed: bool = False

    @property
    def key(self) -> str:
        """The key of this lock."""
        return f"l:{self.lock}"

    def to_json(self) -> Json:
        """The lock as JSON."""
        out: dict[str, Json] = {"held": [[cpu, mode] for cpu, mode in self.holders]}
        if self.destroyed:
            out["destroyed"] = True
        return out


@dataclass(frozen=True, slots=True)
class Local:
    """One local value of a CPU: its name, its text, and what in memory it stands for.

    `at` is the entry a pointer points to, `source` the entry a value was read from (both "frame.index"),
    `to` the frame the value leads to with its `generation` at that time. A picture compares these with
    memory and so shows what the CPU still believes. `depth` is the call depth, 0 outermost.
    """

    name: str
    text: str = ""
    depth: int = 0
    at: str = ""
    source: str = ""
    to: int | None = None
    generation: int = 0
    lock: str = ""

    def to_json(self) -> Json:
        """The local as JSON: a plain text as it is, else a mapping without what is empty."""
        if self.text and not (self.at or self.source or self.lock or self.to is not None):
            return self.text
        out: dict[str, Json] = {}
        for name, value in (("text", self.text), ("at", self.at), ("from", self.source), ("lock", self.lock)):
            if value:
                out[name] = value
        if self.to is not None:
            out["to"] = self.to
        if self.generation:
            out["generation"] = self.generation
        return out


@dataclass(frozen=True, slots=True)
class TlbEntry:
    """One cached translation: the page's address, the frame it leads to, the entry it came from."""

    va: int
    to: int
    source: str = ""
    size: int = 0

    def to_json(self) -> Json:
        """The cached translation as JSON."""
        out: dict[str, Json] = {"va": f"{self.va:#x}", "to": self.to}
        if self.source:
            out["from"] = self.source
        if self.size:
            out["size"] = self.size
        return out


class Snapshot:
    """The whole state between two steps; made by `Timeline.at`, never changed.

    Values are the JSON ones, by key. The methods answer the questions that a text or a sentence asks.
    """

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, Json]) -> None:
        self.values = values

    def __getitem__(self, key: str) -> Json:
        return self.values.get(key)

    def fields(self, key: str) -> dict[str, Json]:
        """The value of `key` as a mapping; empty if there is none."""
        value = self.values.get(key)
        return value if isinstance(value, dict) else {}

    def frame_state(self, frame: int) -> str:
        """The state of a frame, or "" if it is not known."""
        return str(self.fields(f"f{frame}").get("state", ""))

    def slot_name(self, slot: str) -> str:
        """What people call an entry: `pmd[2]` for "5.2"."""
        frame, _, index = slot.partition(".")
        level = self.fields(f"f{frame}").get("level")
        return f"{level or 'frame ' + frame}[{index}]"

    def holders(self, lock: str) -> list[tuple[int, str]]:
        """Who holds the lock, as (CPU, mode) pairs."""
        held = self.fields(f"l:{lock}").get("held")
        if not isinstance(held, list):
            return []
        return [
            (int(str(pair[0])), str(pair[1])) for pair in held if isinstance(pair, list) and len(pair) == 2
        ]

    def locals(self, cpu: int) -> Iterator[tuple[int, str, dict[str, Json]]]:
        """The local values of a CPU as (depth, name, fields), in the order they were first seen."""
        prefix = f"c{cpu}.v."
        for key, value in self.values.items():
            if key.startswith(prefix) and value is not None:
                depth, _, name = key[len(prefix) :].partition(".")
                yield int(depth), name, value if isinstance(value, dict) else {"text": value}

    def points_into(self, cpu: int, frame: int) -> bool:
        """Whether a local value of the CPU leads to, or points into, this frame."""
        home = f"{frame}."
        for _, _, fields in self.locals(cpu):
            if fields.get("to") == frame or str(fields.get("at", "")).startswith(home):
                return True
        return False

    def with_changes(self, changes: Mapping[str, Json]) -> Snapshot:
        """The state after these changes."""
        values = dict(self.values)
        apply(values, changes)
        return Snapshot(values)


def apply(values: dict[str, Json], changes: Mapping[str, Json]) -> None:
    """Change `values` in place, in order: None takes a key away, anything else replaces its value.

    A key that ends in `.*` takes all keys away that begin so.
    """
    for key, value in changes.items():
        if key.endswith(".*"):
            for old in [old for old in values if old.startswith(key[:-1])]:
                del values[old]
        elif value is None:
            values.pop(key, None)
        else:
            values[key] = value
