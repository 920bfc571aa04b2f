"""From a failing schedule to a report that can be read: the steps of both CPUs, with source lines.

Room: trials.  Runs the schedule once more and asks each step what it touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptwalk.explore.replay import Replay, Step
from ptwalk.explore.space import StateSpace
from ptwalk.machine.entries import EntryOperation
from ptwalk.machine.frames import Frame, FrameOperation
from ptwalk.machine.locks import LockOperation
from ptwalk.machine.tlb import HardwareLoad, TouchPage
from ptwalk.trace.report import Report, ReportStep

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_MACHINE = str(Path(_PACKAGE) / "machine")


def told(replay: Replay, names: list[str], command: str) -> Any:
    """The replay's report with its story and the line to paste; anything but a `Report` comes back as it is."""
    report = replay.report
    if not isinstance(report, Report):
        return report
    steps = [_step(step) for step in replay.steps]
    return report.told_with(steps, names).replayed_by(command)


def replay_json(replay: Replay) -> dict[str, Any]:
    """A replay as JSON values: the steps, the schedule with its anchors, and the report."""
    report = replay.report
    return {
        "program": replay.program,
        "schedule": str(replay.schedule),
        "steps": [_step(step).to_json() for step in replay.steps],
        "report": report.to_json() if hasattr(report, "to_json") else None if report is None else str(report),
        "diverged": replay.diverged,
        "complete": replay.complete,
    }


def _step(step: Step) -> ReportStep:
    operation = step.operation
    frame: Frame | None = None
    leads_to: int | None = None
    if isinstance(operation, EntryOperation | HardwareLoad):
        pointer = operation.pointer
        frame = pointer.frame
        # A load leads to what it found; a store to what it cut off.
        raw = step.before[pointer.cell]
        child = pointer.machine.child(raw, pointer.level)
        if child is None and pointer.cell < len(step.after):
            child = pointer.machine.child(step.after[pointer.cell], pointer.level)
        leads_to = None if child is None else child.number
    elif isinstance(operation, LockOperation):
        frame = operation.lock.frame
    elif isinstance(operation, FrameOperation | TouchPage):
        frame = operation.frame
    file, line, function = _place(step)
    return ReportStep(
        step.number,
        step.cpu,
        step.name,
        step.kind,
        step.text,
        function,
        file,
        line,
        None if frame is None else frame.number,
        leads_to,
    )


def _place(step: Step) -> tuple[str, int, str]:
    """Where to look in the source: in somebody's own file if there is one, else in the kernel function that stepped."""
    shown = [frame for frame in step.frames if not frame[0].startswith(_MACHINE)] or list(step.frames)
    if not shown:
        return step.file, step.line, ""
    own = [frame for frame in shown if not frame[0].startswith(_PACKAGE)]
    file, line, function = (own or shown)[-1]
    outer = shown[0][2]
    return file, line, function if function == outer else f"{outer} > {function}"


def with_the_act_last(space: StateSpace, cpus: tuple[int, ...]) -> tuple[int, ...]:
    """The same failing schedule with the last turn as short as can be, its steps taken in that CPU's turn before.

    It has as many switches and steps; what happens last is then the act alone, not the way to it.
    """
    last = cpus[-1]
    turn = next((n for n, cpu in enumerate(reversed(cpus)) if cpu != last), len(cpus))
    rest = cpus[: len(cpus) - turn]
    before = next((n for n in range(len(rest), 0, -1) if rest[n - 1] == last), 0)
    for moved in range(turn - 1, 0, -1) if before else ():
        tried = (*rest[:before], *[last] * moved, *rest[before:], *[last] * (turn - moved))
        if _fails_at_its_end(space, tried):
            return tried
    return cpus


def _fails_at_its_end(space: StateSpace, cpus: tuple[int, ...]) -> bool:
    state = space.initial
    for number, cpu in enumerate(cpus):
        flips = space.delta(state, cpu)
        if not flips:
            return False
        if space.report(state, cpu) is not None:
            return number == len(cpus) - 1
        state ^= flips
    return False
