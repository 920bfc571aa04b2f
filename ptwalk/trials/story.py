"""From a failing schedule to a report that can be read: the steps of both CPUs, with source lines.

Room: trials.  Runs the schedule once more and asks each step what it touched.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ptwalk.explore.replay import Replay, Step
from ptwalk.explore.space import StateSpace
from ptwalk.machine.entries import EntryOperation, EntryPointer
from ptwalk.machine.frames import Frame, FrameOperation
from ptwalk.machine.locks import LockOperation
from ptwalk.machine.processor import held_locks
from ptwalk.machine.program import Program
from ptwalk.machine.tlb import HardwareLoad, TouchPage
from ptwalk.trace.report import Report, ReportStep
from ptwalk.trace.verdict import Finding

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_MACHINE = str(Path(_PACKAGE) / "machine")


def told(replay: Replay, program: Program, command: str) -> Any:
    """The replay's report with its story and the line to paste; what is neither report nor finding stays as it is."""
    report = replay.report
    if isinstance(report, Finding):
        story = tuple(_step(step) for step in _took_what_is_held(replay, program))
        return dataclasses.replace(report, story=story, replay=command)
    if not isinstance(report, Report):
        return report
    steps = [_step(step) for step in replay.steps]
    return report.told_with(steps, [cpu.name for cpu in program.cpus]).replayed_by(command)


def _took_what_is_held(replay: Replay, program: Program) -> list[Step]:
    """The steps that took each lock that a CPU holds when the run stops: who waits, waits for one of them."""
    found: list[Step] = []
    for cpu in range(len(program.cpus)):
        name = held_locks(cpu)
        if name not in program.cells:
            continue  # a program without the kernel's locks
        cell = program.cells.number(name)
        held: list[tuple[Any, Step]] = []
        for step in replay.steps:
            before, after = ((*memory[cell : cell + 1], ())[0] for memory in (step.before, step.after))
            held = [pair for pair in held if pair[0] in after]
            held += [(lock, step) for lock in after if lock not in before]
        found += [step for _, step in held]
    return sorted(found, key=lambda step: step.number)


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
    entry = ""
    if isinstance(operation, EntryOperation | HardwareLoad):
        pointer = operation.pointer
        frame, entry = pointer.frame, repr(pointer)
        # A load leads to what it found; a store to what it cut off.
        named = _named(pointer, step.before[pointer.cell])
        if named is None and pointer.cell < len(step.after):
            named = _named(pointer, step.after[pointer.cell])
        leads_to = None if named is None else named.number
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
        entry,
    )


def _named(pointer: EntryPointer, raw: int) -> Frame | None:
    """The table, or the data page, that a word in an entry names."""
    machine = pointer.machine
    child = machine.child(raw, pointer.level)
    if child is not None or not raw:
        return child
    entry = machine.format.decode(raw, pointer.level)
    maps = entry.linux_present and entry.address is not None and machine.is_page(entry.address)
    return machine.frame_at(entry.address) if maps and entry.address is not None else None


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
