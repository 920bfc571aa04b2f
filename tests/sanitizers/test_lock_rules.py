"""Lock order, sleeping while atomic, and what is left over."""

import pytest

from ptwalk.kernel import (
    cond_resched,
    irqs_off,
    local_irq_disable,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_trylock,
    mmap_read_unlock,
    pmd_lock,
    pmd_lockptr,
    preempt_disable,
    preempt_enable,
    pte_offset_map_lock,
    pte_unmap_unlock,
    rcu_read,
    rcu_read_lock,
    spin_unlock,
    synchronize_rcu,
)
from ptwalk.machine.locks import folio_lock, folio_unlock
from ptwalk.machine.rwsem import down_read, up_read
from ptwalk.sanitizers import LockRules
from ptwalk.scenarios.ground import Ground


async def pmd_inside_pte(ground: Ground) -> None:
    """Takes the PMD table's lock with a pte table's lock held."""
    mm = ground.mm
    pmd = await mm_find_pmd(mm, ground.addr)
    _, ptl = await pte_offset_map_lock(mm, pmd, ground.addr)
    pml = await pmd_lock(mm, pmd)
    await spin_unlock(pml)
    await pte_unmap_unlock(mm, ptl)


async def pte_inside_pmd(ground: Ground) -> None:
    """The right way round."""
    mm = ground.mm
    pmd = await mm_find_pmd(mm, ground.addr)
    pml = await pmd_lock(mm, pmd)
    _, ptl = await pte_offset_map_lock(mm, pmd, ground.addr)
    await pte_unmap_unlock(mm, ptl)
    await spin_unlock(pml)


async def mmap_inside_rmap(ground: Ground) -> None:
    """Takes mmap_lock with the anon_vma's lock held."""
    rwsem = ground.vma.anon_vma.rwsem
    await down_read(rwsem)
    await mmap_read_lock(ground.mm)
    await mmap_read_unlock(ground.mm)
    await up_read(rwsem)


async def mmap_tried_inside_rmap(ground: Ground) -> None:
    """Only tries to, as khugepaged does: nobody waits, so no order is broken."""
    rwsem = ground.vma.anon_vma.rwsem
    await down_read(rwsem)
    if await mmap_read_trylock(ground.mm):
        await mmap_read_unlock(ground.mm)
    await up_read(rwsem)


async def sleeps_under_a_spinlock(ground: Ground) -> None:
    """Takes a sleeping lock with a spinlock held."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    pml = await pmd_lock(ground.mm, pmd)
    await mmap_read_lock(ground.mm)
    await mmap_read_unlock(ground.mm)
    await spin_unlock(pml)


async def sleeps_with_interrupts_off(ground: Ground) -> None:
    """Takes mmap_lock with interrupts off."""
    async with irqs_off(ground.mm.machine), ground.mm.mmap_lock.read():
        pass


async def sleeps_in_rcu(ground: Ground) -> None:
    """Takes mmap_lock for writing in a read-side section."""
    async with rcu_read(ground.mm.machine), ground.mm.mmap_lock.write():
        pass


async def sleeps_with_preemption_off(ground: Ground) -> None:
    """Takes a page lock with preemption off."""
    await preempt_disable(ground.mm.machine)
    await folio_lock(ground.page.folio)
    await folio_unlock(ground.page.folio)
    await preempt_enable(ground.mm.machine)


async def rescheduled_under_a_spinlock(ground: Ground) -> None:
    """Lets others run while it holds a page-table lock."""
    async with pmd_lockptr(ground.mm, await mm_find_pmd(ground.mm, ground.addr)):
        await cond_resched(ground.mm.machine)


async def rescheduled(ground: Ground) -> None:
    """Lets others run while it holds a lock that sleeps: that is right."""
    async with ground.mm.mmap_lock.read():
        await cond_resched(ground.mm.machine)


async def waits_for_itself(ground: Ground) -> None:
    """Waits for a grace period from inside a read-side section."""
    async with rcu_read(ground.mm.machine):
        await synchronize_rcu(ground.mm.machine)


async def keeps_a_lock(ground: Ground) -> None:
    """Ends with mmap_lock held."""
    await mmap_read_lock(ground.mm)


async def leaves_interrupts_off(ground: Ground) -> None:
    """Ends with interrupts off."""
    await local_irq_disable(ground.mm.machine)


async def leaves_rcu_open(ground: Ground) -> None:
    """Ends in a read-side section."""
    await rcu_read_lock(ground.mm.machine)


async def drops_what_it_has_not(ground: Ground) -> None:
    """Drops a lock that it does not hold."""
    await mmap_read_unlock(ground.mm)


def test_wrong_order_is_reported(judged):
    """PMD lock inside PTE lock, mmap_lock inside a reverse map's lock."""
    for code in (pmd_inside_pte, mmap_inside_rmap):
        assert judged(LockRules(), code).report.title == "wrong lock order"


def test_right_order_and_trylocks_are_not(judged):
    """PTE lock inside PMD lock; a trylock against the order."""
    for code in (pte_inside_pmd, mmap_tried_inside_rmap):
        assert judged(LockRules(), code).outcome == "safe"


ASLEEP = (
    sleeps_under_a_spinlock,
    sleeps_with_interrupts_off,
    sleeps_in_rcu,
    sleeps_with_preemption_off,
    rescheduled_under_a_spinlock,
)


@pytest.mark.parametrize("preemptible", [True, False])
@pytest.mark.parametrize("code", ASLEEP)
def test_sleeping_while_atomic_is_reported(judged, code, preemptible):
    """What may sleep, under a spinlock, in an RCU section, with interrupts or preemption off."""
    verdict = judged(LockRules(), code, axes={"preemptible": preemptible})
    assert verdict.outcome == "bug" and verdict.report.title == "sleeping while atomic"


@pytest.mark.parametrize("preemptible", [True, False])
def test_a_point_where_one_may_sleep_is_none(judged, preemptible):
    """Kernel code that nothing preempts may sleep of its own accord."""
    assert judged(LockRules(), rescheduled, axes={"preemptible": preemptible}).outcome == "safe"


@pytest.mark.parametrize("preemptible", [True, False])
def test_who_waits_for_a_grace_period_inside_a_section_waits_for_ever(judged, preemptible):
    """The grace period waits for the one who waits for it."""
    verdict = judged(LockRules(), waits_for_itself, axes={"preemptible": preemptible})
    assert verdict.outcome == "bug" and verdict.report.kind == "deadlock"


def test_what_is_left_over_is_reported(judged):
    """A lock kept, interrupts left off, an RCU section left open."""
    titles = [
        judged(LockRules(), code).report.title
        for code in (keeps_a_lock, leaves_interrupts_off, leaves_rcu_open)
    ]
    assert titles == ["lock kept at the end", "interrupts left off", "RCU section left open"]


def test_dropping_a_lock_that_is_not_held_is_reported(judged):
    """The machine itself refuses this step."""
    verdict = judged(LockRules(), drops_what_it_has_not)
    assert verdict.outcome == "bug" and "does not hold" in str(verdict.report)
