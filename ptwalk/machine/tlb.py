"""Translation caches and the hardware that uses them: TLB fills, A and D bits, flushes.

Storey 2 (machine).  A CPU's cache is one cell: a sorted tuple of `(va, level, raw)`, where level "pte" or a
leaf pmd is a TLB entry with the rights it was filled with, and an upper table entry is what the
paging-structure cache remembers.  A hardware walk is several loads, and the access follows; a flush of that CPU
waits until the access under way is over: an IPI is taken between instructions, and a broadcast waits for accesses
that use the old translation.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

from ptwalk.arch import EntryState
from ptwalk.machine.operation import Footprint, Operation

if TYPE_CHECKING:
    from ptwalk.machine.entries import EntryPointer
    from ptwalk.machine.frames import Frame
    from ptwalk.machine.machine import Machine
    from ptwalk.machine.processor import Cpu


class Cached(NamedTuple):
    """One cached entry: the start of what it translates, its level, the word it was filled from."""

    va: int
    level: str
    raw: int


def cached(memory: list[Any], cpu: Cpu, va: int, level: str) -> Cached | None:
    """What the CPU has cached of that level for `va`."""
    for entry in memory[cpu.tlb]:
        if entry.va == va and entry.level == level:
            found: Cached = entry
            return found
    return None


def _with(entries: tuple[Cached, ...], new: Cached) -> tuple[Cached, ...]:
    return tuple(sorted([e for e in entries if (e.va, e.level) != (new.va, new.level)] + [new]))


class LookTlb(Operation):
    """Looks the address up in this CPU's caches: a leaf that allows the access, or where to start, or nothing."""

    __slots__ = ("machine", "va", "write")
    kind = "tlb_lookup"

    def __init__(self, machine: Machine, va: int, write: bool) -> None:
        self.machine = machine
        self.va = va
        self.write = write

    def footprint(self, cpu: int) -> Footprint:
        here = self.machine.cpus[cpu]
        return (here.tlb,), (here.walking,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        here, format = self.machine.cpus[cpu], self.machine.format
        memory[here.walking] = 1
        for level in reversed(format.levels):
            entry = cached(memory, here, self.va & -level.size, level.name)
            if entry is None:
                continue
            decoded = format.decode(entry.raw, level)
            if decoded.state is EntryState.TABLE or not self.write or decoded.dirty:
                return (level.name, entry.raw)
        return None

    def text(self) -> str:
        return f"looks {self.va:#x} up in its TLB"


class HardwareLoad(Operation):
    """The page walker loads one upper entry and remembers it in the paging-structure cache if it is a table.

    A walk that ends here (nothing mapped) is over with this step.  The result is the word.
    """

    __slots__ = ("pointer", "va")
    kind = "hardware"

    def __init__(self, pointer: EntryPointer, va: int) -> None:
        self.pointer = pointer
        self.va = va

    def footprint(self, cpu: int) -> Footprint:
        here, pointer = self.pointer.machine.cpus[cpu], self.pointer
        caches = (here.tlb, here.walking)
        return (pointer.frame.life, pointer.cell, *caches), caches

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        pointer, machine = self.pointer, self.pointer.machine
        here, level = machine.cpus[cpu], self.pointer.level
        raw: int = memory[pointer.cell]
        entry = machine.format.decode(raw, level)
        if entry.present and entry.state is EntryState.TABLE:
            memory[here.tlb] = _with(memory[here.tlb], Cached(self.va & -level.size, level.name, raw))
        elif not entry.present:
            memory[here.walking] = 0
        return raw

    def text(self) -> str:
        return f"walks through {self.pointer!r} in hardware"


class HardwareLeaf(HardwareLoad):
    """The end of a walk: one locked step sets A, and D for a write, in the leaf, and fills the TLB.

    If the leaf is gone or does not allow the access, nothing is set and all is over; else the access itself is
    still to come.  The result is the word after the step.
    """

    __slots__ = ("write",)

    def __init__(self, pointer: EntryPointer, va: int, write: bool) -> None:
        self.pointer = pointer
        self.va = va
        self.write = write

    def footprint(self, cpu: int) -> Footprint:
        reads, writes = super().footprint(cpu)
        return reads, (self.pointer.cell, *writes)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        pointer, machine = self.pointer, self.pointer.machine
        here, format, level = machine.cpus[cpu], machine.format, self.pointer.level
        raw: int = memory[pointer.cell]
        entry = format.decode(raw, level)
        if entry.present and entry.state is not EntryState.TABLE and (entry.writable or not self.write):
            raw = format.mkyoung(raw, level)
            if self.write:
                raw = format.mkdirty(raw, level)
            memory[pointer.cell] = raw
            memory[here.tlb] = _with(memory[here.tlb], Cached(self.va & -level.size, level.name, raw))
        else:
            memory[here.walking] = 0
        return raw

    def text(self) -> str:
        return f"reads {self.pointer!r} in hardware, setting A{' and D' if self.write else ''}"


class TouchPage(Operation):
    """The access itself, and its end: user code reads or writes the data page that the TLB names."""

    __slots__ = ("frame", "write")
    kind = "touch"

    def __init__(self, frame: Frame, write: bool) -> None:
        self.frame = frame
        self.write = write

    def footprint(self, cpu: int) -> Footprint:
        cells, walking = (self.frame.life, self.frame.folio.data), self.frame.machine.cpus[cpu].walking
        return cells, ((self.frame.folio.data, walking) if self.write else (walking,))

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.frame.machine.cpus[cpu].walking] = 0
        if self.write:
            memory[self.frame.folio.data] = f"written by CPU{cpu}"
            return None
        content: Hashable = memory[self.frame.folio.data]
        return content

    def text(self) -> str:
        return f"{'writes to' if self.write else 'reads from'} the page in {self.frame.name}"


class FlushTlb(Operation):
    """Drops a range of addresses from the caches of some CPUs.

    By IPI ("ipi"), one such step for each CPU: blocked until that CPU has interrupts on; the CPU that flushes
    serves itself at once.  By broadcast ("broadcast"), one step for all, which interrupts do not delay.
    Either waits for a hardware walk under way to finish.  `tables=False` keeps the paging-structure caches,
    as a last-level-only invalidation does.  `first` marks the first step of one flush.
    """

    __slots__ = ("machine", "targets", "start", "end", "how", "tables", "first")
    kind = "flush"

    def __init__(
        self,
        machine: Machine,
        targets: tuple[int, ...],
        start: int,
        end: int,
        how: str,
        *,
        tables: bool = True,
        first: bool = True,
    ) -> None:
        self.machine = machine
        self.targets = targets
        self.start = start
        self.end = end
        self.how = how
        self.tables = tables
        self.first = first

    def footprint(self, cpu: int) -> Footprint:
        targets = [self.machine.cpus[target] for target in self.targets]
        caches = tuple(target.tlb for target in targets if target.tlb >= 0)
        waits = tuple(target.walking for target in targets if target.walking >= 0)
        irqs = tuple(target.irq for target in targets) if self.how == "ipi" else ()
        return (*irqs, *waits, *caches), caches

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        for target in self.targets:
            if target == cpu:
                continue
            other = self.machine.cpus[target]
            if self.how == "ipi" and not memory[other.irq]:
                return False
            if other.walking >= 0 and memory[other.walking]:
                return False
        return True

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        for target in self.targets:
            cell = self.machine.cpus[target].tlb
            if cell >= 0 and memory[cell]:
                memory[cell] = tuple(entry for entry in memory[cell] if not self._drops(entry))
        return None

    def _drops(self, entry: Cached) -> bool:
        if not self.tables and entry.level != "pte":
            return False
        # A cached upper entry covers more than its own start: compare ranges.
        size = self.machine.format.level(entry.level).size
        return entry.va < self.end and self.start < entry.va + size

    def text(self) -> str:
        who = "every CPU" if self.how == "broadcast" else f"CPU{self.targets[0]}"
        what = "the whole address space" if self.end >= 1 << 64 else f"{self.start:#x}-{self.end:#x}"
        return f"flushes {what} from the TLB of {who} ({self.how})"
