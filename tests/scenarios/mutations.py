"""Each protocol broken in turn (a lock, a second look, a flush, a wait is dropped), and who must notice.

Protocols are broken by a choice of the kernel's config where there is one, else by putting something else in the place
of one function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ptwalk.actors import collapse_file, exit, khugepaged, madvise, mprotect, mremap, munmap
from ptwalk.actors import fault as fault_actor
from ptwalk.kernel import fault, huge_memory, memory, mmu_gather, pgtable, vma_lock
from ptwalk.machine import rcu
from ptwalk.machine.entries import EntryPointer
from ptwalk.walk import damon, gup_fast, rmap

from .stand_ins import (
    BlindPageCount,
    BlindStartRead,
    ImpatientStartWrite,
    NoPin,
    Patch,
    always,
    cut_without_flush,
    detached_late,
    first_vma,
    free_at_once,
    free_pgtables_of_everything,
    installs_at_once,
    nobody_left,
    pages_first,
    read_then_clear,
    split_without_invalid_entry,
    without,
)


@dataclass(frozen=True)
class Mutation:
    """One way to break a protocol, and who must notice."""

    broken: str
    noticed_by: str
    cell: tuple[
        str, ...
    ]  # (walker, changer) of the matrix that notices, too; empty where it takes three CPUs
    patch: Patch = lambda monkeypatch: None
    axes: Mapping[str, Any] = field(default_factory=dict)


MUTATIONS = (
    # --- a lock is dropped ---
    Mutation(
        "the walker takes no mmap_lock",
        "munmap-vs-damon-merged",
        ("damon", "munmap"),
        without(damon, "mmap_read_lock", "mmap_read_unlock"),
    ),
    Mutation(
        "munmap does not detach the VMA",
        "munmap-vs-read-walk",
        ("read", "munmap"),
        without(munmap, "DetachVmas"),
    ),
    Mutation(
        "khugepaged takes no mmap_lock for writing",
        "collapse-anon-vs-damon-merged",
        ("read", "collapse-anon"),
        without(khugepaged, "mmap_write_lock", "mmap_write_unlock"),
    ),
    Mutation(
        "khugepaged takes no anon_vma lock",
        "collapse-anon-vs-rmap",
        ("rmap", "collapse-anon"),
        without(khugepaged, "down_write", "up_write"),
    ),
    Mutation(
        "retract of 5.15 takes no mmap_lock",
        "retract-vs-mlw-walker-then",
        ("read", "retract"),
        lambda m: (
            without(collapse_file, "mmap_write_trylock", instead=always)(m),
            without(collapse_file, "mmap_write_unlock")(m),
        ),
    ),
    Mutation(
        "retract of 5.15 takes no i_mmap_rwsem",
        "retract-vs-rmap",
        ("rmap", "retract"),
        without(collapse_file, "down_write", "up_write"),
    ),
    Mutation(
        "collapse_pte_mapped_thp takes no i_mmap_rwsem",
        "collapse-pte-mapped-vs-rmap-fixed",
        ("rmap", "collapse-pte-mapped"),
        without(collapse_file, "down_write", "up_write"),
    ),
    Mutation(
        "retract of 6.6 takes no page-table locks",
        "retract-vs-mkold-after-recheck",
        ("recheck-only", "retract"),
        lambda m: without(collapse_file, "spin_lock", "spin_unlock", "pmd_lock")(m),
    ),
    Mutation(
        "free_pgtables takes no reverse-map lock",
        "munmap-vs-rmap",
        ("rmap", "munmap"),
        without(memory, "down_write", "up_write"),
    ),
    Mutation(
        "the reverse-map walk takes no lock",
        "munmap-vs-rmap",
        ("rmap", "munmap"),
        without(rmap, "down_read", "up_read"),
    ),
    Mutation(
        "munmap does not write-lock the VMA",
        "munmap-vs-vma-lock-walk",
        ("vma-lock", "munmap"),
        without(munmap, "vma_start_write"),
    ),
    Mutation(
        "interrupts stay on in GUP-fast",
        "munmap-vs-gup",
        ("gup-fast", "munmap"),
        without(gup_fast, "local_irq_save", "local_irq_restore"),
    ),
    Mutation(
        "pte_offset_map_lock without RCU",
        "retract-vs-mlw-map-lock",
        ("read", "retract"),
        without(pgtable, "rcu_read_lock", "rcu_read_unlock"),
    ),
    Mutation(
        "no user reference on the mm",
        "exit-vs-damon-v34",
        ("read", "exit"),
        without(exit, "MmPut", instead=nobody_left),
    ),
    Mutation(
        "mmap_lock for reading is enough for ptdump",
        "munmap-vs-ptdump-fixed",
        ("ptdump", "munmap"),
        axes={"novma_walk_lock": "read"},
    ),
    # --- a second look is dropped ---
    Mutation(
        "pte_offset_map_lock does not look at the pmd again",
        "retract-vs-mlw-map-lock",
        ("read", "retract"),
        axes={"pte_offset_map": "unchecked"},
    ),
    Mutation(
        "the same, against MADV_DONTNEED",
        "reclaim-vs-read-walk",
        ("read", "reclaim"),
        axes={"pte_offset_map": "unchecked"},
    ),
    Mutation(
        "GUP-fast looks only at the pte again",
        "collapse-anon-vs-gup",
        ("gup-fast", "collapse-anon"),
        axes={"gup_recheck": "pte"},
    ),
    Mutation(
        "GUP-fast does not look again",
        "dontneed-vs-gup",
        ("gup-fast", "dontneed-reuse"),
        lambda m: m.setattr(EntryPointer, "reread", lambda self, chain, last: always()),
    ),
    Mutation(
        "the reverse-map walk does not look at the pmd again",
        "retract-vs-rmap-now",
        ("rmap", "retract"),
        axes={"rmap_recheck": False},
    ),
    Mutation(
        "mremap does not look again under the lock",
        "retract-vs-mremap-fixed",
        ("mremap", "retract"),
        axes={"move_pmd_recheck": False},
    ),
    Mutation(
        "khugepaged does not look for the VMA again",
        "collapse-anon-vs-munmap",
        ("khugepaged", "munmap-half"),
        without(khugepaged, "hugepage_vma_revalidate", instead=first_vma),
    ),
    Mutation(
        "khugepaged does not look for pins",
        "collapse-anon-vs-gup",
        ("gup-fast", "collapse-anon"),
        without(khugepaged, "PageCount", instead=BlindPageCount),
    ),
    Mutation(
        "the fault does not look at the pte again",
        "fault-vs-fault",
        ("fault", "fault"),
        without(fault, "none", instead=lambda entry: True),
    ),
    Mutation(
        "holes are walked",
        "munmap-vs-pagemap-hole-fixed",
        ("pagemap", "munmap-everything"),
        axes={"hole_walk": "descends"},
    ),
    Mutation(
        "floor and ceiling are forgotten",
        "munmap-neighbour-vs-damon-v34",
        ("damon", "munmap-neighbour"),
        without(munmap, "free_pgtables", instead=free_pgtables_of_everything),
    ),
    # --- a flush is dropped ---
    Mutation(
        "munmap does not flush",
        "munmap-vs-program",
        ("program", "munmap"),
        without(mmu_gather, "flush_tlb_mm_range"),
    ),
    Mutation(
        "munmap does not flush: no IPI waits for GUP-fast",
        "munmap-vs-gup",
        ("gup-fast", "munmap"),
        without(mmu_gather, "flush_tlb_mm_range"),
    ),
    Mutation(
        "khugepaged does not flush",
        "collapse-anon-vs-program",
        ("program", "collapse-anon"),
        without(khugepaged, "pmdp_collapse_flush", instead=cut_without_flush),
    ),
    Mutation(
        "mremap does not flush",
        "mremap-vs-reclaim",
        ("program", "mremap-munmap"),
        without(mremap, "flush_tlb_mm_range"),
    ),
    Mutation(
        "reclaim does not flush",
        "mremap-vs-reclaim",
        ("program", "page-reclaim"),
        without(rmap, "flush_tlb_mm_range"),
    ),
    Mutation(
        "a nested gather forgets the freed tables",
        "munmap-vs-nested-gather-fixed",
        (),
        axes={"nested_flush": "forgets freed tables"},
    ),
    # --- a wait is dropped ---
    Mutation(
        "tables are freed without a grace period",
        "munmap-vs-gup-broadcast",
        ("gup-fast", "munmap"),
        without(mmu_gather, "call_rcu", instead=free_at_once),
    ),
    Mutation(
        "a grace period waits for nobody",
        "munmap-vs-gup-broadcast",
        ("gup-fast", "munmap"),
        without(rcu, "synchronize_rcu"),
    ),
    Mutation(
        "the batch fallback sends no IPI",
        "munmap-vs-gup-batch-fails",
        ("gup-fast", "munmap"),
        without(mmu_gather, "tlb_remove_table_sync_one"),
    ),
    Mutation(
        "retract sends no IPI before it frees",
        "retract-vs-gup-synced",
        ("gup-fast", "retract"),
        without(collapse_file, "tlb_remove_table_sync_one"),
    ),
    Mutation(
        "retract of 6.6 frees at once",
        "retract-vs-mlw-map-lock",
        ("read", "retract"),
        without(collapse_file, "call_rcu", instead=free_at_once),
    ),
    # --- one atomic step becomes two, or a duty is forgotten ---
    Mutation(
        "zapping reads and clears in two steps",
        "munmap-file-vs-program",
        ("program", "munmap-file"),
        lambda m: m.setattr(EntryPointer, "get_and_clear", read_then_clear),
    ),
    Mutation(
        "zapping does not hand the dirty bit on",
        "munmap-file-vs-program",
        ("program", "munmap-file"),
        without(memory, "MarkDirty"),
    ),
    Mutation(
        "the accessed bit is cleared by load and store",
        "user-access-vs-damon-now",
        ("damon", "user-access"),
        axes={"clear_young": "load and store"},
    ),
    # --- and some more of each kind ---
    Mutation(
        "munmap detaches the VMA after the downgrade",
        "munmap-vs-read-walk",
        ("read", "munmap"),
        without(munmap, "do_munmap", instead=detached_late),
    ),
    Mutation(
        "a VMA is read-locked though it is write-locked",
        "munmap-vs-vma-lock-walk",
        ("vma-lock", "munmap"),
        without(vma_lock, "VmaStartRead", instead=BlindStartRead),
    ),
    Mutation(
        "the write lock of a VMA does not wait for readers",
        "munmap-vs-vma-lock-walk",
        ("vma-lock", "munmap"),
        without(vma_lock, "VmaStartWrite", instead=ImpatientStartWrite),
    ),
    Mutation(
        "the page fault takes no mmap_lock",
        "munmap-vs-fault",
        ("fault", "munmap"),
        without(fault_actor, "mmap_read_lock", "mmap_read_unlock"),
    ),
    Mutation(
        "a file collapse of 6.6 takes no lock of the file's tree",
        "munmap-vs-retract",
        (),
        without(collapse_file, "down_read", "up_read"),
    ),
    Mutation(
        "GUP-fast does not pin",
        "munmap-vs-gup",
        ("gup-fast", "munmap"),
        without(gup_fast, "GetPageUnlessZero", instead=NoPin),
    ),
    Mutation(
        "a table is installed without a second look",
        "fault-vs-fault",
        ("fault", "fault"),
        without(fault, "table_alloc", instead=installs_at_once),
    ),
    Mutation(
        "copy on write looks at the pte only once",
        "dontneed-vs-copy-on-write",
        (),
        without(fault, "same", instead=lambda one, other: True),
    ),
    Mutation(
        "pages are freed before the flush",
        "munmap-vs-program",
        ("program", "munmap"),
        without(mmu_gather, "tlb_flush_mmu", instead=pages_first),
    ),
    Mutation(
        "mprotect does not flush",
        "mprotect-vs-program",
        (),
        without(mprotect, "tlb_finish_mmu"),
    ),
    Mutation(
        "copy on write does not flush",
        "copy-on-write-vs-program",
        (),
        without(fault, "flush_tlb_mm_range"),
    ),
    Mutation(
        "the split of a huge page does not flush",
        "thp-split-vs-program",
        ("program", "thp-split"),
        without(huge_memory, "flush_tlb_mm_range"),
    ),
    Mutation(
        "the split of a huge page does not make it invalid first",
        "thp-split-vs-program",
        ("program", "thp-split"),
        without(huge_memory, "split_huge_pmd_locked", instead=split_without_invalid_entry),
    ),
    Mutation(
        "a table is moved without the reverse map's locks",
        "mremap-table-vs-reclaim",
        (),
        axes={"move_rmap_locks": "left out"},
    ),
    Mutation(
        "a mapping without references is flushed with the rest",
        "munmap-vs-driver-fixed",
        (),
        axes={"pfnmap_flush": "with the rest"},
    ),
    Mutation(
        "reclaim does not hand the dirty bit on",
        "page-reclaim-vs-program",
        (),
        without(rmap, "MarkDirty"),
    ),
    Mutation(
        "MADV_DONTNEED holds no lock",
        "munmap-vs-dontneed",
        ("dontneed", "munmap"),
        without(madvise, "mmap_read_lock", "mmap_read_unlock"),
    ),
)
