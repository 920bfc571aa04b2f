"""A learner's walker, written with the names of `ptwalk.kernel`, step by step down the levels."""

from typing import Any

import pytest

import ptwalk.kernel as kernel
from ptwalk.actors.munmap import munmap
from ptwalk.kernel import (
    find_vma,
    is_table,
    p4d_offset,
    pgd_offset,
    pmd_offset,
    pte_offset_map_lock,
    pte_unmap_unlock,
    pud_offset,
)


async def walker(mm: Any, addr: int) -> Any:
    """Each level by its own function, as the C code has it; the folded ones cost no step."""
    pgd = pgd_offset(mm, addr)
    p4d = await p4d_offset(pgd, addr)
    pud = await pud_offset(p4d, addr)
    pmd = await pmd_offset(pud, addr)
    if not is_table(await pmd.read()):
        return None
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None or ptl is None:
        return None
    entry = await pte.read()
    await pte_unmap_unlock(mm, ptl)
    return entry


@pytest.mark.parametrize(
    "format", ["x86-64-4level", "x86-64-5level", "arm64-4k-39", "arm64-4k-48", "arm64-16k-47"]
)
@pytest.mark.parametrize("locked", [True, False])
def test_own_walker(race: Any, format: str, locked: bool) -> None:
    """With the mmap lock and the VMA it is safe, on every format; without them the bug is found."""
    seen: list[Any] = []

    async def walk(race: Any) -> None:
        if not locked:
            await walker(race.mm, race.addr)
            return
        async with race.mm.mmap_lock.read():
            vma = await find_vma(race.mm, race.addr)
            if vma is not None and race.addr in vma:
                seen.append(await walker(race.mm, race.addr))

    setup = race("6.1", format)
    found = setup.run(walk, lambda race: munmap(race.mm, race.start, race.end))
    assert found.outcome == ("safe" if locked else "bug")
    if locked:
        assert setup.page.pa in {entry.address for entry in seen}


def test_the_public_names_exist() -> None:
    """`__all__` is sorted and complete."""
    assert list(kernel.__all__) == sorted(kernel.__all__)
    assert all(hasattr(kernel, name) for name in kernel.__all__)
