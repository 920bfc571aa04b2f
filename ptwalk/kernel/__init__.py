"""The kernel room: mechanisms of Linux that more than one walker or unlinker uses.

What a walker of your own needs, by the kernel's names, can be imported from here in one line:

    from ptwalk.kernel import find_vma, is_table, mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock

    async def walker(mm, addr):
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, addr)
            if vma is None or addr not in vma:
                return None
            pmd = await mm_find_pmd(mm, addr)
            if pmd is None or not is_table(await pmd.read()):
                return None
            pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
            if pte is None:
                return None
            entry = await pte.read()
            await pte_unmap_unlock(mm, ptl)
            return entry

Room: kernel, above machine, trace and arch; it knows nothing of walkers, actors, sanitizers or the explorer.
"""

from ptwalk.kernel.huge_memory import pmd_trans_huge_lock
from ptwalk.kernel.mmap_lock import (
    mmap_assert_locked,
    mmap_read_lock,
    mmap_read_trylock,
    mmap_read_unlock,
    mmap_write_downgrade,
    mmap_write_lock,
    mmap_write_trylock,
    mmap_write_unlock,
)
from ptwalk.kernel.page import (
    get_page_unless_zero,
    page_of,
    page_remove_rmap,
    put_page,
    set_page_dirty,
    use_page,
)
from ptwalk.kernel.pgtable import (
    bad,
    is_table,
    leaf,
    mm_find_pmd,
    none,
    offset_lockless,
    p4d_offset,
    pgd_offset,
    pmd_lock,
    pmd_lockptr,
    pmd_none_or_clear_bad,
    pmd_none_or_trans_huge_or_clear_bad,
    pmd_offset,
    pte_lockptr,
    pte_offset_map,
    pte_offset_map_lock,
    pte_unmap,
    pte_unmap_unlock,
    pud_offset,
    same,
)
from ptwalk.kernel.tlbflush import flush_tlb_mm_range, tlb_remove_table_sync_one
from ptwalk.kernel.users import mmget_not_zero, mmput
from ptwalk.kernel.vma import find_vma, vma_lookup
from ptwalk.kernel.vma_lock import lock_vma_under_rcu, vma_end_read, vma_start_write
from ptwalk.machine.locks import spin_lock, spin_trylock, spin_unlock
from ptwalk.machine.processor import (
    cond_resched,
    irqs_off,
    local_irq_disable,
    local_irq_enable,
    local_irq_restore,
    local_irq_save,
    preempt_disable,
    preempt_enable,
    rcu_read,
    rcu_read_lock,
    rcu_read_unlock,
)
from ptwalk.machine.rcu import synchronize_rcu
from ptwalk.machine.rwsem import down_read, down_write, up_read, up_write

__all__ = [
    "bad",
    "cond_resched",
    "down_read",
    "down_write",
    "find_vma",
    "flush_tlb_mm_range",
    "get_page_unless_zero",
    "irqs_off",
    "is_table",
    "leaf",
    "local_irq_disable",
    "local_irq_enable",
    "local_irq_restore",
    "local_irq_save",
    "lock_vma_under_rcu",
    "mm_find_pmd",
    "mmap_assert_locked",
    "mmap_read_lock",
    "mmap_read_trylock",
    "mmap_read_unlock",
    "mmap_write_downgrade",
    "mmap_write_lock",
    "mmap_write_trylock",
    "mmap_write_unlock",
    "mmget_not_zero",
    "mmput",
    "none",
    "offset_lockless",
    "p4d_offset",
    "page_of",
    "page_remove_rmap",
    "pgd_offset",
    "pmd_lock",
    "pmd_lockptr",
    "pmd_none_or_clear_bad",
    "pmd_none_or_trans_huge_or_clear_bad",
    "pmd_offset",
    "pmd_trans_huge_lock",
    "preempt_disable",
    "preempt_enable",
    "pte_lockptr",
    "pte_offset_map",
    "pte_offset_map_lock",
    "pte_unmap",
    "pte_unmap_unlock",
    "pud_offset",
    "put_page",
    "rcu_read",
    "rcu_read_lock",
    "rcu_read_unlock",
    "same",
    "set_page_dirty",
    "spin_lock",
    "spin_trylock",
    "spin_unlock",
    "synchronize_rcu",
    "tlb_remove_table_sync_one",
    "up_read",
    "up_write",
    "use_page",
    "vma_end_read",
    "vma_lookup",
    "vma_start_write",
]
