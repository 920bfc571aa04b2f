"""The state of a machine as a picture shows it: frames, entries, locks, CPUs, read off the memory vector.

Storey 2 (machine).  Only what a step wrote is looked at again after it.  `PlainState` does the same for a
program without page tables: its cells are shown by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ptwalk.arch import Entry, EntryState
from ptwalk.machine.entries import EntryOperation
from ptwalk.machine.frames import PRIVATE, Frame
from ptwalk.machine.machine import Machine
from ptwalk.machine.operation import Operation
from ptwalk.machine.processor import DEPTH
from ptwalk.machine.program import Program
from ptwalk.machine.recorder_stack import LocalReader
from ptwalk.trace.recording import TimelineWriter
from ptwalk.trace.snapshot import Frame as FrameValue
from ptwalk.trace.snapshot import Held, Json, Slot, TlbEntry

_STATES = {
    "table": "live",
    "page": "live",
    "unlinked": "unlinked",
    "deposited": "deposited",
    "freed": "freed",
    "reused": "data",
}
_WILD = 9000  # numbers of frames that are no RAM: a picture needs some number for them


class MachineState:
    """Reads one memory vector of a machine."""

    def __init__(self, machine: Machine, memory: list[Any]) -> None:
        self._machine = machine
        self._memory = memory
        self._cells: dict[int, tuple[str, Any]] = {}
        self._known = 0
        self._wild: dict[int, Frame] = {}
        self._locks: set[str] = set()
        self.touched_cpus: tuple[int, ...] = ()
        self.marks = self._all_marks()

    def _all_marks(self) -> str:
        # The longest mark string of each kind of entry, in order, so that bits keep their columns.
        fmt = self._machine.format
        seen: list[str] = []
        for frame in self._machine.frames():
            for raw in frame.contents.values():
                for level in fmt.levels:
                    for mark in fmt.decode(raw, level).marks.split():
                        if mark not in seen:
                            seen.append(mark)
        tail = [mark for mark in ("PS", "NX") if mark in seen]
        return " ".join([*(mark for mark in seen if mark not in tail), *tail])

    def number(self, frame: Frame) -> int:
        """The number a picture uses for a frame."""
        if frame.number >= 0:
            return frame.number
        for number, known in self._wild.items():
            if known is frame:
                return number
        number = _WILD + len(self._wild)
        self._wild[number] = frame
        return number

    def generation(self, frame: Frame) -> int:
        """How often the frame was handed out so far."""
        return max(int(frame.life_in(self._memory).generation) - 1, 0)

    def frame_at(self, entry: Entry) -> Frame | None:
        """The frame an entry's address lies in."""
        if entry.address is None or entry.state in (EntryState.NONE, EntryState.SWAP, EntryState.MARKER):
            return None
        frame = self._machine._frames.get(entry.address & -self._machine.format.page_size)
        return (
            frame
            if frame is not None
            else (self._machine.table_frame(entry) if entry.state is EntryState.TABLE else None)
        )

    def held(self, cpu: int) -> tuple[str, ...]:
        """The locks a CPU holds now."""
        tokens: tuple[str, ...] = self._memory[self._machine.cpus[cpu].held]
        return tokens

    def knows_lock(self, name: str) -> bool:
        """Whether the picture shows a lock of that name."""
        return name in self._locks

    def loaded(self, reader: LocalReader, operation: Operation, result: Any) -> None:
        """Remember what a CPU loaded from which entry."""
        if isinstance(operation, EntryOperation) and isinstance(result, int) and not isinstance(result, bool):
            pointer = operation.pointer
            target = self.frame_at(self._machine.format.decode(result, pointer.level))
            reader.loaded(pointer, result, self.generation(target) if target is not None else 0)

    # ---- writing ----

    def everything(self, writer: TimelineWriter) -> None:
        """Put the whole state."""
        for frame in self._machine.frames():
            self._frame(writer, frame)
            # Only what the tables hold: which empty entries have cells depends on the runs before.
            for index in sorted(frame.contents):
                self._entry(writer, frame, index)
        self._held_locks(writer)

    def changed(self, writer: TimelineWriter, before: Sequence[Any], written: Iterable[int]) -> None:
        """Put what a step changed."""
        self._learn()
        frames: set[int] = set()
        cpus: list[int] = []
        locks = False
        for cell in written:
            if cell < len(before) and before[cell] == self._memory[cell]:
                continue
            what, about = self._cells.get(cell, ("", None))
            if what == "entry":
                self._entry(writer, *about)
            elif what == "frame":
                frames.add(self.number(about))
            elif what == "cpu":
                cpus.append(about)
            elif what == "held":
                locks = True
        for frame in (*self._machine.frames(), *self._wild.values()):
            if self.number(frame) in frames:
                self._frame(writer, frame)
        if locks:
            self._held_locks(writer)
        self.touched_cpus = tuple(cpus)

    def _learn(self) -> None:
        # Which cell is what; entries of tables get their cells when somebody first points at them.
        if self._known == len(self._machine.cells):
            return
        self._known = len(self._machine.cells)
        for frame in self._machine.frames():
            self._cells[frame.life] = self._cells[frame.link] = ("frame", frame)
            for index, cell in frame.entry_cells.items():
                self._cells[cell] = ("entry", (frame, index))
        for cpu in self._machine.cpus:
            self._cells[cpu.held] = ("held", cpu.index)
            for cell in (cpu.irq, cpu.rcu, cpu.tlb):
                if cell >= 0:
                    self._cells[cell] = ("cpu", cpu.index)

    def _frame(self, writer: TimelineWriter, frame: Frame) -> None:
        state = frame.state_in(self._memory)
        if state == "free":
            return
        life = frame.life_in(self._memory)
        levels = {level.name for level in self._machine.format.levels}
        table = life.kind in levels
        note = {"freed": "on the free list", "reused": "reused as data"}.get(state, "")
        if state == "table" and table and self._memory[frame.link] == PRIVATE:
            note = "not yet linked"
        lock = ""
        if table and life.kind in ("pte", "pmd"):
            lock = frame.lock.name
            if lock not in self._locks:
                self._locks.add(lock)
                writer.lock(lock, "ptl", "spin", self.number(frame))
                writer.put(Held(lock))
        size = self._machine.format.level("pmd").size if life.kind == "huge" else 0
        kind = "table" if table else "page"
        writer.put(
            FrameValue(
                self.number(frame),
                kind,
                life.kind if table else "",
                _STATES.get(state, "live"),
                note,
                self.generation(frame),
                lock,
                0,
                size,
            )
        )

    def _entry(self, writer: TimelineWriter, frame: Frame, index: int) -> None:
        life = frame.life_in(self._memory)
        fmt = self._machine.format
        cell = frame.entry_cells.get(index)
        raw = (
            frame.contents.get(index, 0) if cell is None or cell >= len(self._memory) else self._memory[cell]
        )
        number = self.number(frame)
        if life.kind not in {level.name for level in fmt.levels}:
            return
        if life.state == "reused":
            writer.put(Slot(number, index, raw=raw, word=f"{raw:#x}"))
            return
        entry = fmt.decode(raw, life.kind)
        target = self.frame_at(entry) if entry.linux_present or entry.state is EntryState.TABLE else None
        if target is None:
            word = "none" if entry.state is EntryState.NONE else entry.state.name.lower().replace("_", " ")
            writer.put(Slot(number, index, raw=raw or None, word=word))
            return
        leaf = entry.state is not EntryState.TABLE and life.kind != "pte"
        writer.put(Slot(number, index, self.number(target), entry.marks, raw, leaf=leaf))

    def _held_locks(self, writer: TimelineWriter) -> None:
        holders: dict[str, list[tuple[int, str]]] = {name: [] for name in self._locks}
        for cpu in self._machine.cpus:
            for token in self._memory[cpu.held]:
                lock = self._machine.held_locks[token]
                if lock.name not in self._locks:
                    self._locks.add(lock.name)
                    writer.lock(lock.name, lock.name, "rwsem" if lock.sleeps else "spin", lock.frame)
                mode = lock.mode if lock.sleeps and "page lock" not in lock.name else "held"
                holders.setdefault(lock.name, []).append((cpu.index, mode))
        for name, pairs in holders.items():
            writer.put(Held(name, tuple(pairs)))

    def cpu(self, cpu: int) -> dict[str, Any]:
        """Interrupts, RCU depth and TLB of a CPU."""
        here = self._machine.cpus[cpu]
        tlb: list[Json] = []
        if here.tlb >= 0:
            for cached in self._memory[here.tlb]:
                target = self.frame_at(self._machine.format.decode(cached.raw, cached.level))
                if target is not None and cached.level == "pte":
                    tlb.append(TlbEntry(cached.va, self.number(target), self._source(cached.va)).to_json())
        return {"irq": bool(self._memory[here.irq]), "rcu": int(self._memory[here.rcu] & DEPTH), "tlb": tlb}

    def _source(self, va: int) -> str:
        """The entry that maps a page now, as far as the tables lead."""
        fmt = self._machine.format
        for frame in self._machine.frames():
            if frame.life_in(self._memory).kind == "pte" and fmt.index(va, "pte") in frame.entry_cells:
                return f"{self.number(frame)}.{fmt.index(va, 'pte')}"
        return ""

    def facts(self) -> dict[str, str | None]:
        """A machine shows no plain cells."""
        return {}


class PlainState:
    """The cells of a program without page tables, by name."""

    touched_cpus: tuple[int, ...] = ()
    marks = ""

    def __init__(self, program: Program, memory: list[Any]) -> None:
        self._program = program
        self._memory = memory
        self._locks: set[str] = set()

    def number(self, frame: Any) -> int:
        """There are no frames."""
        return 0

    def generation(self, frame: Any) -> int:
        """There are no frames."""
        return 0

    def frame_at(self, entry: Any) -> Frame | None:
        """There are no frames."""
        return None

    def held(self, cpu: int) -> tuple[str, ...]:
        """No books are kept of who holds what."""
        return ()

    def knows_lock(self, name: str) -> bool:
        """Whether the picture shows a lock of that name."""
        return name in self._locks

    def loaded(self, reader: LocalReader, operation: Operation, result: Any) -> None:
        """Values are plain; nothing leads anywhere."""

    def everything(self, writer: TimelineWriter) -> None:
        """Put the locks."""
        for number, cell in enumerate(self._program.cells):
            if not cell.holds_cpu:
                continue
            self._locks.add(cell.name)
            writer.lock(cell.name, cell.name, "mutex")
            owner = self._memory[number]
            writer.put(Held(cell.name, ((owner - 1, "held"),) if isinstance(owner, int) and owner else ()))

    def changed(self, writer: TimelineWriter, before: Sequence[Any], written: Iterable[int]) -> None:
        """Put the locks again."""
        self.everything(writer)

    def cpu(self, cpu: int) -> dict[str, Any]:
        """Nothing is known of the CPU itself."""
        return {}

    def facts(self) -> dict[str, str | None]:
        """Every cell that is no lock, by name."""
        return {
            cell.name: str(self._memory[number])
            for number, cell in enumerate(self._program.cells)
            if not cell.holds_cpu
        }
