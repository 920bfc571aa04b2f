"""What notebooks 05, 06 and 07 say beyond the scenarios' own expectations, asked of the model again."""

from itertools import product
from typing import Any

import pytest

from ptwalk.checks.lockless.who_waits import FREES, HOLDS, verdict_of
from ptwalk.kernel.vma import find_vma
from ptwalk.recordings import load
from ptwalk.trials import check_walker, explore, replay
from ptwalk.walk.damon import damon_ptep_mkold, damon_va_mkold
from ptwalk.walk.follow import follow_pte, unfollow


def test_v34_is_safe_on_one_kernel_of_eight() -> None:
    """05, part 5: only where tables are freed by RCU, nothing preempts, and there is memory for the list."""
    safe = [
        axes
        for axes in product(("batch", "rcu"), (True, False), (False, True))
        if explore(
            "munmap-vs-damon-v34", table_free=axes[0], preemptible=axes[1], batch_allocation_fails=axes[2]
        ).outcome
        == "safe"
    ]
    assert safe == [("rcu", False, False)]


async def half_way(mm: Any, addr: int) -> None:
    """Finds the entry under mmap_lock, and goes on with the page-table lock alone."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        found = await follow_pte(mm, addr) if vma is not None and addr in vma else None
    if found is not None:
        await damon_ptep_mkold(mm, found.entry)
        await unfollow(mm, found)


def test_the_page_table_lock_taken_in_time_stops_munmap_and_no_collapse() -> None:
    """05, part 8."""
    row = check_walker(half_way, against=("munmap", "collapse-anon"), release="5.15.0")
    assert [verdict.outcome for verdict in row.values()] == ["safe", "bug"]


def test_the_merged_walker_survives_every_munmap() -> None:
    """05, part 9; and what it does after a munmap that got as far as the free: it finds no VMA, and leaves."""
    munmaps = ("munmap", "munmap-neighbour", "munmap-last", "munmap-stack", "exit")
    assert check_walker(damon_va_mkold, against=munmaps, release="5.15.0").outcome == "safe"
    run = replay("munmap-vs-damon-merged", "1x28:free 0x3:up_read")
    assert [step.kind for step in run.steps[-4:]] == ["free", "down_read", "find_vma", "up_read"]


def test_the_recorded_collapse_looks_twice_and_allocates_without_the_lock() -> None:
    """06, part 1."""
    words = load("collapse_madv").words
    assert [at for at, word in enumerate(words, 1) if word == "vma:revalidate"] == [13, 19]
    assert words.index("mmap_lock:read_unlock") < words.index("hugepage:alloc")


def test_a_file_collapse_cuts_other_peoples_tables_and_takes_no_page_table_lock() -> None:
    """06, part 5: MADV_COLLAPSE cuts the caller's table, the daemon both; 6.1.176 holds no lock of a table."""
    mine = load("collapse_tmpfs_second").words
    assert [word for word in mine if "pmd[0]:clear" in word] == ["pmd[0]:clear(xchg)"]
    both = load("collapse_tmpfs_second_khugepaged").words
    assert [word for word in both if "pmd[0]:clear" in word] == ["B.pmd[0]:clear(xchg)", "pmd[0]:clear(xchg)"]
    before = mine[mine.index("mmap_lock:write_lock") : mine.index("pmd[0]:clear(xchg)")]
    assert not [word for word in before if word.startswith("ptl")]


def test_the_table_of_who_waits() -> None:
    """07.2: the sixteen cells, row by row."""
    rows = [
        "".join("y" if verdict_of(free, hold).outcome == "safe" else "-" for hold in HOLDS) for free in FREES
    ]
    assert rows == ["----", "---y", "-yyy", "---y"]


@pytest.mark.parametrize(("sync", "outcome"), [(False, "bug"), (True, "safe")])
def test_the_empty_interrupt_alone_mends_the_short_look(sync: bool, outcome: str) -> None:
    """07, part 6: 5.15.0 on arm64, the pte looked at again alone."""
    assert explore("collapse-anon-vs-gup-pte-only", collapse_sync=sync).outcome == outcome


def test_interrupts_off_let_munmap_come_as_far_as_the_flush() -> None:
    """07, part 2: zap and cut are done, and the flush waits."""
    run = replay("munmap-vs-gup", "0x4 1x99")
    kinds = [step.kind for step in run.steps if step.cpu == 1]
    assert "clear" in kinds and "free" not in kinds and kinds[-1] == "gather_finish"


def test_a_split_takes_the_parked_table_and_no_other() -> None:
    """06, part 2: between the cut and the return of the table nothing is allocated and nothing freed."""
    steps = replay("thp-split-vs-damon-merged", "1x15").steps
    assert [step.number for step in steps if step.kind == "withdraw"] == [11]
    assert steps[12].text.startswith("points pmd[2] of frame 3 at frame ")
    assert not {step.kind for step in steps} & {"alloc", "free", "call_rcu"}
