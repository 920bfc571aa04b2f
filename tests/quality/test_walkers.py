"""Walkers as kernel engineers write them, with the verdict that the rules of each kernel ask for.

The verdicts were decided from the rules before the walkers were run.
"""

import pytest

import ptwalk
from ptwalk.actors import khugepaged, mremap
from ptwalk.kernel import lock_vma_under_rcu, mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock, vma_end_read

from .walkers import (
    a_null_not_handled,
    a_peek,
    a_peek_rcu,
    a_plain,
    a_pmd_not_tested,
    a_right,
    b_downgrade,
    b_peek,
    b_peek_vmaw,
    c_irq,
    c_irq_reenabled,
    c_irq_save_nested,
    check_then_lock,
    clear_bad,
    hole,
    huge_not_handled,
    ml_dropped_under_ptl,
    nested_try,
    rcu_only,
    read_twice,
    sees_frame,
    stale_vma,
    try_ignored,
    try_right,
    upper_then_ml,
    vma_above,
    vma_lock_dropped,
    vma_lock_peek,
    wrong_recheck,
)

THEN, NOW = ("5.15.0", "5.15.85", "6.1"), ("6.14", "7.1")
SIX, ALL = ("6.6", *NOW), (*THEN, "6.6", *NOW)

# walker, against, releases in which it is a bug; in all others it is safe
EXPECTED = [
    *(
        (a_right, changer, ())
        for changer in ("munmap", "retract", "collapse-anon", "thp-split", "user-access")
    ),
    (a_plain, "user-access", ALL),
    (a_plain, "munmap", ()),
    (a_peek, "retract", SIX),
    (a_peek, "collapse-pte-mapped", SIX),
    (a_peek, "munmap", ()),
    (a_peek_rcu, "retract", ()),
    (a_null_not_handled, "retract", SIX),
    (a_pmd_not_tested, "fault", THEN),
    (a_pmd_not_tested, "thp-split", THEN),
    (hole, "munmap", (*THEN, "6.6")),
    (hole, "munmap-everything", ALL),
    (hole, "munmap-stack", ("6.6",)),
    (stale_vma, "munmap", (*THEN, "6.6")),
    (vma_above, "munmap-last", (*THEN, "6.6")),
    (b_peek, "retract", SIX),
    (b_peek, "munmap", ()),
    (b_peek_vmaw, "retract", SIX),
    (b_downgrade, "munmap", ()),
    (c_irq, "munmap", (*THEN, "6.6")),
    (c_irq, "retract", ("5.15.0",)),
    (c_irq_reenabled, "munmap", ALL),
    (c_irq_save_nested, "munmap", ALL),
    (rcu_only, "munmap", (*THEN, "6.6")),
    (rcu_only, "retract", THEN),
    (wrong_recheck, "collapse-anon", ALL),
    (read_twice, "munmap", ALL),
    (read_twice, "fault", ()),
    (huge_not_handled, "thp-split", ALL),
    (clear_bad, "fault-huge", ALL),
    (vma_lock_peek, "retract", SIX),
    (vma_lock_peek, "munmap", ()),
    (vma_lock_dropped, "munmap", ("6.6",)),
    (vma_lock_dropped, "munmap-everything", SIX),
    (try_right, "munmap", ()),
    (try_ignored, "munmap", ALL),
    (nested_try, "retract", ()),
    (ml_dropped_under_ptl, "munmap", ()),
    (ml_dropped_under_ptl, "retract", THEN),
    (ml_dropped_under_ptl, "collapse-anon", ALL),
    (check_then_lock, "dontneed", ALL),
    (upper_then_ml, "munmap", ()),
    (upper_then_ml, "munmap-everything", ALL),
    (sees_frame, "dontneed", ALL),
]


@pytest.mark.parametrize(
    ("walker", "against", "wrong_in"), EXPECTED, ids=lambda value: getattr(value, "__name__", None)
)
def test_the_verdict_is_the_one_that_the_rules_ask_for(walker, against, wrong_in):
    """On every release preset, for a walk of another process's address space."""
    found = {release: ptwalk.check_walker(walker, against, release).outcome for release in ALL}
    assert found == {release: "bug" if release in wrong_in else "safe" for release in ALL}


@pytest.mark.parametrize("release", ALL)
@pytest.mark.parametrize("changer", ["munmap", "munmap-everything", "retract", "collapse-anon"])
def test_interrupts_off_in_ones_own_address_space(changer, release):
    """Rule (c) holds on x86; on arm64 a file collapse of 5.15.0 frees at once."""
    assert ptwalk.check_walker(c_irq, changer, release, own=True).outcome == "safe"
    wrong = changer == "retract" and release == "5.15.0"
    found = ptwalk.check_walker(c_irq, changer, release, own=True, arch="arm64")
    assert found.outcome == ("bug" if wrong else "safe")


@pytest.mark.parametrize(("actor", "against"), [(khugepaged, "collapse-anon"), (mremap, "mremap-table")])
def test_who_forgets_to_write_lock_the_vma_is_noticed(monkeypatch, actor, against):
    """A walker under the VMA's own lock that stores: safe, because the changer takes that lock; else not."""

    async def clears(mm, addr):
        vma = await lock_vma_under_rcu(mm, addr)
        if vma is not None:
            pmd = await mm_find_pmd(mm, addr)
            pte, ptl = (None, None) if pmd is None else await pte_offset_map_lock(mm, pmd, addr)
            if pte is not None:
                if (await pte.read()).linux_present:
                    await pte.test_and_clear_young()
                await pte_unmap_unlock(mm, ptl)
            await vma_end_read(vma)

    async def forgotten(vma):
        pass

    assert ptwalk.check_walker(clears, against, "6.6").outcome == "safe"
    monkeypatch.setattr(actor, "vma_start_write", forgotten)
    found = ptwalk.check_walker(clears, against, "6.6")
    assert found.outcome == "bug" and found.report.sanitizer == "detached"
