"""VMAs and the set of them.

Room: kernel.  A `Vma` is an immutable description; whether it is attached is said by the one cell that
holds the mm's set.  Splitting makes new descriptions.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.machine.operation import Footprint, Operation

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm
    from ptwalk.kernel.rmap import RmapTree
    from ptwalk.kernel.vma_lock import VmaLock


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
            from ptwalk.kernel.vma_lock import VmaLock

            self._lock = VmaLock(self)
        return self._lock

    @property
    def rmap_trees(self) -> tuple[RmapTree, ...]:
        """The reverse maps it is on: anonymous first, as free_pgtables takes it off."""
        return tuple(tree for tree in (self.anon_vma, self.file) if tree is not None)


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


async def vma_lookup(mm: Mm, addr: int) -> Vma | None:
    """The attached VMA that `addr` lies in, or None.

    *Locking*: as `find_vma`.
    *Source*: include/linux/mm.h vma_lookup, 5.14 and later.
    """
    vma = await FindVma(mm, addr)
    return vma if vma is not None and addr in vma else None
