"""Trace: a whole run as one value: a header, the state before the first step, one change-set per step.

This is what travels: to a browser as one JSON string, into a saved page, into a file. Version 1 of the
schema is `timeline.schema.json` beside this module and `docs/trace-schema.md` in words. A reader that meets
a version it does not know says so; it never guesses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.trace.event import Event
from ptwalk.trace.packing import pack, unpack
from ptwalk.trace.snapshot import Json, Snapshot, apply

SCHEMA = "ptwalk.timeline"
VERSION = 1


class BrokenTimeline(PtwalkError):
    """The text is not a timeline this version can read; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Header:
    """What does not change during a run.

    `levels` are mappings with `name`, `shift`, `bits`, and, if the run is about one address, the `index` of
    that address. `roots` are the address spaces: `name` and the `frame` of the root table. `cpus` have a
    `name` and a `task`. `locks` have `id`, `name`, `kind` ("spin", "rwsem", "mutex"), the `frame` they live
    in, and `absent` if not taking them is the point. `sources` have `name`, `file`, `first` (line number of
    the first line of `text`).
    """

    title: str
    cpus: tuple[dict[str, Json], ...]
    levels: tuple[dict[str, Json], ...] = ()
    roots: tuple[dict[str, Json], ...] = ()
    locks: tuple[dict[str, Json], ...] = ()
    sources: tuple[dict[str, Json], ...] = ()
    note: str = ""
    scenario: str = ""
    address: int | None = None
    page_shift: int = 12
    format: str = ""
    marks: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run: `header`, the `base` state, `events`, and how it ended.

    `report` is the violation, with the `step` at which it happened, or None; `verdict` what a search said
    of all runs, or None; `compare` a recorded run laid beside this one (`trace.alignment`), or None.
    """

    header: Header
    base: Mapping[str, Json]
    events: tuple[Event, ...] = ()
    report: dict[str, Json] | None = None
    verdict: dict[str, Json] | None = None
    compare: dict[str, Json] | None = field(default=None)

    def __len__(self) -> int:
        return len(self.events)

    def at(self, step: int) -> Snapshot:
        """The state after `step` steps; 0 is the state before the first."""
        if not 0 <= step <= len(self.events):
            raise BrokenTimeline(f"the run has {len(self.events)} steps; there is no step {step}")
        values = dict(self.base)
        for event in self.events[:step]:
            apply(values, event.changes)
        return Snapshot(values)

    @property
    def choices(self) -> tuple[int, ...]:
        """Which CPU took each step."""
        return tuple(event.cpu for event in self.events)

    @property
    def words(self) -> tuple[str, ...]:
        """The steps in the vocabulary of the recordings; "" where a step has no word."""
        return tuple(event.word for event in self.events)

    def to_json(self) -> dict[str, Json]:
        """The timeline as plain JSON values."""
        head = self.header
        out: dict[str, Json] = {"schema": SCHEMA, "version": VERSION, "title": head.title}
        for name in ("note", "scenario", "format", "marks"):
            if value := getattr(head, name):
                out[name] = value
        if head.address is not None:
            out["address"] = f"{head.address:#x}"
        out["page_shift"] = head.page_shift
        for name in ("cpus", "levels", "roots", "locks", "sources"):
            out[name] = list(getattr(head, name))
        out["base"] = dict(self.base)
        out["steps"] = [event.to_json() for event in self.events]
        for name in ("report", "verdict", "compare"):
            if (value := getattr(self, name)) is not None:
                out[name] = value
        return out

    def dumps(self) -> str:
        """The timeline as one compact JSON string, packed for travelling (`trace.packing`)."""
        return json.dumps(pack(self.to_json()), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, data: Any) -> Timeline:
        """Read a timeline back; raises `BrokenTimeline` with a sentence if it is none."""
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise BrokenTimeline(f"this is not a ptwalk timeline: its `schema` is not {SCHEMA!r}")
        if data.get("version") != VERSION:
            raise BrokenTimeline(
                f"this timeline has schema version {data.get('version')!r}; this ptwalk reads version {VERSION}: "
                "make it again with this release, or read it with the release that made it"
            )
        try:
            return cls._read(unpack(data))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise BrokenTimeline(
                f"the timeline is damaged ({type(error).__name__}: {error}); make it again from its schedule"
            ) from None

    @classmethod
    def _read(cls, data: dict[str, Any]) -> Timeline:
        address = data.get("address")
        header = Header(
            title=str(data["title"]),
            note=str(data.get("note", "")),
            scenario=str(data.get("scenario", "")),
            format=str(data.get("format", "")),
            marks=str(data.get("marks", "")),
            address=None if address is None else int(address, 16),
            page_shift=int(data.get("page_shift", 12)),
            **{
                name: tuple(dict(item) for item in data.get(name, ()))
                for name in ("cpus", "levels", "roots", "locks", "sources")
            },
        )
        events = tuple(Event.from_json(item) for item in data["steps"])
        for number, event in enumerate(events, 1):
            if not 0 <= event.cpu < len(header.cpus):
                raise ValueError(f"step {number} names CPU {event.cpu}, which the header does not list")
        return cls(
            header, dict(data["base"]), events, data.get("report"), data.get("verdict"), data.get("compare")
        )

    @classmethod
    def loads(cls, text: str) -> Timeline:
        """Read a timeline from its JSON string."""
        try:
            return cls.from_json(json.loads(text))
        except json.JSONDecodeError as error:
            raise BrokenTimeline(f"this is not JSON (line {error.lineno}): {error.msg}") from None

    def with_verdict(self, verdict: Mapping[str, Json] | None) -> Timeline:
        """The same run, with what a search said of all runs."""
        return replace(self, verdict=None if verdict is None else dict(verdict))

    def with_compare(self, compare: Mapping[str, Json] | None) -> Timeline:
        """The same run, with a recorded one beside it."""
        return replace(self, compare=None if compare is None else dict(compare))


def common_steps(old: Timeline, new: Timeline) -> int:
    """How many steps two runs of the same program share from the start."""
    shared = 0
    for a, b in zip(old.events, new.events, strict=False):
        if a is not b and a != b:
            break
        shared += 1
    return shared


def update(old: Timeline, new: Timeline) -> dict[str, Json]:
    """What a reader who has `old` needs to get `new`: steps to keep, steps to add, grown lists.

    Both must be runs of the same program: the same base and CPUs. Sources and locks only grow, so just
    their new ends travel.
    """
    keep = common_steps(old, new)
    out: dict[str, Json] = {"keep": keep, "steps": [event.to_json() for event in new.events[keep:]]}
    for name in ("sources", "locks"):
        have: Sequence[Json] = getattr(old.header, name)
        want: Sequence[Json] = getattr(new.header, name)
        if tuple(want[: len(have)]) != tuple(have):
            out[name] = list(want)
            out[f"{name}_from"] = 0
        elif len(want) > len(have):
            out[name] = list(want[len(have) :])
            out[f"{name}_from"] = len(have)
    out["report"] = new.report
    out["verdict"] = new.verdict
    return out
