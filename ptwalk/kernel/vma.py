"""VMAs, the set of them, and the per-VMA lock.

Room: kernel.  A `Vma` is an immutable description; whether it is attached is said by the one cell that
holds the mm's set.  Splitting makes new descriptions.

The per-VMA lock (6.4 and later): a reader counts itself in and fails if the VMA's sequence number equals
the mm's, which means "write-locked until the mmap lock is dropped or downgraded".
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.machine.locks import HeldLock
from ptwalk.machine.operation import Footprint, Operation, Violation

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.kernel.rmap import RmapTree


class Vma:
    """One virtual memory area: [start, end) of an mm, its reverse maps, its flags."""

    __slots__ = ("mm", "start", "end", "anon_vma", "file", "pgoff", "flags", "rmap_key", "_lock")

    def __init__(
        self,
        mm: Mm,
        start: int,
        end: int,
        anon_vma: RmapTree | None,
        file: RmapTree | None,
        pgoff: int,
        flags: frozenset[str],
    ) -> None:
        self.mm = mm
        self.start = start
        self.end = end
        self.anon_vma = anon_vma
        self.file = file
        self.pgoff = pgoff  # offset of `start` in the file, in bytes
        self.flags = flags
        self.rmap_key = (mm.name, start, end)
        self._lock: VmaLock | None = None

    def __repr__(self) -> str:
        return f"VMA {self.start:#x}-{self.end:#x}"

    def __contains__(self, addr: int) -> bool:
        return self.start <= addr < self.end

    @property
    def key(self) -> tuple[int, int]:
        """How the mm's set names it."""
        return (self.start, self.end)

    @property
    def lock(self) -> VmaLock:
        """The per-VMA lock."""
        if self._lock is None:
            self._lock = VmaLock(self)
        return self._lock

    @property
    def rmap_trees(self) -> tuple[RmapTree, ...]:
        """The reverse maps it is on: anonymous first, as free_pgtables takes it off."""
        return tuple(tree for tree in (self.anon_vma, self.file) if tree is not None)


class VmaLock:
    """Cells of the per-VMA lock: one reader cell for each CPU, and the sequence number of its last writer."""

    __slots__ = ("vma", "name", "readers", "seq")

    def __init__(self, vma: Vma) -> None:
        machine = vma.mm.machine
        self.vma = vma
        self.name = f"lock of {vma} of {vma.mm.name}"
        add = machine.cells.add
        self.seq = add(f"{self.name}: sequence", -1)
        self.readers = tuple(
            add(f"{self.name}: reader CPU{cpu.index}", 0, cpu=cpu.index, role=f"{self.name}: reader")
            for cpu in machine.cpus
        )
        machine.held_locks[f"{self.name}:read"] = HeldLock(self.name, "vma_lock", "read", True, None)


class MmOperation(Operation):
    """A step on the mm's own cells."""

    __slots__ = ("mm",)

    def __init__(self, mm: Mm) -> None:
        self.mm = mm


class FindVma(MmOperation):
    """find_vma(): the first attached VMA that ends above `addr`, or None; it may start above `addr`."""

    __slots__ = ("addr",)
    kind = "find_vma"

    def __init__(self, mm: Mm, addr: int) -> None:
        self.mm = mm
        self.addr = addr

    def footprint(self, cpu: int) -> Footprint:
        return (self.mm.vma_set,), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        for key in memory[self.mm.vma_set]:
            if self.addr < key[1]:
                found: Hashable = key
                return found
        return None

    def __await__(self) -> Generator[Any, Any, Vma | None]:
        key = yield from super().__await__()
        return None if key is None else self.mm.vma(key)

    def text(self) -> str:
        return f"looks up the VMA at or above {self.addr:#x}"


class ChangeVmas(MmOperation):
    """Takes VMAs out of the mm's set and puts others in, in one step."""

    __slots__ = ("out", "into")
    kind = "vma_set"

    def __init__(self, mm: Mm, out: tuple[Vma, ...], into: tuple[Vma, ...] = ()) -> None:
        self.mm = mm
        self.out = out
        self.into = into

    def footprint(self, cpu: int) -> Footprint:
        return (self.mm.vma_set,), (self.mm.vma_set,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        out = {vma.key for vma in self.out}
        kept = [key for key in memory[self.mm.vma_set] if key not in out]
        memory[self.mm.vma_set] = tuple(sorted(kept + [vma.key for vma in self.into]))
        return None

    def text(self) -> str:
        if not self.into:
            return f"detaches {', '.join(map(repr, self.out))}"
        if not self.out:
            return f"inserts {', '.join(map(repr, self.into))}"
        return f"replaces {', '.join(map(repr, self.out))} by {', '.join(map(repr, self.into))}"


class DetachVmas(ChangeVmas):
    """Takes VMAs out of the set: from here on find_vma cannot give them."""

    __slots__ = ()
    kind = "detach"


class Neighbours(MmOperation):
    """Which attached VMAs lie just below and above a range; awaiting gives the two, either may be None."""

    __slots__ = ("start", "end")
    kind = "neighbours"

    def __init__(self, mm: Mm, start: int, end: int) -> None:
        self.mm = mm
        self.start = start
        self.end = end

    def footprint(self, cpu: int) -> Footprint:
        return (self.mm.vma_set,), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        below = above = None
        for key in memory[self.mm.vma_set]:
            if key[1] <= self.start:
                below = key
            elif key[0] >= self.end and above is None:
                above = key
        return (below, above)

    def __await__(self) -> Generator[Any, Any, tuple[Vma | None, Vma | None]]:
        below, above = yield from super().__await__()
        return (
            None if below is None else self.mm.vma(below),
            None if above is None else self.mm.vma(above),
        )

    def text(self) -> str:
        return f"looks which VMAs lie next to {self.start:#x}-{self.end:#x}"


class VmasIn(MmOperation):
    """All attached VMAs that intersect [start, end), in order; awaiting gives a tuple."""

    __slots__ = ("start", "end")
    kind = "vmas_in"

    def __init__(self, mm: Mm, start: int, end: int) -> None:
        self.mm = mm
        self.start = start
        self.end = end

    def footprint(self, cpu: int) -> Footprint:
        return (self.mm.vma_set,), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        return tuple(key for key in memory[self.mm.vma_set] if key[0] < self.end and self.start < key[1])

    def __await__(self) -> Generator[Any, Any, tuple[Vma, ...]]:
        keys = yield from super().__await__()
        return tuple(self.mm.vma(key) for key in keys)

    def text(self) -> str:
        return f"looks up the VMAs in {self.start:#x}-{self.end:#x}"


def find_vma(mm: Mm, addr: int) -> FindVma:
    """The first attached VMA with end > addr, or None.

    *Locking*: mmap_lock, read or write; the VMA is yours only while you hold it.
    *May see*: a VMA that starts above `addr`: test `addr in vma`.
    *Source*: mm/mmap.c find_vma, 5.15.
    """
    return FindVma(mm, addr)


# ---- the per-VMA lock ----


class VmaStartRead(Operation):
    """Counts this CPU in as a reader, unless the VMA is write-locked or detached; the result says whether."""

    __slots__ = ("vma",)
    kind = "vma_start_read"

    def __init__(self, vma: Vma) -> None:
        self.vma = vma

    def footprint(self, cpu: int) -> Footprint:
        vma, mm = self.vma, self.vma.mm
        own = (vma.lock.readers[cpu], mm.machine.cpus[cpu].held)
        return (vma.lock.seq, mm.lock_seq, mm.vma_set, *own), own

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        vma, mm = self.vma, self.vma.mm
        if memory[vma.lock.seq] == memory[mm.lock_seq] or vma.key not in memory[mm.vma_set]:
            return False
        memory[vma.lock.readers[cpu]] += 1
        held = mm.machine.cpus[cpu].held
        memory[held] = (*memory[held], f"{vma.lock.name}:read")
        return True

    def text(self) -> str:
        return f"tries to read-lock {self.vma}"


class VmaEndRead(Operation):
    """Counts this CPU out."""

    __slots__ = ("vma",)
    kind = "vma_end_read"

    def __init__(self, vma: Vma) -> None:
        self.vma = vma

    def footprint(self, cpu: int) -> Footprint:
        own = (self.vma.lock.readers[cpu], self.vma.mm.machine.cpus[cpu].held)
        return own, own

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        held, token = self.vma.mm.machine.cpus[cpu].held, f"{self.vma.lock.name}:read"
        if token not in memory[held]:
            raise Violation(f"CPU{cpu} drops the {self.vma.lock.name}, which it does not hold")
        memory[held] = tuple(t for t in memory[held] if t != token)
        memory[self.vma.lock.readers[cpu]] -= 1
        return None

    def text(self) -> str:
        return f"read-unlocks {self.vma}"


class VmaStartWrite(Operation):
    """Marks the VMA write-locked; blocked until no reader is inside."""

    __slots__ = ("vma",)
    kind = "vma_start_write"

    def __init__(self, vma: Vma) -> None:
        self.vma = vma

    def footprint(self, cpu: int) -> Footprint:
        vma = self.vma
        return (vma.mm.lock_seq, vma.lock.seq, *vma.lock.readers), (vma.lock.seq,)

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        return not any(memory[reader] for reader in self.vma.lock.readers)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.vma.lock.seq] = memory[self.vma.mm.lock_seq]
        return None

    def text(self) -> str:
        return f"write-locks {self.vma}"


class VmaEndWriteAll(MmOperation):
    """Ends all VMA write locks of the mm by moving its sequence number on."""

    __slots__ = ()
    kind = "vma_end_write_all"

    def footprint(self, cpu: int) -> Footprint:
        return (self.mm.lock_seq,), (self.mm.lock_seq,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.mm.lock_seq] += 1
        return None

    def text(self) -> str:
        return f"ends all VMA write locks of {self.mm.name}"


async def lock_vma_under_rcu(mm: Mm, addr: int) -> Vma | None:
    """Read-locks the VMA at `addr` without the mmap lock; None means: take the mmap lock instead.

    *Locking*: none before; the VMA's lock for reading after success, until `vma_end_read`.
    *May see*: a VMA being detached or write-locked: then it gives up.
    *Source*: mm/memory.c lock_vma_under_rcu, 6.4.6.
    """
    from ptwalk.machine.processor import rcu_read_lock, rcu_read_unlock

    await rcu_read_lock(mm.machine)
    vma = await FindVma(mm, addr)
    if vma is not None and (addr not in vma or not await VmaStartRead(vma)):
        vma = None
    await rcu_read_unlock(mm.machine)
    return vma


def vma_end_read(vma: Vma) -> Operation:
    """Drops the VMA's read lock."""
    return VmaEndRead(vma)


async def vma_start_write(vma: Vma) -> None:
    """Write-locks the VMA until the mmap lock is dropped or downgraded; nothing on kernels without VMA locks.

    *Locking*: mmap_lock for writing.
    *Source*: include/linux/mm.h vma_start_write, 6.4.6.
    """
    if vma.mm.kernel.config.vma_locks:
        await VmaStartWrite(vma)
