"""What the page walker tells its callbacks, run alone on one CPU."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ptwalk.explore import explore
from ptwalk.kernel.kernel import Kernel
from ptwalk.kernel.rmap import address_space
from ptwalk.walk.pagewalk import (
    MmWalk,
    MmWalkOps,
    walk_page_mapping,
    walk_page_range,
    walk_page_range_novma,
    walk_page_vma,
)

BASE = 0x12_4000_0000
SPAN = 1 << 21


def alone(kernel: Kernel, code: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Runs the code on one CPU; fails if anything is wrong with it."""
    verdict = explore(kernel.program("walk", [kernel.cpu("walk", code)]))
    assert verdict.outcome == "safe", verdict.text()
    assert verdict.executions == 1


class Log:
    """Callbacks that write down what they were told."""

    def __init__(self) -> None:
        self.lines: list[tuple[Any, ...]] = []

    def told(self, *lines: tuple[Any, ...]) -> bool:
        """Whether it was told just this, in each run: the explorer runs code again to see that it does the same."""
        return self.lines == list(lines) * (len(self.lines) // len(lines)) and bool(self.lines)

    async def pmd(self, slot: Any, addr: int, end: int, walk: MmWalk) -> int:
        self.lines.append(("pmd", addr, end))
        return 0

    async def pte(self, slot: Any, addr: int, end: int, walk: MmWalk) -> int:
        entry = await slot.read()
        self.lines.append(("pte", addr, entry.linux_present))
        return 0

    async def hole(self, addr: int, end: int, depth: int, walk: MmWalk) -> int:
        self.lines.append(("hole", addr, end, depth))
        return 0

    async def hugetlb(self, slot: Any, addr: int, end: int, walk: MmWalk) -> int:
        self.lines.append(("hugetlb", addr, slot.level.name))
        return 0


def test_ranges_holes_and_ptes() -> None:
    """A hole before the VMA has depth -1; a part of the VMA without a table is a hole at the pmd."""
    kernel = Kernel("6.1", cpus=1)
    mm = kernel.new_mm()
    mm.map(BASE, BASE + 2 * SPAN, populate=[BASE + 0x3000])
    log = Log()

    async def code() -> None:
        ops = MmWalkOps(pte_entry=log.pte, pte_hole=log.hole)
        assert await walk_page_range(mm, BASE - 0x1000, BASE + 2 * SPAN, ops) == 0

    alone(kernel, code)
    assert log.told(
        ("hole", BASE - 0x1000, BASE, -1),
        ("pte", BASE + 0x3000, True),
        ("hole", BASE + SPAN, BASE + 2 * SPAN, 3),
    )


@pytest.mark.parametrize("release", ["5.15.0", "6.1"])
def test_a_hole_is_gone_into_by_5_15_0_only(release: str) -> None:
    """5.15.0 reads real tables where no VMA is, and tells of the hole from there."""
    kernel = Kernel(release, cpus=1)
    mm = kernel.new_mm()
    mm.map(BASE, BASE + SPAN, populate=[BASE])
    log = Log()

    async def code() -> None:
        await walk_page_range(
            mm, BASE + SPAN, BASE + 2 * SPAN, MmWalkOps(pmd_entry=log.pmd, pte_hole=log.hole)
        )

    alone(kernel, code)
    depth = log.lines[0][3]
    assert depth == (2 if release == "5.15.0" else -1)


def test_test_walk_and_pfnmap_skip() -> None:
    """`test_walk` decides; without it a VM_PFNMAP VMA is told as a hole."""
    kernel = Kernel("6.1", cpus=1)
    mm = kernel.new_mm()
    plain = mm.map(BASE, BASE + SPAN, populate=[BASE])
    device = mm.map(BASE + SPAN, BASE + 2 * SPAN, populate=[BASE + SPAN], flags=["VM_PFNMAP"])
    log = Log()

    async def skip(addr: int, end: int, walk: MmWalk) -> int:
        return 1

    async def code() -> None:
        await walk_page_vma(plain, MmWalkOps(pmd_entry=log.pmd, test_walk=skip))
        await walk_page_vma(device, MmWalkOps(pmd_entry=log.pmd, pte_hole=log.hole))

    alone(kernel, code)
    assert log.told(("hole", BASE + SPAN, BASE + 2 * SPAN, -1))


def test_pte_entry_splits_huge_pages() -> None:
    """Who asks for ptes gets them: the huge page is split first."""
    kernel = Kernel("6.1", cpus=1)
    mm = kernel.new_mm()
    vma = mm.map(BASE, BASE + SPAN, populate=[BASE], huge=True)
    mm.watch(BASE + 0x4000)
    log = Log()

    async def code() -> None:
        await walk_page_vma(vma, MmWalkOps(pte_entry=log.pte))

    alone(kernel, code)
    assert log.told(("pte", BASE, True), ("pte", BASE + 0x4000, True))


def test_a_callback_stops_or_repeats_the_walk() -> None:
    """A value above 0 comes back to the caller; "again" calls the same entry once more."""
    kernel = Kernel("6.1", cpus=1)
    mm = kernel.new_mm()
    mm.map(BASE, BASE + 2 * SPAN, populate=[BASE, BASE + SPAN])
    results: list[Any] = []

    async def code() -> None:
        calls = 0

        async def pmd_entry(slot: Any, addr: int, end: int, walk: MmWalk) -> int:
            nonlocal calls
            calls += 1
            if calls == 1:
                walk.action = "again"
                return 0
            return 7

        results.append(await walk_page_range(mm, BASE, BASE + 2 * SPAN, MmWalkOps(pmd_entry=pmd_entry)))
        results.append(calls)

    alone(kernel, code)
    assert results[:2] == [7, 2]


def test_hugetlb_mapping_and_novma_walks() -> None:
    """A hugetlb VMA has its own callback; a file's walk meets each mapping; a novma walk asks no VMA."""
    kernel = Kernel("6.1", cpus=1)
    mm = kernel.new_mm()
    file = address_space(kernel.machine, "file")
    mm.map(BASE, BASE + SPAN, populate=[BASE], huge=True, flags=["VM_HUGETLB"])
    mm.map(BASE + SPAN, BASE + 2 * SPAN, populate=[BASE + SPAN], file=file)
    log = Log()

    async def code() -> None:
        await walk_page_range(mm, BASE, BASE + SPAN, MmWalkOps(hugetlb_entry=log.hugetlb))
        async with file.rwsem.read():
            await walk_page_mapping(file, 0, 0x1000, MmWalkOps(pte_entry=log.pte))
        async with mm.mmap_lock.write():
            await walk_page_range_novma(mm, BASE + SPAN, BASE + 2 * SPAN, MmWalkOps(pte_entry=log.pte))

    alone(kernel, code)
    assert log.told(("hugetlb", BASE, "pmd"), ("pte", BASE + SPAN, True), ("pte", BASE + SPAN, True))
