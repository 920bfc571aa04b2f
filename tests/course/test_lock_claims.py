"""What notebooks 02 to 04 say in their text and no cell shows: each claim is held against the model or a recording."""

import itertools
from typing import Any

import pytest

import ptwalk
from ptwalk.checks.changes import marks, tail
from ptwalk.checks.locks import gap, rwsem
from ptwalk.recordings.recording import load
from ptwalk.walk.follow import follow_pte, unfollow


def order(*names: str) -> Any:
    """A tail of munmap that calls these helpers."""

    async def hand_made(k: Any) -> None:
        for name in names:
            await getattr(k, name)()

    return hand_made


RIGHT = ("zap", "clear_pmd", "flush", "quiesce", "free_page", "free_table")


def test_five_orders_of_the_tail_are_right() -> None:
    """Of 720 orders of six helpers five hurt nobody: pte first, then the cut, and no memory before its last user."""
    good = []
    for names in itertools.permutations(RIGHT[2:]):
        hurt = any(
            ptwalk.explore(tail.unmapping(order("zap", "clear_pmd", *names), other, arch=arch)).outcome
            == "bug"
            for other, arch, _ in tail.RACES
        )
        if not hurt:
            good.append(names)
    assert len(good) == 5 and all(names.index("flush") < names.index("free_page") for names in good)
    assert all(names.index("quiesce") < names.index("free_table") for names in good)


@pytest.mark.parametrize(("arch", "outcome"), [("x86-64", "safe"), ("arm64", "bug")])
def test_a_flush_by_ipi_waits_for_gup_fast_and_a_broadcast_does_not(arch: str, outcome: str) -> None:
    """Without any other waiting."""
    hasty = order("zap", "clear_pmd", "flush", "free_page", "free_table")
    assert ptwalk.explore(tail.unmapping(hasty, "gup", arch=arch)).outcome == outcome


def test_an_access_under_way_holds_up_the_flush() -> None:
    """A right tail never finds a write to the page that comes after the free."""
    for other in ("touch", "touch_twice"):
        assert ptwalk.explore(tail.unmapping(order(*RIGHT), other)).outcome == "safe"


def test_two_downgraded_holders_exclude_each_other() -> None:
    """Each of them had to hold the lock for writing first."""
    assert ("downgraded", "downgraded") not in rwsem.reachable()
    assert ("R", "downgraded") in rwsem.reachable()


def test_the_gap_is_there_and_not_below_a_stack() -> None:
    """One switch is enough; with a stack above no execution reaches it, until munmap always downgrades (6.5)."""
    verdict = ptwalk.explore(gap.READER)
    assert verdict.outcome == "bug" and verdict.switches == 1
    assert ptwalk.explore(gap.BELOW_STACK).outcome == "safe"
    assert ptwalk.explore(gap.BELOW_STACK, release="6.6").outcome == "bug"


def test_the_pmd_is_cut_with_the_mmap_lock_for_reading_only() -> None:
    """In the recorded munmap no page-table lock is held at the cut, and the rmap lock was taken and dropped before."""
    words = load("munmap_tables").words
    before = words[: words.index("pmd[0]:clear")]
    locks = [word for word in before if word.startswith("ptl")]
    assert sum(word.endswith(":lock") for word in locks) == sum(word.endswith(":unlock") for word in locks)
    assert (
        before.index("mmap_lock:downgrade")
        < before.index("anon_vma:write_lock")
        < before.index("anon_vma:write_unlock")
    )


def test_the_table_is_allocated_outside_of_its_lock_and_the_pmd_read_again_inside() -> None:
    """The recorded fault: look, allocate, lock, look again, link."""
    words = load("fault_pte_table").words
    story = ("pmd[0]:read", "pte-table:alloc", "ptl(pmd-table):lock", "pmd[0]:read", "pmd[0]:set_table")
    first = words.index("pmd[0]:read")
    assert words[first : first + 5] == story


def test_books_and_machine_agree_on_a_and_d() -> None:
    """The exercise's rules of a TLB, held against the simulated machine for many scripts."""
    for seed in range(1, 40):
        script = marks.draw(seed)
        assert marks.books(script.lines) == [seen for seen, _ in marks.played(script.lines)]


def test_only_exit_frees_the_root() -> None:
    """The pgd table is freed by the recorded exit, and by no recorded munmap."""
    assert "pgd-table:free(direct)" in load("exit").words
    for name in ("munmap_tables", "munmap_alone", "munmap_thp", "munmap_shared_table"):
        assert not [word for word in load(name).words if word.startswith("pgd-table") and ":free" in word]


def test_dontneed_frees_an_empty_table_from_6_14_on() -> None:
    """In the recorded 6.1 it does not; the simulated 6.14 cuts the table off and hands it to RCU."""
    assert not [word for word in load("dontneed").words if "-table" in word and ":free" in word]
    kinds = [step.kind for step in ptwalk.replay("reclaim-vs-fault", "1x26 2x3").steps]
    assert kinds.index("clear") < kinds.index("call_rcu") < kinds.index("free")


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("munmap-vs-gup", "safe"),  # reads tables that may be unlinked
        ("collapse-anon-vs-damon-v34", "bug"),  # stores into one
        ("fault-vs-fault", "safe"),
        ("munmap-vs-nested-gather", "bug"),
        ("munmap-vs-nested-gather-fixed", "safe"),
        ("munmap-vs-gup-rcu", "safe"),
        ("munmap-vs-rcu-walk", "bug"),
        ("munmap-vs-rcu-walk-rcu", "safe"),
    ],
)
def test_who_is_hurt_and_who_is_waited_for(name: str, outcome: str) -> None:
    """Two faults, two gathers, and the four pairs of a reader without locks and a way to free."""
    assert ptwalk.explore(name).outcome == outcome


def test_one_lock_for_all_tables_does_not_save_v34() -> None:
    """The lock stays; the table does not."""
    report: Any = ptwalk.explore("munmap-vs-damon-v34", split_ptlocks=False).report
    assert report.title == "page-table use-after-free"


async def by_follow(mm: Any, addr: int) -> None:
    """follow_pte on ordinary memory under the read lock."""
    async with mm.mmap_lock.read():
        followed = await follow_pte(mm, addr)
        if followed is not None:
            await followed.entry.read()
            await unfollow(mm, followed)


def test_the_read_lock_does_not_save_a_walk_without_a_vma() -> None:
    """follow_pte's way breaks against munmap, and holds where munmap does not downgrade."""
    assert ptwalk.check_walker(by_follow, "munmap", "5.15.0").outcome == "bug"
    assert ptwalk.check_walker(by_follow, "munmap-stack", "5.15.0").outcome == "safe"


def test_mincore_and_pagemap_have_the_same_shape() -> None:
    """Step by step, as recorded; over a hole no table's lock is taken."""
    assert load("mincore").words == load("pagemap").words
    hole = load("pagemap_hole").words
    assert not [word for word in hole[: hole.index("mmap_lock:read_unlock")] if word.startswith("ptl")]
