"""A recorder runs a program by a schedule and writes down what a picture of the run needs: a `Timeline`.

Storey 2 (machine).  It runs each CPU's coroutine itself, one operation at a time, as any engine would, and looks
at cells, frames and operations after each step.  It decides nothing about the run: the schedule does.  It works
for any program; with a `Machine` it also shows tables, frames, locks and translation caches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ptwalk.arch import Level
from ptwalk.errors import PtwalkError
from ptwalk.machine.coroutine import Pause, abandon, begin, run
from ptwalk.machine.locks import LockOperation
from ptwalk.machine.machine import Machine
from ptwalk.machine.operation import Operation, Violation
from ptwalk.machine.program import Program
from ptwalk.machine.recorder_order import Order
from ptwalk.machine.recorder_report import report_json, said_by, title_of
from ptwalk.machine.recorder_rounds import Rounds
from ptwalk.machine.recorder_stack import Describe, LocalReader, frames_of, source_of
from ptwalk.machine.recorder_state import MachineState, PlainState
from ptwalk.machine.recorder_words import words_of
from ptwalk.machine.tlb import FlushTlb
from ptwalk.trace.recording import TimelineWriter
from ptwalk.trace.snapshot import Json
from ptwalk.trace.timeline import Header, Timeline

Facts = Callable[[Sequence[Any]], Mapping[str, str]]
Word = Callable[[int, Operation, Any], str]


class CannotStep(PtwalkError):
    """A schedule asks for a step that cannot happen: the CPU is blocked, has finished, or does not exist."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is recorded, and in which words.

    `machine` is the machine the program runs on, if it is one with page tables; `roots` are its address spaces
    as (name, frame number of the root table). `address` is the address the run is about. `facts(memory)` gives
    things worth showing by name; `describe(value)` what to show of a local value the machine does not know;
    `word(cpu, operation, result)` the step in the vocabulary of the recordings ("" where it has none).
    """

    program: Program
    machine: Machine | None = None
    title: str = ""
    note: str = ""
    scenario: str = ""
    address: int | None = None
    roots: tuple[tuple[str, int], ...] = ()
    facts: Facts | None = None
    describe: Describe = field(default=lambda value: None)
    word: Word | None = None


class Recorder:
    """One run under way: `step(cpu)` lets a CPU take its next step; `timeline()` is the run so far."""

    def __init__(self, subject: Subject, *, known: Timeline | None = None) -> None:
        self.subject = subject
        program = subject.program
        self._program = program
        self.memory: list[Any] = list(program.cells.memory())
        self._state = (
            MachineState(subject.machine, self.memory)
            if subject.machine
            else PlainState(program, self.memory)
        )
        self._writer = TimelineWriter(self._header(known))
        self._coroutines: list[Any] = []
        self._pending: list[Operation | None] = []
        self._stopped: set[int] = set()
        self._order = Order(len(program.cpus))
        self._report: dict[str, Json] | None = None
        self._readers: list[LocalReader] = []
        self._outermost: dict[int, tuple[int, int]] = {}
        self._rounds = Rounds(program)
        self._heard: list[list[Any]] = [[] for _ in program.cpus]
        self.happened = ""
        found: Any = None
        for cpu, cpu_program in enumerate(program.cpus):
            self._readers.append(LocalReader(subject.describe, self._state))
            coroutine, pause = begin(cpu_program.start, cpu, cpu_program.name)
            self._coroutines.append(coroutine)
            self._pending.append(None)
            finding = self._stands(cpu, pause)
            if finding is not None:
                self._stopped.add(cpu)
                found = found or finding
        self._state.everything(self._writer)
        self._show_cpus(range(len(program.cpus)))
        self._facts()
        self._writer.begin()
        if found is not None:  # code that goes wrong before its first operation has no step to show it
            self._report = report_json(self._writer.timeline(), found, found.cpu, None, self._state.number)

    def _header(self, known: Timeline | None) -> Header:
        subject = self.subject
        machine = subject.machine
        levels: tuple[dict[str, Json], ...] = ()
        name = ""
        if machine is not None:
            name = machine.format.name
            levels = tuple(self._level(machine, level) for level in machine.format.levels)
        return Header(
            title=subject.title or self._program.name,
            cpus=tuple({"name": f"CPU {i}", "task": cpu.name} for i, cpu in enumerate(self._program.cpus)),
            levels=levels,
            roots=tuple({"name": name, "frame": frame} for name, frame in subject.roots),
            locks=known.header.locks if known is not None else (),
            sources=known.header.sources if known is not None else (),
            note=subject.note,
            scenario=subject.scenario,
            address=subject.address,
            page_shift=machine.format.page_shift if machine is not None else 12,
            format=name,
            marks=self._state.marks,
        )

    def _level(self, machine: Machine, level: Level) -> dict[str, Json]:
        out: dict[str, Json] = {"name": level.name, "shift": level.shift, "bits": level.bits}
        if self.subject.address is not None:
            out["index"] = machine.format.index(self.subject.address, level)
        return out

    # ---- what it knows ----

    @property
    def shown(self) -> dict[str, Json]:
        """The state as a picture shows it now."""
        return dict(self._writer.now.values)

    @property
    def heard(self) -> tuple[tuple[Any, ...], ...]:
        """What each CPU was answered so far: all that decides what it does next."""
        return tuple(tuple(results) for results in self._heard)

    # ---- running ----

    def runnable(self) -> list[int]:
        """The CPUs that can take a step now."""
        return [cpu for cpu in range(len(self._pending)) if self.status(cpu) == "ready"]

    def status(self, cpu: int) -> str:
        """ready, blocked, finished or stopped."""
        if cpu in self._stopped:
            return "stopped"
        operation = self._pending[cpu]
        if operation is None:
            return "finished"
        return "ready" if operation.enabled(self.memory, cpu) else "blocked"

    @property
    def ended(self) -> bool:
        """Whether a violation ended the run, or no CPU can step any more."""
        return self._report is not None or not self.runnable()

    def step(self, cpu: int) -> None:
        """One step of a CPU; raises `CannotStep` if it has none to take."""
        if not 0 <= cpu < len(self._pending):
            raise CannotStep(f"there is no CPU {cpu}; this program has CPUs 0 to {len(self._pending) - 1}")
        status = self.status(cpu)
        operation = self._pending[cpu]
        if self._report is not None:
            raise CannotStep("the run ended with a violation; step back to try another way")
        if status != "ready" or operation is None:
            raise CannotStep(f"CPU {cpu} is {status}; it cannot take a step now")
        footprint = operation.footprint(cpu)
        self._grow()
        before = list(self.memory)
        held = self._state.held(cpu)
        found: Any = None
        result: Any = None
        try:
            result = operation.execute(self.memory, cpu)
        except Violation as violation:
            found = violation
            self.memory[:] = before
        if found is None:
            for watch in self._program.observers:
                found = watch(before, cpu, operation, result, self.memory)
                if found is not None:
                    break
        self._state.loaded(self._readers[cpu], operation, result)
        if found is None:
            at = self._rounds.step(cpu, operation, result)
            self._heard[cpu].append(result)
            found = self._stands(
                cpu, run(lambda: self._coroutines[cpu].send(result), self._coroutines[cpu], at)
            )
        kind, label, said = words_of(operation, result, held, self._state.number, self._state.frame_at)
        self._state.changed(self._writer, before, footprint[1])
        self._close(cpu, operation, result, found, kind, label, said, footprint)

    def _close(
        self,
        cpu: int,
        operation: Operation,
        result: Any,
        found: Any,
        kind: str,
        label: str,
        said: list[Any],
        footprint: Any,
    ) -> None:
        self._grow()
        if found is not None:
            self._stopped.add(cpu)
        else:
            found = self._rounds.judged(self._pending, self.runnable(), self.memory) or self._judged_at_end()
        self._show_cpus(range(len(self._pending)) if found else self._affected(cpu))
        self._facts()
        ipi = (
            tuple(t for t in operation.targets if t != cpu and operation.how == "ipi")
            if isinstance(operation, FlushTlb)
            else ()
        )
        if found is not None:
            said = [*said, ("bad.text", {"text": f"{title_of(found)}."})]
        self._writer.step(
            cpu, kind, label, said, operation=operation.text(), ipi=ipi, after=self._order.step(cpu, footprint),
            word=self.subject.word(cpu, operation, result) if self.subject.word else "",
        )  # fmt: skip
        if found is not None:
            self.happened = said_by(found, "happened") or str(found)
            self._report = report_json(self._writer.timeline(), found, cpu, operation, self._state.number)

    def _judged_at_end(self) -> Any:
        """What the program's own last check says, once nobody can step any more."""
        if self.runnable() or self._program.at_end is None:
            return None
        return self._program.at_end(self.memory)

    def _stands(self, cpu: int, pause: Pause) -> Any:
        """Note at which operation a CPU stands now; gives what it did wrong, or None."""
        self._pending[cpu] = pause.operation
        if pause.operation is not None:
            pause.operation.footprint(
                cpu
            )  # an operation may declare its cells when it is first asked for them
        self._grow()
        return pause.finding

    def _grow(self) -> None:
        # Cells may be declared while code runs; a memory vector is padded with their initial contents.
        self.memory.extend(self._program.cells.initial[len(self.memory) :])

    def play(self, choices: Iterable[int]) -> Recorder:
        """Take the steps of a schedule; stops where the run ends."""
        for cpu in choices:
            if self._report is not None:
                break
            self.step(cpu)
        return self

    # ---- showing ----

    def _affected(self, cpu: int) -> list[int]:
        # The CPU that stepped, and those whose readiness changed with it.
        changed = [
            other
            for other in range(len(self._pending))
            if other != cpu and self._was(other) != self.status(other)
        ]
        return [
            cpu,
            *changed,
            *(
                o
                for o in self._state.touched_cpus
                if o != cpu and o not in changed and o < len(self._pending)
            ),
        ]

    def _was(self, cpu: int) -> str:
        return str(self._writer.now[f"c{cpu}.state"] or "ready")

    def _show_cpus(self, cpus: Iterable[int]) -> None:
        for cpu in cpus:
            frames = frames_of(self._coroutines[cpu]) if self._pending[cpu] is not None else []
            operation = self._pending[cpu]
            status = self.status(cpu)
            blocked: dict[str, Json] | None = None
            if status == "blocked" and operation is not None:
                lock = (
                    operation.lock.name
                    if isinstance(operation, LockOperation)
                    else getattr(operation, "name", None)
                )
                blocked = (
                    {"lock": lock} if lock and self._state.knows_lock(lock) else {"text": operation.text()}
                )
            sources = [(self._writer.source(*source_of(frame.f_code)), frame.f_lineno) for frame in frames]
            if sources:
                self._outermost[cpu] = sources[0]
            elif cpu in self._outermost:
                sources = [self._outermost[cpu]]  # a CPU that has finished still shows what it ran
            self._writer.cpu(
                cpu,
                stack=sources,
                values=self._readers[cpu].read(frames),
                next=operation.text() if operation is not None else None,
                state=status,
                blocked=blocked,
                **self._state.cpu(cpu),
            )

    def _facts(self) -> None:
        for name, text in self._state.facts().items():
            self._writer.fact(name, text)
        if self.subject.facts is not None:
            for name, text in self.subject.facts(self.memory).items():
                self._writer.fact(name, text)

    def timeline(self, verdict: Mapping[str, Json] | None = None) -> Timeline:
        """The run so far."""
        return self._writer.timeline(self._report, verdict)

    def close(self) -> None:
        """Throw the coroutines away."""
        for coroutine in self._coroutines:
            if coroutine is not None:
                abandon(coroutine)


def record(
    subject: Subject,
    choices: Iterable[int],
    *,
    known: Timeline | None = None,
    verdict: Mapping[str, Json] | None = None,
) -> Timeline:
    """The timeline of one schedule; `known` keeps the numbers of sources and locks of an earlier run."""
    recorder = Recorder(subject, known=known).play(choices)
    try:
        return recorder.timeline(verdict)
    finally:
        recorder.close()
