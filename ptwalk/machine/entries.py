"""Page-table entries: pointers to them, and the only steps that touch them.

Storey 2 (machine).  One step is one load, one store or one atomic read-modify-write of one 64-bit word.
Each reads the life of the table it touches.  A store also looks at the table's place in the tree; a
store into an upper entry changes the place of the table it links or cuts off.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from typing import TYPE_CHECKING, Any, Protocol

from ptwalk.arch import Entry, EntryState, Level
from ptwalk.errors import PtwalkError
from ptwalk.machine.frames import LINKED, UNLINKED, Frame
from ptwalk.machine.operation import Footprint, Memory, Operation

if TYPE_CHECKING:
    from ptwalk.machine.machine import Machine


class Users(Protocol):
    """Who could still find his way to a table that is cut off: what observers ask, and the cells they ask it of."""

    cells: tuple[int, ...]

    def left(self, memory: Memory) -> str:
        """Names one of them, or gives "" if there is none."""


class EntryPointer:
    """What the kernel calls `pmd_t *`: the address of one entry.  Cheap, immutable, and stale at any time.

    Its methods make steps; nothing happens until they are awaited.  Values are decoded entries on the
    way out and raw 64-bit words (or decoded entries) on the way in.
    """

    __slots__ = ("frame", "index", "level", "machine", "cell", "loads")

    def __init__(self, frame: Frame, index: int, level: Level) -> None:
        self.frame = frame
        self.index = index
        self.level = level
        self.machine: Machine = frame.machine
        self.cell = frame.entry_cell(index)
        # What a load touches on each CPU: the CPU's own locks and interrupts are for the observers to see.
        self.loads: tuple[Footprint, ...] = tuple(
            ((frame.life, self.cell, cpu.held, cpu.irq), ()) for cpu in self.machine.cpus
        )

    def __repr__(self) -> str:
        return f"{self.level.name}[{self.index}] of {self.frame.name}"

    @property
    def pa(self) -> int:
        """Physical address of the entry itself."""
        return self.frame.pa + 8 * self.index

    def read(self) -> ReadEntry:
        """Loads the entry once; awaiting gives the decoded `Entry`.  It may be stale one step later."""
        return ReadEntry(self)

    def reread(self, chain: tuple[tuple[EntryPointer, Entry], ...], *, last: bool) -> RereadEntry:
        """Loads the entry again to see whether it still is what it was; see `RereadEntry`."""
        return RereadEntry(self, chain, last)

    def write(self, value: int | Entry, *, unlinks: Frame | None = None) -> StoreEntry:
        """Stores the word with a plain store, whatever was there: a change made in between is lost."""
        return StoreEntry(self, _raw(value), unlinks)

    def clear(self, *, unlinks: Frame | None = None, users: Users | None = None) -> StoreEntry:
        """Stores zero with a plain store; `users` tells observers who could still come to what it cuts off."""
        return ClearEntry(self, 0, unlinks, users)

    def get_and_clear(self, *, unlinks: Frame | None = None) -> ExchangeEntry:
        """Stores zero and gives the old `Entry`, in one atomic step (xchg)."""
        return ExchangeEntry(self, 0, unlinks)

    def xchg(self, value: int | Entry, *, unlinks: Frame | None = None) -> ExchangeEntry:
        """Stores the word and gives the old `Entry`, in one atomic step."""
        return ExchangeEntry(self, _raw(value), unlinks)

    def cmpxchg(self, old: int | Entry, new: int | Entry) -> CompareExchangeEntry:
        """Stores `new` if the entry still is `old`, in one atomic step; the result says whether it was."""
        return CompareExchangeEntry(self, _raw(old), _raw(new))

    def test_and_clear_young(self) -> UpdateEntry:
        """Clears the accessed bit and nothing else, in one atomic step; gives the old `Entry`."""
        return UpdateEntry(self, "mkold")

    def update(self, change: str) -> UpdateEntry:
        """One of the small changes of `CHANGES` as one atomic step; awaiting gives the old `Entry`."""
        return UpdateEntry(self, change)

    def lookup(self, entry: Entry, va: int) -> EntryPointer:
        """The entry for `va` in the table that `entry` points to: arithmetic only, no step."""
        return self.machine.table_entry(entry, va)


def _raw(value: int | Entry) -> int:
    return value if isinstance(value, int) else value.raw


class EntryOperation(Operation):
    """One step on one entry."""

    __slots__ = ("pointer",)

    def __init__(self, pointer: EntryPointer) -> None:
        self.pointer = pointer


class ReadEntry(EntryOperation):
    """One load of one entry."""

    __slots__ = ()
    kind = "read"

    def footprint(self, cpu: int) -> Footprint:
        return self.pointer.loads[cpu]

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        raw: int = memory[self.pointer.cell]
        return raw

    def __await__(self) -> Generator[Any, Any, Entry]:
        raw = yield from super().__await__()
        return self.pointer.machine.format.decode(raw, self.pointer.level)

    def text(self) -> str:
        return f"reads {self.pointer!r}"


class RereadEntry(EntryOperation):
    """The second look of a lockless walker: one load; awaiting says whether the entry is unchanged.

    `chain` holds all entries the walker's conclusion rests on, with the values it saw.  Only the walker's own entry is
    loaded; whether the whole chain held at that moment is noted in a cell that no code reads: at the `last` look
    an observer can tell whether the conclusion was true at any moment since the page was pinned.
    """

    __slots__ = ("chain", "last")
    kind = "reread"

    def __init__(
        self, pointer: EntryPointer, chain: tuple[tuple[EntryPointer, Entry], ...], last: bool
    ) -> None:
        self.pointer = pointer
        self.chain = chain
        self.last = last

    @property
    def expected(self) -> int:
        """The value this entry had when it was first loaded."""
        return next(entry.raw for pointer, entry in self.chain if pointer is self.pointer)

    def footprint(self, cpu: int) -> Footprint:
        claim = self.pointer.machine.cpus[cpu].claim
        reads, _ = self.pointer.loads[cpu]
        return (*reads, claim, *(pointer.cell for pointer, _ in self.chain)), (claim,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        claim = self.pointer.machine.cpus[cpu].claim
        if all(memory[pointer.cell] == entry.raw for pointer, entry in self.chain):
            memory[claim] = 1
        same = bool(memory[self.pointer.cell] == self.expected)
        if self.last or not same:
            memory[claim] = 0
        return same

    def __await__(self) -> Generator[Any, Any, bool]:
        same: bool = yield from super().__await__()
        return same

    def text(self) -> str:
        return f"reads {self.pointer!r} again"


class ChangeEntry(EntryOperation):
    """A step that stores into an entry, and keeps the books of which tables hang in the tree."""

    __slots__ = ("linked", "_children", "_reads", "_writes")

    def __init__(self, pointer: EntryPointer, new: int, may_cut: tuple[Frame, ...]) -> None:
        self.pointer = pointer
        frame = pointer.frame
        self._reads: tuple[int, ...]
        children = {table.pa: table for table in may_cut}
        linked = pointer.machine.child(new, pointer.level)
        if linked is not None:
            children[linked.pa] = linked
        self._children = children
        self.linked = linked
        places = [cell for table in children.values() for cell in (table.link, table.owner)]
        self._reads = (frame.life, frame.link, frame.owner, pointer.cell)
        if linked is not None:
            self._reads += (linked.life,)
        self._writes = (pointer.cell, *places)

    def footprint(self, cpu: int) -> Footprint:
        here = self.pointer.machine.cpus[cpu]
        return (*self._reads, here.held, here.irq), self._writes

    def store(self, memory: list[Any], cpu: int, new: int) -> int:
        """Stores `new`, marks the tables cut off and linked; gives the old word."""
        pointer = self.pointer
        old: int = memory[pointer.cell]
        memory[pointer.cell] = new
        if self._children and old != new:
            decode = pointer.machine.format.decode
            for raw, link, owner in ((old, UNLINKED, cpu + 1), (new, LINKED, 0)):
                entry = decode(raw, pointer.level)
                if entry.state is EntryState.TABLE and entry.address in self._children:
                    table = self._children[entry.address]
                    memory[table.link] = link
                    memory[table.owner] = owner
        return old


def _may_cut(pointer: EntryPointer, unlinks: Frame | None) -> tuple[Frame, ...]:
    """Which tables a store may cut off: known only when it happens, unless the code says so beforehand."""
    if pointer.level.name == "pte":
        return ()
    return (unlinks,) if unlinks is not None else pointer.machine.tables()


class StoreEntry(ChangeEntry):
    """A plain store."""

    __slots__ = ("new",)

    def __init__(self, pointer: EntryPointer, new: int, unlinks: Frame | None) -> None:
        super().__init__(pointer, new, _may_cut(pointer, unlinks))
        self.new = new

    kind = "write"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        self.store(memory, cpu, self.new)
        return None

    def text(self) -> str:
        if self.linked is not None:
            return f"points {self.pointer!r} at {self.linked.name}"
        marks = self.pointer.machine.format.decode(self.new, self.pointer.level).marks
        return f"writes {self.new:#x} ({marks}) into {self.pointer!r}"


class ClearEntry(StoreEntry):
    """A plain store of zero."""

    __slots__ = ("users",)
    kind = "clear"

    def __init__(self, pointer: EntryPointer, new: int, unlinks: Frame | None, users: Users | None) -> None:
        super().__init__(pointer, new, unlinks)
        self.users = users
        if users is not None:
            self._reads += users.cells

    def text(self) -> str:
        return f"clears {self.pointer!r}"


class ExchangeEntry(ChangeEntry):
    """An atomic exchange; awaiting gives the old entry."""

    __slots__ = ("new",)
    kind = "xchg"

    def __init__(self, pointer: EntryPointer, new: int, unlinks: Frame | None) -> None:
        super().__init__(pointer, new, _may_cut(pointer, unlinks))
        self.new = new

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        return self.store(memory, cpu, self.new)

    def __await__(self) -> Generator[Any, Any, Entry]:
        raw = yield from super().__await__()
        return self.pointer.machine.format.decode(raw, self.pointer.level)

    def text(self) -> str:
        what = "reads and clears" if not self.new else f"exchanges for {self.new:#x}"
        return f"{what} {self.pointer!r} atomically"


class CompareExchangeEntry(ChangeEntry):
    """An atomic compare-and-exchange; the result says whether the entry still held the old word."""

    __slots__ = ("old", "new")
    kind = "cmpxchg"

    def __init__(self, pointer: EntryPointer, old: int, new: int) -> None:
        child = pointer.machine.child(old, pointer.level)
        super().__init__(pointer, new, (child,) if child is not None else ())
        self.old = old
        self.new = new

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        if memory[self.pointer.cell] != self.old:
            return False
        self.store(memory, cpu, self.new)
        return True

    def text(self) -> str:
        return f"changes {self.pointer!r} from {self.old:#x} to {self.new:#x} if it is still that"


CHANGES = ("mkold", "mkyoung", "mkclean", "mkdirty", "wrprotect", "mkwrite")
"""The small changes of an entry that one atomic step can make; a format says which bits they are."""


class UpdateEntry(ChangeEntry):
    """An atomic read-modify-write by one of the format's small changes; awaiting gives the old entry."""

    __slots__ = ("change", "_apply")
    kind = "rmw"

    def __init__(self, pointer: EntryPointer, change: str) -> None:
        if change not in CHANGES:
            raise PtwalkError(f"there is no change {change!r} of an entry; there are {', '.join(CHANGES)}")
        super().__init__(pointer, 0, ())  # no small change links or cuts off a table
        self.change = change
        self._apply: Callable[[int, Level], int] = getattr(pointer.machine.format, change)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        old: int = memory[self.pointer.cell]
        memory[self.pointer.cell] = self._apply(old, self.pointer.level)
        return old

    def __await__(self) -> Generator[Any, Any, Entry]:
        raw = yield from super().__await__()
        return self.pointer.machine.format.decode(raw, self.pointer.level)

    def text(self) -> str:
        return f"{self.change} on {self.pointer!r}, atomically"
