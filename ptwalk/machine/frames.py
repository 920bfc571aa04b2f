"""Physical page frames of the simulated machine, and their lifetimes.

Storey 2 (machine).  Knows cells and operations; knows nothing of Linux beyond the words for a table's life.

A frame's life is one cell, its place in the tree another: every access to a frame reads its life, so a
free conflicts with every access; only stores look at the place, so that unlinking a table does not
conflict with those who merely read it.

    life   free -> table or page -> freed -> reused          (with a generation that grows at each free)
    link   private -> linked -> unlinked;   deposited, withdrawn (private again), linked again
    owner  the CPU that holds a table off the tree: who allocated, unlinked or withdrew it
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ptwalk.errors import PtwalkError
from ptwalk.machine.operation import Footprint, Operation

if TYPE_CHECKING:
    from ptwalk.machine.entries import EntryPointer
    from ptwalk.machine.locks import SpinLock
    from ptwalk.machine.machine import Machine

# Values of a link cell.
PAGES = ("anon", "file", "huge")
LINKED, PRIVATE, UNLINKED, DEPOSITED = "linked", "private", "unlinked", "deposited"


class Life(NamedTuple):
    """What a frame is now: its state, its generation, and the kind of table or page it was given out as."""

    state: str  # "free", "table", "page", "freed", "reused", "wild"
    generation: int
    kind: str  # the level's name for a table; "anon", "file", "huge" for a page; "" if free


class Frame:
    """One page frame: an immutable name for its cells.  What happens to it is in the memory vector."""

    __slots__ = (
        "machine", "number", "pa", "name", "life", "link", "owner", "contents", "entry_cells", "huge", "maps",
        "_pointers", "_lock", "_folio",
    )  # fmt: skip

    def __init__(self, machine: Machine, number: int, pa: int, life: Life, link: str = LINKED) -> None:
        self.machine = machine
        self.number = number
        self.pa = pa
        self.huge = False
        self.maps = 0  # entries that map this page before the first step
        self.name = f"frame {number}" if number >= 0 else f"frame at {pa:#x}"
        self.life = machine.cells.add(f"{self.name}: life", life)
        self.link = machine.cells.add(f"{self.name}: link", link)
        self.owner = machine.cells.add(f"{self.name}: owner", 0, holds_cpu=True)
        self.contents: dict[int, int] = {}  # what the entries hold before the first step
        self.entry_cells: dict[int, int] = {}
        self._pointers: dict[tuple[int, str], EntryPointer] = {}
        self._lock: SpinLock | None = None
        self._folio: Folio | None = None

    def __repr__(self) -> str:
        return self.name

    def entry_cell(self, index: int) -> int:
        """The cell of entry `index`; entries that nobody touches have none and read as 0."""
        cell = self.entry_cells.get(index)
        if cell is None:
            cell = self.machine.cells.add(f"{self.name}[{index}]", self.contents.get(index, 0))
            self.entry_cells[index] = cell
        return cell

    def entry(self, index: int, level: str) -> EntryPointer:
        """The pointer to entry `index`, used as an entry of `level`."""
        key = (index, level)
        pointer = self._pointers.get(key)
        if pointer is None:
            from ptwalk.machine.entries import EntryPointer

            pointer = self._pointers[key] = EntryPointer(self, index, self.machine.format.level(level))
        return pointer

    @property
    def lock(self) -> SpinLock:
        """The split page-table lock, which lives in this frame's metadata and dies with it."""
        if self._lock is None:
            from ptwalk.machine.locks import SpinLock

            self._lock = SpinLock(self.machine, f"ptl of {self.name}", "ptl", self)
        return self._lock

    @property
    def folio(self) -> Folio:
        """Reference count, mapping count, dirty flag and page lock of a data page."""
        if self._folio is None:
            cached = self.life_in([]).kind == "file"
            self._folio = Folio(self, max(1, self.maps + cached), self.maps)
        return self._folio

    def life_in(self, memory: list[Any]) -> Life:
        """The frame's life in one memory vector."""
        known = memory if self.life < len(memory) else self.machine.cells.initial
        life: Any = known[self.life]
        return Life(*life)

    def state_in(self, memory: list[Any]) -> str:
        """One word for pictures: free, table, unlinked, deposited, freed, reused, page."""
        state = self.life_in(memory).state
        if state != "table":
            return state
        link = memory[self.link] if self.link < len(memory) else self.machine.cells.initial[self.link]
        return str(link) if link in (UNLINKED, DEPOSITED) else "table"


class Folio:
    """What Linux keeps for a data page: references, mappings, dirty and young flags, the page lock; and its data."""

    __slots__ = ("frame", "refs", "mapcount", "dirty", "young", "data", "lock")

    def __init__(self, frame: Frame, refs: int, mapcount: int) -> None:
        from ptwalk.machine.locks import PageLock

        add = frame.machine.cells.add
        self.frame = frame
        self.refs = add(f"{frame.name}: references", refs)
        self.mapcount = add(f"{frame.name}: mapcount", mapcount)
        self.dirty = add(f"{frame.name}: dirty", 0)
        self.young = add(f"{frame.name}: young", 0)
        self.data = add(f"{frame.name}: data", "as mapped")
        self.lock = PageLock(frame.machine, f"page lock of {frame.name}", "folio_lock", None)


class FrameOperation(Operation):
    """A step on a frame as a whole."""

    __slots__ = ("frame",)

    def __init__(self, frame: Frame) -> None:
        self.frame = frame


class AllocateFrame(Operation):
    """Takes a free frame of this CPU's own store, zeroed; awaiting gives the Frame.

    Each CPU has its own few free frames, as the kernel's per-CPU page lists do, so that two CPUs'
    allocations commute.  A frame that was freed is not given out again: see `ReuseFrame`.
    `level` is the name of a table's level, or "anon", "file" for a page.
    """

    __slots__ = ("machine", "level")
    kind = "alloc"

    def __init__(self, machine: Machine, level: str) -> None:
        self.machine = machine
        self.level = level

    def footprint(self, cpu: int) -> Footprint:
        store = self.machine.cpus[cpu].store
        cells = tuple(cell for frame in store for cell in (frame.life, frame.link, frame.owner))
        return cells, cells

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        for frame in self.machine.cpus[cpu].store:
            if memory[frame.life].state == "free" and frame.huge == (self.level == "huge"):
                state = "page" if self.level in PAGES else "table"
                memory[frame.life] = Life(state, 1, self.level)
                memory[frame.link] = PRIVATE
                memory[frame.owner] = cpu + 1
                return frame.number
        raise PtwalkError(
            f"CPU{cpu} has no free frame left: call machine.stock({cpu}) when building,"
            " or give the machine a larger store="
        )

    def __await__(self) -> Generator[Any, Any, Frame]:
        number = yield from super().__await__()
        return self.machine.frame(number)

    def text(self) -> str:
        return (
            f"allocates a page ({self.level})" if self.level in PAGES else f"allocates a {self.level} table"
        )


class FreeFrame(FrameOperation):
    """Gives the frame back to the page allocator: from now on anybody's data may be in it.

    Its footprint names all TLBs, so that an observer can see who still has the frame cached.
    """

    __slots__ = ("how",)
    kind = "free"

    def __init__(self, frame: Frame, how: str = "direct") -> None:
        self.frame = frame
        self.how = how

    def footprint(self, cpu: int) -> Footprint:
        frame = self.frame
        return (frame.life, frame.link, frame.lock.cell, *frame.machine.tlb_cells), (frame.life,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        life = memory[self.frame.life]
        memory[self.frame.life] = Life("freed", life.generation + 1, life.kind)
        return None

    def text(self) -> str:
        return f"frees {self.frame.name}" + (f" ({self.how})" if self.how != "direct" else "")


class ReuseFrame(FrameOperation):
    """The allocator gives the freed frame to somebody else, who fills it with `contents` (index: raw word)."""

    __slots__ = ("contents",)
    kind = "reuse"

    def __init__(self, frame: Frame, contents: Mapping[int, int]) -> None:
        self.frame = frame
        self.contents = dict(contents)

    def footprint(self, cpu: int) -> Footprint:
        life = self.frame.life
        return (life,), (life, *(self.frame.entry_cell(index) for index in self.contents))

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        life = memory[self.frame.life]
        if life.state != "freed":
            return False
        memory[self.frame.life] = Life("reused", life.generation, life.kind)
        for index, raw in self.contents.items():
            memory[self.frame.entry_cells[index]] = raw
        return True

    def text(self) -> str:
        return f"hands {self.frame.name} to another owner, who fills it with data"


async def free_frame(machine: Machine, frame: Frame, how: str = "direct") -> None:
    """Frees a frame; if the machine says so (`machine.reuse`), somebody else takes it at once."""
    await FreeFrame(frame, how)
    if machine.reuse is not None:
        await ReuseFrame(frame, machine.reuse)


class QueueTable(FrameOperation):
    """Runs the table's destructor and queues it in the mmu_gather: for Linux it is no page table any more."""

    __slots__ = ()
    kind = "queue_free"

    def footprint(self, cpu: int) -> Footprint:
        return (self.frame.life, self.frame.link), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        return None

    def text(self) -> str:
        return f"queues {self.frame.name} to be freed"
