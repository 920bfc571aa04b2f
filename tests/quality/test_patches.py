"""More walkers of engineers, with the verdict that the rules of each kernel ask for, decided before they were run."""

import pytest

import ptwalk

from . import patches_of_entries, patches_of_locks, patches_of_walks

PATCHES = {**vars(patches_of_locks), **vars(patches_of_entries), **vars(patches_of_walks)}

THEN, NOW = ("5.15.0", "5.15.85", "6.1"), ("6.14", "7.1")
SIX, ALL = ("6.6", *NOW), (*THEN, "6.6", *NOW)
BATCH = (*THEN, "6.6")  # x86 that frees tables after the flush IPI, not after a grace period

# walker, against, releases in which it is a bug; in all others it is safe
MONITORS = [
    ("descend", "munmap", ALL), ("descend", "retract", ALL), ("descend", "mremap-ptes", ALL),
    ("descend", "munmap-neighbour", ()), ("preempt_off", "munmap", BATCH),
    ("finds_the_same_vma_again", "munmap", ()), ("finds_the_same_vma_again", "munmap-half", ()),
    ("finds_some_vma_again", "munmap", BATCH), ("finds_some_vma_again", "munmap-everything", ()),
    ("keeps_the_pte_over_a_drop", "munmap", ()), ("keeps_the_pte_over_a_drop", "retract", ALL),
    ("vma_lock_or_mmap_lock", "munmap", ()), ("vma_lock_or_mmap_lock", "retract", ()),
    ("vma_lock_or_mmap_lock", "collapse-anon", ()), ("vma_lock_or_mmap_lock_alone", "munmap", BATCH),
    ("vma_lock_kept", "munmap", SIX), ("vma_lock_then_mmap_lock", "munmap", SIX),
    ("lock_kept_where_no_table_is", "munmap", ()), ("lock_kept_where_no_table_is", "retract", SIX),
    ("unlocks_in_finally", "munmap", ()), ("write_then_read", "munmap", ALL), ("unlocks_twice", "munmap", ALL),
    ("unlocks_the_other_mode", "munmap", ALL), ("rmap_lock_under_ptl", "munmap", ALL),
    ("pmd_lock_under_ptl", "munmap", ALL), ("ptl_twice", "munmap", ALL),
    ("pte_read_after_unlock", "munmap", ()), ("pte_read_after_unlock", "retract", SIX),
    ("pte_changed_after_unlock", "munmap", ALL), ("stores_by_an_old_pmd", "collapse-anon", ALL),
    ("two_loads_of_the_pmd", "fault", ()), ("two_loads_of_the_pmd", "fault-huge", ALL),
    ("tested_and_followed", "munmap", ()), ("tested_and_followed", "thp-split", ()),
    ("tested_and_followed", "retract", SIX), ("asks_the_hardware_bit", "thp-split", ALL),
    ("followed_and_used", "dontneed", ALL), ("followed_and_used", "collapse-anon", ALL),
    ("followed_and_pinned", "dontneed", ()), ("followed_and_pinned", "dontneed-reuse", ()),
    ("followed_and_pinned", "collapse-anon", ()), ("cmpxchg_loop", "user-access", ()),
    ("write_protects", "user-access", ()), ("write_protects_flush_after", "user-access", ()),
    ("write_protects_no_flush", "user-access", ALL), ("cleans_no_flush", "user-access", ALL),
    ("zaps", "user-access", ()), ("zaps", "munmap", ()), ("zaps", "dontneed", ()),
    ("zaps_no_flush", "user-access", ALL), ("rmap_lock_handed_over", "munmap", ()),
    ("rmap_lock_handed_over", "collapse-anon", ()), ("rmap_lock_handed_over", "mremap-table", ()),
    ("rmap_lock_handed_over", "retract", ()), ("rmap_lock_handed_over", "munmap-file", ()),
    ("rmap_lock_handed_over", "collapse-pte-mapped", ("5.15.0",)),
    ("rmap_lock_handed_over_peek", "munmap-file", ()), ("rmap_lock_handed_over_peek", "retract", SIX),
    ("rmap_lock_after_a_gap", "munmap", BATCH), ("peeks_in_pmd_entry", "munmap", ()),
    ("peeks_in_pmd_entry", "retract", SIX), ("drops_the_lock_and_stops", "munmap", ()),
    ("drops_the_lock_and_goes_on", "munmap", BATCH), ("descends_in_a_hole", "munmap", ALL),
    ("descends_in_a_hole", "munmap-last", ALL), ("walks_without_mmap_lock", "munmap", ALL),
    ("wants_the_lock_to_write", "munmap", SIX), ("novma_read_locked", "munmap", BATCH),
    ("novma_read_locked", "munmap-everything", ALL), ("novma_write_locked", "munmap", ()),
    ("novma_write_locked", "retract", ()), ("novma_stores", "munmap", ALL), ("gup_writes", "munmap", ALL),
]  # fmt: skip

# the same, in the CPU's own address space, on an architecture
OWN = [
    ("gup_fast", "x86-64", "munmap", ()), ("gup_fast", "x86-64", "collapse-anon", ()),
    ("gup_fast", "x86-64", "retract", ()), ("gup_fast", "arm64", "munmap", ()),
    ("gup_fast", "arm64", "collapse-anon", ()), ("gup_fast", "arm64", "dontneed-reuse", ()),
    ("gup_fast", "arm64", "retract", ("5.15.0",)), ("gup_irqs_on", "x86-64", "munmap", ALL),
    ("gup_irqs_on", "arm64", "munmap", ALL), ("gup_without_pmd", "x86-64", "collapse-anon", ()),
    ("gup_without_pmd", "arm64", "collapse-anon", ("5.15.0",)),
    ("gup_without_pte", "x86-64", "dontneed-reuse", ()), ("gup_without_pte", "arm64", "dontneed-reuse", ALL),
    ("gup_pinned_last", "arm64", "collapse-anon", ("5.15.0",)),
    ("gup_pinned_last", "arm64", "dontneed-reuse", ALL), ("gup_leaks", "x86-64", "dontneed", ALL),
    ("page_not_pinned", "x86-64", "dontneed", ALL), ("page_not_pinned", "arm64", "dontneed", ALL),
    ("gup_writes", "x86-64", "munmap", ALL),
]  # fmt: skip


@pytest.mark.parametrize(("walker", "against", "wrong_in"), MONITORS)
def test_a_monitors_walk(walker, against, wrong_in):
    """On every release preset, for a walk of another process's address space."""
    tried = {release: ptwalk.check_walker(PATCHES[walker], against, release).outcome for release in ALL}
    assert tried == {release: "bug" if release in wrong_in else "safe" for release in ALL}


@pytest.mark.parametrize(("walker", "arch", "against", "wrong_in"), OWN)
def test_a_walk_of_its_own(walker, arch, against, wrong_in):
    """On every release preset, in the CPU's own address space."""
    walk = PATCHES[walker]
    tried = {r: ptwalk.check_walker(walk, against, r, arch=arch, own=True).outcome for r in ALL}
    assert tried == {release: "bug" if release in wrong_in else "safe" for release in ALL}


@pytest.mark.parametrize("release", NOW)
@pytest.mark.parametrize("walker", ["vma_lock_or_mmap_lock", "rmap_lock_handed_over", "cmpxchg_loop"])
def test_reclaim_of_tables_is_survived(walker, release):
    """pte_offset_map_lock finds no table, and the walk copes."""
    assert ptwalk.check_walker(PATCHES[walker], "reclaim", release).outcome == "safe"


def test_waiting_by_spinning_is_told():
    """A loop around a trylock can go on for ever: no proof, and the line."""
    verdict = ptwalk.check_walker(patches_of_locks.spins_for_mmap_lock)
    assert verdict.outcome == "incomplete" and "loops at line" in verdict.limit


def test_on_a_kernel_without_preemption_the_page_table_lock_is_safe_by_accident():
    """Where RCU frees the tables a grace period waits for the walker (L1); after an IPI nobody does."""
    for release in ALL:
        verdict = ptwalk.check_walker(patches_of_locks.descend, "munmap", release, preemptible=False)
        assert verdict.outcome == ("bug" if release in BATCH else "safe")


def test_reports_tell_both_sides():
    """Who did what to the entry that led astray, and what is held when nobody can go on."""
    wild = ptwalk.check_walker(patches_of_walks.novma_read_locked, "munmap").report
    assert {step.cpu for step in wild.story} == {0, 1} and any(step.kind == "clear" for step in wild.story)
    stale = ptwalk.check_walker(patches_of_entries.write_protects_no_flush, "user-access").report
    assert {step.kind for step in stale.story} >= {"hardware", "rmw"}
    dead = ptwalk.check_walker(patches_of_locks.vma_lock_kept, "munmap", "6.6").report
    assert (
        dead.kind == "deadlock"
        and "patches_of_locks.py" in str(dead)
        and "replay: ptwalk replay" in str(dead)
    )
