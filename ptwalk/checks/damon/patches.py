"""Six patches of a neighbour, each a function that clears the accessed bit of the page at an address.

One is fine.  Each of the others breaks one rule, and `RED` says which races show it.  The learner reads their text.
"""

from __future__ import annotations

import inspect
import textwrap
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ptwalk.kernel import (
    find_vma,
    is_table,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_unlock,
    mmap_write_lock,
    mmap_write_unlock,
    offset_lockless,
    pte_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
    spin_lock,
    spin_unlock,
)

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm

Walk = Callable[[Any, int], Awaitable[Any]]


async def mkold_early_look(mm: Mm, addr: int) -> None:
    """Clears the accessed bit of the page at addr."""
    vma = await find_vma(mm, addr)
    if vma is None or addr not in vma:
        return
    await mmap_read_lock(mm)
    pmd = await mm_find_pmd(mm, addr)
    if pmd is not None and is_table(await pmd.read()):
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is not None and ptl is not None:
            if (await pte.read()).linux_present:
                await pte.test_and_clear_young()
            await pte_unmap_unlock(mm, ptl)
    await mmap_read_unlock(mm)


async def mkold_all_ranges(mm: Mm, addr: int) -> None:
    """Clears the accessed bit of the page at addr."""
    await mmap_read_lock(mm)
    pmd = await mm_find_pmd(mm, addr)
    if pmd is not None and is_table(await pmd.read()):
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is not None and ptl is not None:
            if (await pte.read()).linux_present:
                await pte.test_and_clear_young()
            await pte_unmap_unlock(mm, ptl)
    await mmap_read_unlock(mm)


async def mkold_cheap_store(mm: Mm, addr: int) -> None:
    """Clears the accessed bit of the page at addr."""
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
    if pmd is not None and is_table(await pmd.read()):
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is not None and ptl is not None:
            entry = await pte.read()
            if entry.linux_present and entry.accessed:
                await pte.write(mm.format.mkold(entry.raw, "pte"))
            await pte_unmap_unlock(mm, ptl)
    await mmap_read_unlock(mm)


async def mkold_tidy(mm: Mm, addr: int) -> None:
    """Clears the accessed bit of the page at addr."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
        if pmd is None or not is_table(await pmd.read()):
            return
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None or ptl is None:
            return
        if (await pte.read()).linux_present:
            await pte.test_and_clear_young()
        await pte_unmap_unlock(mm, ptl)


async def mkold_short_hold(mm: Mm, addr: int) -> None:
    """Clears the accessed bit of the page at addr."""
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
    entry = await pmd.read() if pmd is not None else None
    await mmap_read_unlock(mm)
    if pmd is None or entry is None or not is_table(entry):
        return
    pte, ptl = offset_lockless(pmd, entry, addr), pte_lockptr(mm, pmd, entry)
    await spin_lock(ptl)
    if (await pte.read()).linux_present:
        await pte.test_and_clear_young()
    await spin_unlock(ptl)


async def mkold_strong_lock(mm: Mm, addr: int) -> None:
    """Clears the accessed bit of the page at addr."""
    await mmap_write_lock(mm)
    pmd = await mm_find_pmd(mm, addr)
    entry = await pmd.read() if pmd is not None else None
    if pmd is not None and entry is not None and is_table(entry):
        pte, ptl = offset_lockless(pmd, entry, addr), pte_lockptr(mm, pmd, entry)
        await spin_lock(ptl)
        if (await pte.read()).linux_present:
            await pte.test_and_clear_young()
        await spin_unlock(ptl)
    await mmap_write_unlock(mm)


@dataclass(frozen=True)
class Kind:
    """One of the six: `rules` are those that a review may name, `against` the races that go red."""

    walker: Walk
    release: str
    rules: tuple[str, ...]
    against: tuple[str, ...]
    says: str


KINDS = (
    Kind(
        mkold_all_ranges,
        "6.1",
        ("a", "b"),
        ("munmap", "munmap-last", "munmap-everything"),
        "covers every range",
    ),
    Kind(mkold_cheap_store, "6.1", ("hardware",), ("user-access",), "saves an atomic step"),
    Kind(mkold_tidy, "7.1", (), (), "makes it shorter"),
    Kind(
        mkold_short_hold,
        "6.1",
        ("a",),
        ("munmap", "munmap-everything", "collapse-anon", "retract", "mremap-ptes", "mremap-table"),
        "keeps mmap_lock for a shorter time",
    ),
    Kind(mkold_strong_lock, "7.1", ("vanish",), ("retract", "reclaim"), "uses the strongest lock there is"),
    Kind(mkold_early_look, "6.1", ("a",), ("munmap", "munmap-everything"), "keeps find_vma out of the lock"),
)


@dataclass(frozen=True)
class Patch:
    """A patch to review: `id` names it, `walker` is the new code, `release` the kernel it is for."""

    seed: int
    id: str
    kind: Kind

    @property
    def walker(self) -> Walk:
        """The function, to be tried."""
        return self.kind.walker

    @property
    def release(self) -> str:
        """The kernel that the patch is for."""
        return self.kind.release

    def __repr__(self) -> str:
        """The patch as it comes by mail."""
        code = textwrap.indent(inspect.getsource(self.walker).rstrip(), "+")
        says = f"monitor: clear the accessed bit; {self.kind.says}"
        return f"Patch {self.id}, for kernel {self.release}   (seed {self.seed})\n\n    {says}\n\n{code}"


def draw(seed: int) -> Patch:
    """The patch of a seed; neighbours in number get different ones."""
    return Patch(seed, f"{zlib.crc32(f'patch {seed}'.encode()):08x}", KINDS[(seed - 1) % len(KINDS)])
