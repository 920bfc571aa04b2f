"""Trace: a report of a broken rule, in the style kernel people know.

Knows `arch` through the observation it was made from.  A sanitizer makes the report from one step; whoever
replays the failing schedule adds the steps of both CPUs (`told_with`) and the line to paste (`replayed_by`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from ptwalk.trace.observation import FrameSeen, LockSeen, Observation


@dataclass(frozen=True, slots=True)
class ReportStep:
    """One step of the failing run.

    `frame` is the frame it touches, `leads_to` the frame that its entry names, `entry` that entry ("" if none).
    """

    number: int
    cpu: int
    name: str
    kind: str
    text: str
    function: str = ""
    file: str = ""
    line: int = 0
    frame: int | None = None
    leads_to: int | None = None
    entry: str = ""

    @property
    def place(self) -> str:
        """The source place as reports show it."""
        if not self.line:
            return self.function
        return f"{self.function}, line {self.line} of {PurePath(self.file).name}"

    def to_json(self) -> dict[str, Any]:
        """The step as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


def lines_of(story: Sequence[ReportStep]) -> list[str]:
    """The steps of a story as lines, their columns aligned."""
    width = max((len(str(step.number)) for step in story), default=0)
    says = max((len(step.text) for step in story), default=0)
    return [
        f"step {step.number:>{width}}  CPU{step.cpu} {step.text:<{says}}  {step.place}".rstrip()
        for step in story
    ]


@dataclass(frozen=True, slots=True)
class Report:
    """What went wrong, where, which rule it breaks, why probably, and how to see it again.

    `sanitizer` is the name of the oracle; `title` the kind of bug; `happened` one sentence about the step;
    `rule` the rule in words; `cause` the likely cause.  `entry` describes the entry, `address` is its physical
    address.  `frames` are the states of the frames involved, `held` the locks the CPU held.  `cpu` is -1 where the
    end of a run was judged, and no CPU in particular is to blame.
    """

    sanitizer: str
    title: str
    happened: str
    rule: str
    cause: str
    cpu: int
    frames: tuple[FrameSeen, ...] = ()
    held: tuple[LockSeen, ...] = ()
    entry: str = ""
    address: int | None = None
    where: str = ""
    story: tuple[ReportStep, ...] = ()
    replay: str = ""

    def told_with(self, steps: Sequence[ReportStep], names: Sequence[str] = ()) -> Report:
        """The report with the steps that matter out of the failing run, which ends with the bad step."""
        story = _story(steps, self.cpu, {frame.number for frame in self.frames})
        where = self.where
        if names and self.cpu < 0:
            where = " / ".join(dict.fromkeys(names[step.cpu] for step in steps))
        elif names:
            others = [step.cpu for step in story if step.cpu != self.cpu]
            where = names[self.cpu] + (f" / {names[others[-1]]}" if others else "")
        return replace(self, story=story, where=where)

    def replayed_by(self, line: str) -> Report:
        """The report with the line to paste."""
        return replace(self, replay=line)

    def __str__(self) -> str:
        where = f" in {self.where}" if self.where else ""
        lines = [f"BUG: {self.title}{where}", self.happened]
        if self.address is not None:
            lines.append(f"at physical address {self.address:#x}" + (f": {self.entry}" if self.entry else ""))
        for frame in self.frames:
            lines.append(f"{frame.name}: {describe_frame(frame)}")
        if self.cpu >= 0:
            lines.append(f"CPU{self.cpu} holds: {', '.join(map(str, self.held)) if self.held else 'no lock'}")
        lines += lines_of(self.story)
        lines.append(f"rule: {self.rule}")
        lines.append(f"likely: {self.cause}")
        if self.replay:
            lines.append(f"replay: {self.replay}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values, with the names of the fields as keys."""
        value: dict[str, Any] = {"type": "report"}
        for name in (
            "sanitizer",
            "title",
            "happened",
            "rule",
            "cause",
            "cpu",
            "entry",
            "address",
            "where",
            "replay",
        ):
            value[name] = getattr(self, name)
        value["frames"] = [{n: getattr(frame, n) for n in frame.__slots__} for frame in self.frames]
        value["held"] = [{n: getattr(lock, n) for n in lock.__slots__} for lock in self.held]
        value["story"] = [step.to_json() for step in self.story]
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Report:
        """The report written by `to_json`."""
        fields = {name: value[name] for name in cls.__slots__ if name in value}
        fields["frames"] = tuple(FrameSeen(**frame) for frame in value["frames"])
        fields["held"] = tuple(LockSeen(**lock) for lock in value["held"])
        fields["story"] = tuple(ReportStep(**step) for step in value["story"])
        return cls(**fields)


def describe_frame(frame: FrameSeen) -> str:
    """A frame's state in words: "FREED, was a pte table (generation 2)"."""
    if frame.state == "wild":
        return "no RAM of this machine"
    what = f"{frame.kind} page" if frame.kind in ("anon", "file", "huge", "device") else f"{frame.kind} table"
    if frame.state in ("freed", "reused"):
        words = {"freed": "FREED", "reused": "REUSED by another owner"}[frame.state]
        return f"{words}, was a {what} (generation {frame.generation})"
    if frame.state == "free":
        return "never allocated"
    place = {"unlinked": "UNLINKED ", "deposited": "DEPOSITED ", "private": "not yet linked "}.get(
        frame.link, ""
    )
    owner = f", in the hands of CPU{frame.owner}" if frame.owner is not None else ""
    return f"{place}{what}{owner}"


def report_on(
    seen: Observation,
    sanitizer: str,
    title: str,
    happened: str,
    *,
    rule: str,
    cause: str,
    frames: Sequence[FrameSeen] = (),
) -> Report:
    """A report of the step `seen`, with the entry, the frames and the locks that it shows."""
    entry = ""
    address = None
    if seen.frame is not None and seen.index >= 0:
        address = seen.frame.pa + 8 * seen.index
        before = seen.entry_before
        entry = (
            f"{seen.level}[{seen.index}] = {before.raw:#x}, {before.sentence}" if before is not None else ""
        )
    shown = tuple(frames) or ((seen.frame,) if seen.frame is not None else ())
    return Report(sanitizer, title, happened, rule, cause, seen.cpu, shown, seen.held, entry, address)


def _story(steps: Sequence[ReportStep], cpu: int, frames: set[int]) -> tuple[ReportStep, ...]:
    # The bad step; before it, what others did to the frames and to entries that named them, and where this CPU
    # last read such an entry or took hold of the frame.
    if not steps:
        return ()
    chosen = [steps[-1]]
    seen_kinds: set[tuple[int, str]] = set()
    followed = _followed(steps, cpu) if frames == {NOWHERE} else ""
    for step in reversed(steps[:-1]):
        about = step.frame in frames or step.leads_to in frames or (step.entry and step.entry == followed)
        if not about:
            continue
        key = (step.cpu, step.kind)
        reads = step.kind in ("read", "lock") and (step.leads_to in frames or bool(followed))
        mine = step.cpu == cpu and (reads or step.kind == "get_page")
        theirs = step.cpu != cpu and step.kind in _TELLING
        if (mine or theirs) and key not in seen_kinds:
            seen_kinds.add(key)
            chosen.append(step)
    return tuple(reversed(chosen))


NOWHERE = -1
"""The number of a frame where the machine has no RAM."""


def _followed(steps: Sequence[ReportStep], cpu: int) -> str:
    """The entry that led this CPU nowhere: the last one it loaded before the bad step."""
    loaded = (step.entry for step in reversed(steps[:-1]) if step.cpu == cpu and step.kind == "read")
    return next(loaded, "")


_TELLING = frozenset(
    (
        "clear",
        "xchg",
        "write",
        "free",
        "put_page",
        "reuse",
        "queue_free",
        "deposit",
        "call_rcu",
        "flush",
        "rmw",
        "hardware",
    )
)
