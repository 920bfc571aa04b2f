"""The machine: its cells, its CPUs, its frames.

Storey 2 (machine).  Building is the only time when anything but a step changes memory; afterwards a
`Machine` is a book of names, and what is true at any moment is in the memory vector alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ptwalk.arch import Entry, EntryState, Format, Level, format_named
from ptwalk.errors import MissingMemory
from ptwalk.machine.cells import Cells
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.frames import LINKED, PRIVATE, Frame, Life
from ptwalk.machine.locks import HeldLock
from ptwalk.machine.processor import Cpu

FIRST_FRAME = 0x100  # frame numbers start high enough that no physical address looks like an index
FIRST_HUGE = 0x8000_0000


class Machine:
    """A machine with so many CPUs and the page tables of one `Format`.

    `user` names the CPUs that run user code and therefore have a TLB that can be stale.
    `preemptible` says whether a grace period can end while a CPU is anywhere in kernel code.  `softirq` adds
    the context that runs RCU callbacks, as the last CPU.  `store` is the number of free frames of a CPU.
    """

    def __init__(
        self,
        format: Format | str = "x86-64-4level",
        cpus: int = 2,
        *,
        user: Sequence[int] = (),
        preemptible: bool = True,
        softirq: bool = False,
        store: int = 5,
    ) -> None:
        self.format = format_named(format) if isinstance(format, str) else format
        self.cells = Cells()
        self.preemptible = preemptible
        self.held_locks: dict[str, HeldLock] = {}
        self._frames: dict[int, Frame] = {}
        self._by_number: dict[int, Frame] = {}
        self._tables: tuple[Frame, ...] = ()
        total = cpus + softirq
        self.cpus = tuple(
            Cpu(self, index, user=index in user, preemptible=preemptible, softirq=index >= cpus)
            for index in range(total)
        )
        # What a new owner writes into a freed frame (index: word); None: freed frames are left alone.
        self.reuse: Mapping[int, int] | None = None
        self.callbacks = self.cells.add("RCU callbacks", ())
        self.tlb_cells = tuple(cpu.tlb for cpu in self.cpus if cpu.tlb >= 0)
        self._store = store
        self._next = 0
        self._next_huge = 0

    # ---- frames ----

    def new_frame(self, kind: str, state: str = "table", link: str = LINKED, *, huge: bool = False) -> Frame:
        """A frame for the initial state: a table of level `kind`, or a page of kind anon, file or huge."""
        huge = huge or kind == "huge"
        number = self._next
        self._next += 1
        pa = (FIRST_FRAME + number) << self.format.page_shift
        if huge:
            pa = FIRST_HUGE + self._next_huge * self.format.levels[-2].size
            self._next_huge += 1
        frame = Frame(self, number, pa, Life(state, 0 if state == "free" else 1, kind), link)
        frame.huge = huge
        self._frames[pa] = self._by_number[number] = frame
        if state == "table" or (state == "free" and not huge):
            self._tables = (*self._tables, frame)
        return frame

    def stock(self, cpu: int) -> None:
        """Gives a CPU its store of free frames; only CPUs that allocate need one."""
        if not self.cpus[cpu].store:
            small = [self.new_frame("", "free", PRIVATE) for _ in range(self._store)]
            self.cpus[cpu].store = (*small, self.new_frame("", "free", PRIVATE, huge=True))

    def frame(self, number: int) -> Frame:
        """The frame with that number."""
        return self._by_number[number]

    def frame_at(self, pa: int) -> Frame:
        """The frame at a physical address; an address where this machine has no RAM gives a `wild` frame."""
        frame = self._known(pa)
        if frame is None:
            pa &= -self.format.page_size
            frame = self._frames[pa] = Frame(self, -1, pa, Life("wild", 0, ""))
        return frame

    def _known(self, pa: int) -> Frame | None:
        # A huge page is one frame, whatever part of it an address names.
        if FIRST_HUGE <= pa < FIRST_HUGE + self._next_huge * self.format.levels[-2].size:
            pa &= -self.format.levels[-2].size
        return self._frames.get(pa & -self.format.page_size)

    def is_page(self, pa: int) -> bool:
        """Whether a physical address lies in a data page's frame (pfn_valid, online, on the LRU)."""
        frame = self._known(pa)
        return frame is not None and frame.life_in([]).state in ("page", "free")

    def frames(self) -> tuple[Frame, ...]:
        """All frames of the machine, in the order of their numbers."""
        return tuple(self._by_number.values())

    def tables(self) -> tuple[Frame, ...]:
        """All frames that are or may become page tables."""
        return self._tables

    def child(self, raw: int, level: Level) -> Frame | None:
        """The frame that a table entry points to, or None if the word is not a table entry at that level."""
        if not raw or level.name == "pte":
            return None
        entry = self.format.decode(raw, level)
        if entry.state is not EntryState.TABLE or entry.address is None:
            return None
        return self.frame_at(entry.address)

    def table_frame(self, entry: Entry) -> Frame:
        """The frame that an upper entry names when its bits are taken for a table pointer, table or not.

        An empty entry names physical page 0, as it does in C.
        """
        pa = entry.address if entry.state is EntryState.TABLE else None
        return self.frame_at(self.format.table_address(entry.raw) if pa is None else pa)

    def table_entry(self, entry: Entry, va: int) -> EntryPointer:
        """The pointer to the entry for `va` in the table that an upper entry names."""
        below = self.format.levels[entry.level.depth + 1]
        return self.table_frame(entry).entry(self.format.index(va, below), below.name)

    # ---- looking at memory from outside ----

    def memory_view(self, memory: Sequence[Any]) -> SimulatedMemory:
        """The tables in one memory vector, readable like the memory of a captured machine."""
        return SimulatedMemory(self, memory)


class SimulatedMemory:
    """The physical memory of one memory vector (satisfies `PhysicalMemory`)."""

    __slots__ = ("_machine", "_memory")

    def __init__(self, machine: Machine, memory: Sequence[Any]) -> None:
        self._machine = machine
        self._memory = memory

    def read_u64(self, pa: int) -> int:
        """The 64-bit word at `pa`; words that no step ever touches are 0."""
        frame = self._machine._frames.get(pa & -self._machine.format.page_size)
        if frame is None:
            raise MissingMemory(pa)
        index = (pa - frame.pa) // 8
        cell = frame.entry_cells.get(index)
        if cell is None or cell >= len(self._memory):
            return frame.contents.get(index, 0)
        raw: int = self._memory[cell]
        return raw

    def read(self, pa: int, length: int) -> bytes:
        """`length` bytes from `pa` on, little-endian words."""
        first = pa & ~7
        words = b"".join(self.read_u64(at).to_bytes(8, "little") for at in range(first, pa + length, 8))
        return words[pa - first : pa - first + length]
