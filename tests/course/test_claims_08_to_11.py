"""What the text of notebooks 08 to 11 claims, held against the model."""

from functools import partial
from typing import Any

import pytest

import ptwalk
from ptwalk.checks.capstone import unseen
from ptwalk.checks.capstone.records import race
from ptwalk.checks.matrix.twelve import KERNELS, MINE, REMOVERS, word
from ptwalk.kernel import (
    find_vma,
    is_table,
    mm_find_pmd,
    offset_lockless,
    pte_lockptr,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_unlock,
)
from ptwalk.recordings import load
from ptwalk.walk import damon

SIX = ("munmap", "munmap-last", "collapse-anon", "mremap-table", "exit", "user-access")


@pytest.mark.parametrize(
    ("name", "release", "outcome"),
    [
        ("munmap-vs-pagemap-hole", "5.15.0", "bug"),
        ("munmap-vs-pagemap-hole", "5.15.85", "safe"),
        ("munmap-small-vs-pagemap-hole", "5.15.0", "safe"),
        ("munmap-vs-ptdump", "5.15.0", "bug"),
        ("munmap-vs-ptdump", "5.15.85", "safe"),
        ("retract-vs-kept-pmd", "5.15.0", "bug"),
        ("munmap-vs-mlw-walker", "6.6", "safe"),
        ("retract-vs-mlw-walker", "5.15.0", "safe"),
        ("retract-vs-mlw-walker", "6.6", "bug"),
        ("exit-vs-mm-count-only", "7.1", "bug"),
        ("munmap-stack-vs-ignoring-vmas", "6.1", "safe"),
        ("munmap-stack-vs-ignoring-vmas", "6.6", "bug"),
        ("fault-thp-vs-double-load", "7.1", "bug"),
        ("refault-pud-vs-numa-maps", "6.1", "bug"),
        ("refault-pud-vs-numa-maps", "7.1", "safe"),
    ],
)
def test_outcomes(name: str, release: str, outcome: str) -> None:
    """Each race that the text tells of ends as it says."""
    assert ptwalk.explore(name, release=release).outcome == outcome


@pytest.mark.parametrize(
    ("walker", "red"),
    [
        (damon.damon_va_mkold_v34, set(SIX) - {"exit"}),
        (damon.damon_va_mkold_write_locked, {"user-access"}),
        (damon.damon_va_mkold_write_locked_lookup, {"collapse-anon", "mremap-table", "user-access"}),
        (damon.damon_va_mkold, {"user-access"}),
        (damon.damon_va_mkold_atomic, set()),
    ],
    ids=["T1", "T2a", "T2b", "T3", "T4"],
)  # fmt: skip
def test_rows_of_the_tries(walker: Any, red: set[str]) -> None:
    """Notebook 09: which of the six cells are bugs, try by try, on 5.15.0."""
    tried = ptwalk.check_walker(walker, against=SIX, release="5.15.0")
    assert {name for name, verdict in tried.items() if verdict.outcome == "bug"} == red


def test_every_cell_has_a_word() -> None:
    """Notebook 10: no cell that a learner may be asked ends in anything but the four words."""
    words = {word((walker, remover, kernel)) for walker in MINE for remover in REMOVERS for kernel in KERNELS}
    assert words == {"safe", "use-after-free", "lost update", "impossible"}


def test_recorded_rows() -> None:
    """6.1.176 as recorded: exit reads, then writes; khugepaged revalidates twice; retract takes the other's lock."""
    leaves = [word for word in load("exit").words if word.startswith("mmap_lock")]
    assert leaves[-3:] == ["mmap_lock:read_unlock", "mmap_lock:write_lock", "mmap_lock:write_unlock"]
    assert load("collapse_madv").words.count("vma:revalidate") == 2
    words = load("collapse_tmpfs_second_khugepaged").words
    cut = words.index("B.pmd[0]:clear(xchg)")
    assert words.index("B.mmap_lock:write_lock") < cut < words.index("B.pte-table[0]:free(direct)")
    assert any(
        word.startswith("table_sync") for word in words[cut : words.index("B.pte-table[0]:free(direct)")]
    )


async def by_rule_a(mm: Any, addr: int) -> None:
    """The walker of notebook 10's first cell."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            pmd = await mm_find_pmd(mm, addr)
            entry = await pmd.read() if pmd is not None else None
            if entry is not None and is_table(entry):
                await offset_lockless(pmd, entry, addr).read()


@pytest.mark.parametrize(
    ("release", "red"),
    [
        ("5.15.0", set()),
        ("6.1", set()),
        ("6.6", {"retract", "collapse-pte-mapped"}),
        ("6.14", {"retract", "collapse-pte-mapped", "reclaim"}),
    ],
)
def test_a_proof_has_a_date(release: str, red: set[str]) -> None:
    """Notebook 10: the same walker by rule (a), kernel by kernel."""
    tried = ptwalk.check_walker(by_rule_a, against="all", release=release)
    assert {name for name, verdict in tried.items() if verdict.outcome == "bug"} == red


def test_four_of_fifteen_cells_are_bugs() -> None:
    """Notebook 10, part 1."""
    walkers = ["ptl-only", "read-peek", "read-hole", "write-peek", "irqs-off"]
    then = ptwalk.matrix(walkers, ["munmap", "collapse-anon", "retract"], "5.15.0")
    red = {(cell.walker, cell.changer) for cell in then if cell.outcome == "bug"}
    assert red == {("ptl-only", name) for name in ("munmap", "collapse-anon", "retract")} | {
        ("read-hole", "munmap")
    }


async def through_the_door(mm: Any, addr: int, rcu: bool = True, look_again: bool = True) -> None:
    """The door of notebook 10, with steps that can be left out, and without a VMA."""
    async with mm.mmap_lock.read():
        pmd = await mm_find_pmd(mm, addr)
        if rcu:
            await rcu_read_lock(mm.machine)
        seen = await pmd.read()
        if is_table(seen):
            ptl = pte_lockptr(mm, pmd, seen)
            await spin_lock(ptl)
            if not look_again or (await pmd.read()).raw == seen.raw:
                await offset_lockless(pmd, seen, addr).test_and_clear_young()
            await spin_unlock(ptl)
        if rcu:
            await rcu_read_unlock(mm.machine)


@pytest.mark.parametrize(
    ("left_out", "against", "oracle"),
    [
        ({}, "retract", ""),
        ({"rcu": False}, "retract", "lifetime"),
        ({"look_again": False}, "retract", "detached"),
        ({}, "munmap", "detached"),
    ],
)
def test_what_each_step_of_the_door_is_for(left_out: dict[str, bool], against: str, oracle: str) -> None:
    """Notebook 10, parts 6 and 7, on 7.1: RCU for lifetime, the look for truth; neither replaces the VMA."""
    verdict = ptwalk.check_walker(partial(through_the_door, **left_out), against=against, release="7.1")
    assert getattr(verdict.report, "sanitizer", "") == oracle


def test_the_unseen_walkers_are_what_the_capstone_says() -> None:
    """Notebook 11: A by release, B by release, and C with two CPUs and with three."""
    for walker, release, outcome in (
        (unseen.collect_then_clear, "5.15.0", "safe"),
        (unseen.collect_then_clear, "6.14", "bug"),
        (unseen.page_finder, "7.1", "safe"),
        (unseen.page_finder, "5.15.0", "bug"),
    ):
        tried = ptwalk.check_walker(walker, against="all", release=release)
        found = {verdict.outcome for verdict in tried.values()}
        assert ("bug" if "bug" in found else "safe") == outcome, (walker.__name__, release)
    assert ptwalk.explore(race(unseen.skip_the_empty, cpus=("walker", "dontneed"))).outcome == "safe"
    assert ptwalk.explore(race(unseen.skip_the_empty)).outcome == "bug"
