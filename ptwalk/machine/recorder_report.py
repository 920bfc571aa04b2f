"""The violation of a recorded run, as the timeline tells it.

Storey 2 (machine).  What an observer found is put into the words of the timeline: which step, which frame,
which entry or lock, and the story of that frame, read off the steps before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptwalk.machine.entries import EntryOperation
from ptwalk.machine.frames import Frame
from ptwalk.machine.locks import LockOperation
from ptwalk.machine.operation import Operation
from ptwalk.trace.snapshot import Json
from ptwalk.trace.timeline import Timeline
from ptwalk.trace.verdict import Finding

_KINDS = {
    "deadlock": "Deadlock",
    "livelock": "Livelock",
    "exception": "The code raises an exception",
    "misuse": "The code does what simulated code must not do",
}


def title_of(found: Any) -> str:
    """A few words for what was found."""
    if isinstance(found, Finding) and found.kind in _KINDS:
        return _KINDS[found.kind]
    title = said_by(found, "title") or str(found).split("\n", 1)[0]
    return title[:1].upper() + title[1:]


def report_json(
    timeline: Timeline, found: Any, cpu: int, operation: Operation | None, number: Callable[[Frame], int]
) -> dict[str, Json]:
    """The report of the last step; of step 0 if the code went wrong before its first operation."""
    title = title_of(found)
    out: dict[str, Json] = {"step": len(timeline), "cpu": cpu, "title": title}
    if isinstance(found, Finding):
        return out | {"kind": found.kind, "text": found.text, "word": found.kind}
    out |= {"kind": said_by(found, "title") or title, "word": title.split()[0].lower()}
    for name in ("rule", "cause"):
        if text := said_by(found, name):
            out[name] = text
    frame = _frame(found, operation, number)
    if frame is not None:
        out["frame"] = frame
    if isinstance(operation, EntryOperation):
        out["where"] = f"{number(operation.pointer.frame)}.{operation.pointer.index}"
    elif isinstance(operation, LockOperation) and operation.lock.frame is not None:
        out["where"] = f"{number(operation.lock.frame)}.lock"
    happened = said_by(found, "happened")
    story, other = _story(timeline, frame, cpu)
    out["text"] = " ".join(part.rstrip(".") + "." for part in (happened, story) if part)
    if other is not None:
        out["other"] = other
    return out


def said_by(found: Any, name: str) -> str:
    """A field of a report, "" if what was found is a plain sentence or has no such field."""
    value = getattr(found, name, "")
    return value if isinstance(value, str) else ""


def _frame(found: Any, operation: Operation | None, number: Callable[[Frame], int]) -> int | None:
    for seen in getattr(found, "frames", ()):
        return int(seen.number)
    if isinstance(operation, EntryOperation):
        return number(operation.pointer.frame)
    if isinstance(operation, LockOperation) and operation.lock.frame is not None:
        return number(operation.lock.frame)
    return None


def _story(timeline: Timeline, frame: int | None, cpu: int) -> tuple[str, int | None]:
    """ "CPU 0 got frame 7 at step 3; unlinked at 10, freed at 14." and the other CPU of the conflict."""
    if frame is None:
        return "", None
    got = 0
    turns: list[str] = []
    other: int | None = None
    state = str(dict(timeline.base).get(f"f{frame}") and timeline.at(0).frame_state(frame))
    for step, event in enumerate(timeline.events[:-1], 1):
        for _, params in event.say:
            if event.cpu == cpu and params.get("to") == frame:
                got = step
        value = event.changes.get(f"f{frame}")
        if isinstance(value, dict) and value.get("state") != state:
            state = str(value["state"])
            if state != "live":
                turns.append(f"{'reused' if state == 'data' else state} at {step}")
            if event.cpu != cpu:
                other = event.cpu
    if not got and not turns:
        return "", other
    first = f"CPU {cpu} got frame {frame} at step {got}" if got else f"frame {frame} was"
    return (first + ("; " if got and turns else " " if turns else "") + ", ".join(turns) + "."), other
