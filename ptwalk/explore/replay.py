"""Replay: a program run along one schedule, every step told.

Room: explore.  Knows the state space and schedules.  A schedule made for an older version of the code is followed
as far as it goes: the end of each turn is looked for by what its last step was, and the first place where nothing
fits is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ptwalk.explore.limits import Limits
from ptwalk.explore.space import StateSpace
from ptwalk.machine.coroutine import Frame
from ptwalk.machine.operation import Operation
from ptwalk.machine.program import Program
from ptwalk.trace.schedule import Schedule, ScheduleError, Turn

# How many steps a turn may have become longer or shorter by an edit of the code.
DRIFT = 40


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a replayed run.

    `number` counts from 1; `before` and `after` are whole memory vectors; `report` is what the step broke, or None;
    `frames` are the places in the source, outermost first.
    """

    number: int
    cpu: int
    name: str
    operation: Operation
    result: Any
    file: str
    line: int
    frames: tuple[Frame, ...]
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    report: Any

    @property
    def kind(self) -> str:
        """Kind of the operation."""
        return self.operation.kind

    @property
    def text(self) -> str:
        """The operation in words."""
        return self.operation.text()

    def __str__(self) -> str:
        line = f"  line {self.line}" if self.line else ""
        broken = f"  <- {self.report}" if self.report is not None else ""
        return f"{self.number:4d}  CPU {self.cpu} {self.name}: {self.text}{line}{broken}"


@dataclass(frozen=True, slots=True)
class Replay:
    """A run along a schedule.

    `schedule` is what was really run (with anchors of the code as it is now), `report` the first violation or what
    is wrong at the end, `diverged` a sentence on where the given schedule stopped fitting ("" if it fitted),
    `complete` whether nobody can take a further step.
    """

    program: str
    steps: tuple[Step, ...]
    schedule: Schedule
    report: Any
    diverged: str
    complete: bool

    def __str__(self) -> str:
        lines = [str(step) for step in self.steps]
        if self.diverged:
            lines.append(self.diverged)
        if self.report is not None and not any(step.report is self.report for step in self.steps):
            lines.append(f"      {self.report}")
        return "\n".join(lines)


def follow(space: StateSpace, cpus: Sequence[int]) -> Replay:
    """The run in which `cpus` step one after another, exactly."""
    names = [cpu.name for cpu in space.program.cpus]
    state, steps = space.initial, []
    root = first = space.root_finding()
    for number, cpu in enumerate(cpus, 1):
        node = space.tables[cpu][state & space.node_masks[cpu]]
        flips = space.delta(state, cpu)
        if node.operation is None or not flips:
            raise ScheduleError(
                f"step {number}: CPU {cpu} cannot take a step there; the schedule is of another program"
            )
        report = space.report(state, cpu)
        after = state ^ flips
        child = space.tables[cpu][after & space.node_masks[cpu]]
        result = child.result if child.parent is node and child.ending != "stopped" else None
        file, line = node.place
        steps.append(
            Step(
                number,
                cpu,
                names[cpu],
                node.operation,
                result,
                file,
                line,
                node.frames,
                tuple(space.memory(state)),
                tuple(space.memory(after)),
                report,
            )
        )
        first = first if first is not None else report
        state = after
    complete = not space.enabled(state)
    if first is None and complete:
        first = space.at_end(state)
    anchors = [(step.kind, step.line) for step in steps]
    schedule = Schedule.of_steps([step.cpu for step in steps], anchors)
    return Replay(space.program.name, tuple(steps), schedule, first if root is None else root, "", complete)


def schedule_of(space: StateSpace, cpus: Sequence[int]) -> Schedule:
    """The schedule in which `cpus` step one after another, with anchors."""
    state, anchors = space.initial, []
    for cpu in cpus:
        node = space.tables[cpu][state & space.node_masks[cpu]]
        anchors.append((node.kind, node.place[1]))
        state ^= space.delta(state, cpu)
    return Schedule.of_steps(cpus, anchors)


def steps_along(space: StateSpace, schedule: Schedule) -> tuple[list[int], str]:
    """The CPU of each step when `schedule` is followed as far as it goes, and where it stopped fitting."""
    state, cpus, diverged = space.initial, list[int](), ""
    for number, turn in enumerate(schedule.turns, 1):
        if turn.cpu >= space.cpus:
            raise ScheduleError(f"turn {number} is CPU {turn.cpu}'s, but the program has {space.cpus} CPUs")
        ahead = _ahead(space, state, turn)
        count = _fitting(ahead, turn)
        if count is None:
            count = min(turn.count, len(ahead))
            if not diverged:
                found = (
                    f"'{ahead[count - 1][0]}' in line {ahead[count - 1][1]}" if count else "no step at all"
                )
                diverged = (
                    f"the schedule stops fitting at turn {number} ({turn}): after {count} steps of CPU {turn.cpu} "
                    f"there is {found}; followed as well as it goes from there"
                )
        for _ in range(count):
            state ^= space.delta(state, turn.cpu)
            cpus.append(turn.cpu)
    return cpus, diverged


def _ahead(space: StateSpace, state: int, turn: Turn) -> list[tuple[str, int]]:
    # What the CPU does when it goes on alone: kind and line of each step.
    anchors: list[tuple[str, int]] = []
    while len(anchors) < turn.count + DRIFT:
        flips = space.delta(state, turn.cpu)
        if not flips:
            break
        node = space.tables[turn.cpu][state & space.node_masks[turn.cpu]]
        anchors.append((node.kind, node.place[1]))
        state ^= flips
    return anchors


def _fitting(ahead: list[tuple[str, int]], turn: Turn) -> int | None:
    # The length of the turn whose last step is the anchor: as given if that fits, else the nearest that does.
    def kind_fits(count: int) -> bool:
        return not turn.kind or ahead[count - 1][0] == turn.kind

    def line_fits(count: int) -> bool:
        return kind_fits(count) and ahead[count - 1][1] == turn.line

    counts = sorted(range(1, len(ahead) + 1), key=lambda count: (abs(count - turn.count), count))
    if len(ahead) >= turn.count and kind_fits(turn.count):
        return turn.count
    fits: Callable[[int], bool]
    for fits in (line_fits, kind_fits) if turn.line else (kind_fits,):
        for count in counts:
            if fits(count) and abs(count - turn.count) <= DRIFT:
                return count
    return None


def _of_cpus(cpus: Sequence[int]) -> Schedule:
    if not isinstance(cpus, Sequence) or not all(type(cpu) is int and cpu >= 0 for cpu in cpus):
        raise ScheduleError(
            f"{cpus!r} is no schedule; give the line that explore printed, or the number of the CPU of each step"
        )
    return Schedule.of_steps(cpus)


def replay_on(
    program: Program, schedule: Schedule | str | Sequence[int], *, limits: Limits | None = None
) -> Replay:
    """Run `program` along `schedule`: a `Schedule`, its text, or the CPU of each step.

    `limits.depth` is how many steps one CPU may take: 1,000, if nothing is said.
    """
    space = StateSpace(program, limits)
    try:
        if isinstance(schedule, str):
            schedule = Schedule.parse(schedule)
        elif not isinstance(schedule, Schedule):
            schedule = _of_cpus(schedule)
        cpus, diverged = steps_along(space, schedule)
        done = follow(space, cpus)
        return Replay(done.program, done.steps, done.schedule, done.report, diverged, done.complete)
    finally:
        space.close()
