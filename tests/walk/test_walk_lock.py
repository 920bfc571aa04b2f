"""The page walker of 6.5 and later asserts the lock that its `walk_lock` names; it never takes it by itself."""

from typing import Literal

import pytest

from ptwalk.kernel.mm import Mm
from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock, mmap_write_lock, mmap_write_unlock
from ptwalk.machine.entries import EntryPointer
from ptwalk.scenarios.changers import CHANGERS
from ptwalk.scenarios.pair import pair
from ptwalk.scenarios.walkers import Walk
from ptwalk.trace.verdict import Verdict
from ptwalk.trials.explore import explore
from ptwalk.walk.pagewalk import MmWalk, MmWalkOps, walk_page_range

WalkLock = Literal["read", "write", "write verify"]


async def look(pmd: EntryPointer, addr: int, end: int, walk: MmWalk) -> int:
    await pmd.read()
    return 0


def walking(held: str, wanted: WalkLock) -> Walk:
    """A walk that holds mmap_lock in one mode and says that it needs another."""

    async def walker(mm: Mm, addr: int) -> None:
        if held == "read":
            await mmap_read_lock(mm)
        elif held == "write":
            await mmap_write_lock(mm)
        await walk_page_range(
            mm, addr, addr + mm.format.page_size, MmWalkOps(pmd_entry=look, walk_lock=wanted)
        )
        if held == "read":
            await mmap_read_unlock(mm)
        elif held == "write":
            await mmap_write_unlock(mm)

    return walker


def verdict(held: str, wanted: WalkLock, release: str = "6.6") -> Verdict:
    return explore(pair("walk", walking(held, wanted), CHANGERS["dontneed"], release=release, source="test"))


@pytest.mark.parametrize(
    ("held", "wanted"), [("read", "read"), ("write", "read"), ("write", "write"), ("write", "write verify")]
)
def test_the_right_lock_is_silent(held: str, wanted: WalkLock) -> None:
    """mmap_lock in the mode asked for, or more."""
    assert verdict(held, wanted).outcome == "safe"


@pytest.mark.parametrize(
    ("held", "wanted", "instead"),
    [
        ("nothing", "read", "not at all"),
        ("read", "write", "only for reading"),
        ("nothing", "write", "not at all"),
    ],
)
def test_the_wrong_lock_is_told(held: str, wanted: WalkLock, instead: str) -> None:
    """Even where no race would show it: the assertion fails in every run."""
    report = verdict(held, wanted).report
    assert (report.sanitizer, report.title) == ("locks", "asserted lock not held")
    assert instead in report.happened


def test_older_kernels_do_not_ask() -> None:
    """Before 6.5 the caller is trusted to know which lock the walk needs."""
    assert verdict("read", "write", "6.1").outcome == "safe"
