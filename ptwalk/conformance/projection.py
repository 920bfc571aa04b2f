"""A simulated run told in the words of the recordings.

Room: conformance. A step may say several words (it stands for several of the kernel's), or none (nobody watched
such a thing in the real kernel). Kinds of steps that are not known here are told as `?kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from ptwalk.arch import Entry, EntryState
from ptwalk.conformance.layout import Layout, Range
from ptwalk.kernel.huge_memory import DepositTable, WithdrawTable
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.mmu_gather import GatherBegin
from ptwalk.kernel.vma import ChangeVmas, MmOperation
from ptwalk.machine.entries import ChangeEntry, EntryOperation, EntryPointer
from ptwalk.machine.frames import PAGES, AllocateFrame, Frame, FrameOperation, FreeFrame
from ptwalk.machine.locks import LockOperation
from ptwalk.machine.operation import Operation
from ptwalk.machine.processor import WaitForIpi
from ptwalk.machine.recorder_stack import frames_of
from ptwalk.machine.tlb import FlushTlb

MARKERS = {
    "exit_mmap": "exit_mmap",
    "collapse_file": "collapse_file",
    "collapse_and_free_pmd": "collapse_and_free_pmd",
    "hugepage_vma_revalidate": "vma:revalidate",
    "split_vma": "vma:split",
    "page_fault": "fault:lock_mm_and_find_vma",
    "handle_mm_fault": "fault:handle_mm_fault",
}
"""Functions whose entry is a word by itself: the recorder had a breakpoint there."""

SILENT: dict[str, str] = {
    "find_vma": "looking up a VMA changes nothing; the set of VMAs was not watched",
    "vmas_in": "as find_vma",
    "neighbours": "as find_vma",
    "vma_set": "the VMA tree was not watched; `vma:split` and `vma:insert` say when it changes",
    "rmap_vmas": "the reverse maps were not watched, only their locks",
    "rmap_tree": "the reverse maps were not watched, only their locks",
    "mmput": "mm_users was not watched",
    "test_exit": "mm_users was not watched",
    "page_count": "a load of a struct page; only changes of it were watched",
    "copy": "the contents of data pages were not watched",
    "folio_lock": "the page lock is a bit in a word that was not watched",
    "folio_trylock": "as folio_lock",
    "folio_unlock": "as folio_lock",
    "set_dirty": "a bit in a word that was not watched",
    "set_young": "a bit in a word that was not watched",
    "rmap_add": "the pages that come in were not known before, so their counts were not watched",
    "gp_start": "RCU's own state was not watched",
    "gp_wait": "RCU's own state was not watched",
    "rcu_callbacks": "RCU's own state was not watched",
    "call_rcu": "RCU's own state was not watched",
    "rcu_read_lock": "an RCU read-side section leaves no trace in a word that was watched",
    "rcu_read_unlock": "as rcu_read_lock",
    "vma_start_read": "per-VMA locks (6.4 and later) are not among the words that were watched",
    "vma_end_read": "as vma_start_read",
    "vma_start_write": "as vma_start_read",
    "vma_end_write_all": "as vma_start_read",
    "preempt_disable": "the preemption count was not watched",
    "preempt_enable": "the preemption count was not watched",
    "enter_kernel": "no step: the model's way to say that kernel code is not preempted",
    "leave_kernel": "as enter_kernel",
    "assert_locked": "lockdep's question; it changes nothing",
    "cond_resched": "the scheduler was not watched",
}
"""Kinds of steps that say nothing, and why."""

_LOCKS = {
    "lock": "lock", "trylock": "lock", "unlock": "unlock", "down_read": "read_lock", "down_read_trylock": "read_lock",
    "up_read": "read_unlock", "down_write": "write_lock", "down_write_slow": "write_lock",
    "down_write_trylock": "write_lock", "up_write": "write_unlock", "downgrade_write": "downgrade",
}  # fmt: skip
_PLAIN = {
    "detach": ("vma:gather", "vma:detach"),
    "gather_finish": ("mmu_gather:finish",),
    "gather_end": ("tlb_flush_pending:dec",),
    "irq_disable": ("irq:off",),
    "irq_enable": ("irq:on",),
}
_TLB = (
    "tlb_lookup",
    "hardware",
    "touch",
)  # user code and the hardware's walker, which watchpoints do not see


class Heard(Coroutine[Operation, Any, Any]):
    """A coroutine that is listened to: it runs as before, and `enters` is told which functions came in with a step."""

    def __init__(self, coroutine: Any, enters: Callable[[Operation, tuple[str, ...]], None]) -> None:
        self._coroutine = coroutine
        self._enters = enters
        self._before: tuple[Any, ...] = ()

    @property
    def cr_frame(self) -> Any:
        """The outermost frame, for whoever shows call stacks."""
        return self._coroutine.cr_frame

    @property
    def cr_await(self) -> Any:
        """What the outermost function waits for."""
        return self._coroutine.cr_await

    def __await__(self) -> Any:
        """What stands for its steps where it is awaited."""
        return self._coroutine.__await__()

    def send(self, value: Any) -> Operation:
        """Runs to the next step."""
        operation: Operation = self._coroutine.send(value)
        frames = tuple(frames_of(self._coroutine))
        self._enters(operation, tuple(f.f_code.co_name for f in frames if f not in self._before))
        self._before = frames
        return operation

    def throw(self, *error: Any) -> Any:
        """Raises inside the coroutine."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Throws the coroutine away."""
        self._coroutine.close()


class Projection:
    """Follows one run from its start and says each step's words."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.machine = layout.kernel.machine
        self._tables: dict[Frame, tuple[Mm, int, str]] = {}
        self._pages: dict[Frame, tuple[Mm, int]] = {}
        self._spare: set[Frame] = set()  # tables that lay deposited
        self._queued: set[Frame] = set()
        self._entered: dict[int, tuple[str, ...]] = {}
        for mm in layout.kernel.mms:
            self._place(mm.pgd, mm, 0, mm.format.levels[0].name)
        region = layout.region
        spare = region.mm.deposited_at(region.start)
        if spare is not None:
            self._tables[spare] = (region.mm, region.start & -region.mm.pmd_level.size, "pte")
            self._spare.add(spare)

    def listen(self, coroutine: Any) -> Heard:
        """The coroutine of the CPU whose words are wanted, listened to for functions that it enters."""
        return Heard(coroutine, self._note)

    def _note(self, operation: Operation, names: tuple[str, ...]) -> None:
        if self.layout.kernel.config.vma_locks:
            names = tuple(name for name in names if name != "page_fault")  # it tries the VMA's lock first
        self._entered[id(operation)] = tuple(MARKERS[name] for name in names if name in MARKERS)

    def words(self, cpu: int, operation: Operation, result: Hashable) -> tuple[str, ...]:
        """What a step said, after it was done."""
        return (*self._entered.pop(id(operation), ()), *self._said(cpu, operation, result))

    # ---- which table, which page ----

    def _place(self, table: Frame, mm: Mm, base: int, name: str) -> None:
        """Notes where a table hangs, and all that hung below it before the first step."""
        self._tables[table] = (mm, base, name)
        level = mm.format.level(name)
        for index, raw in table.contents.items():
            if raw:
                self._follow(mm.format.decode(raw, level), mm, base + (index << level.shift))

    def _follow(self, entry: Entry, mm: Mm, va: int) -> None:
        if entry.state is EntryState.TABLE and entry.address is not None:
            below = mm.format.levels[entry.level.depth + 1].name
            self._place(self.machine.frame_at(entry.address), mm, va, below)
        elif entry.linux_present and entry.address is not None:
            self._pages[self.machine.frame_at(entry.address)] = (mm, va)

    def _range(self, mm: Mm, va: int, size: int) -> Range | None:
        """The watched range that [va, va+size) meets."""
        for each in self.layout.ranges:
            if each.mm is mm and va < each.end and each.start < va + size:
                return each
        return None

    def _entry(self, pointer: EntryPointer) -> str:
        """Such as `pmd[1]`; nothing for an entry that was not watched."""
        if pointer.frame not in self._tables:
            return ""
        mm, base, _ = self._tables[pointer.frame]
        va = base + (pointer.index << pointer.level.shift)
        there = self._range(mm, va, pointer.level.size)
        if there is None:
            return ""
        index = (va >> pointer.level.shift) - (there.start >> pointer.level.shift)
        return f"{there.prefix}{pointer.level.name}[{index}]"

    def _table(self, table: Frame) -> tuple[str, bool]:
        """Such as `pte-table[0]`, and whether it was watched; tables above the lowest have no number."""
        if table not in self._tables:
            return "table", False
        mm, base, name = self._tables[table]
        depth = mm.format.level(name).depth
        size = mm.format.levels[depth - 1].size if depth else 1 << 64
        there = self._range(mm, base, size)
        if there is None:
            return f"{name}-table", False
        number = f"[{(base - (there.start & -size)) // size}]" if name == "pte" else ""
        return f"{there.prefix}{'deposited-' if table in self._spare else ''}{name}-table{number}", True

    def _page(self, page: Frame) -> str:
        mm, va = self._pages.get(page, (None, 0))
        if mm is None:
            return ""
        there = self._range(mm, va, mm.format.page_size)
        # A page has no owner: the second process's number of it is the same.
        if there is None:
            return ""
        return "hugepage" if page.huge else f"page[{(va - there.start) // mm.format.page_size}]"

    def _prefix(self, mm: Mm) -> str:
        return "" if mm is self.layout.mm else next(r.prefix for r in self.layout.ranges if r.mm is mm)

    # ---- what a step says ----

    def _said(self, cpu: int, operation: Operation, result: Hashable) -> tuple[str, ...]:
        kind = operation.kind
        if isinstance(operation, EntryOperation):
            return self._of_entry(operation)
        if isinstance(operation, LockOperation):
            return self._of_lock(operation, result)
        if isinstance(operation, DepositTable | WithdrawTable):
            return self._of_spare(operation, result)
        if isinstance(operation, FlushTlb):
            return self._of_flush(operation, cpu)
        if isinstance(operation, WaitForIpi):
            if operation.other == cpu:
                return ("table_sync:send_ipi(tlb_remove_table_sync_one)",)
            return (f"table_sync:cpu{operation.other}(ipi)",)
        if isinstance(operation, AllocateFrame):
            return self._of_allocation(operation)
        if kind == "vma_set" and isinstance(operation, ChangeVmas):
            return () if operation.out else ("vma:insert",)
        if isinstance(operation, GatherBegin):
            whole = "(fullmm)" if operation.fullmm else ""
            return (f"mmu_gather:begin{whole}", f"{self._prefix(operation.mm)}tlb_flush_pending:inc")
        if kind == "detach" and self.layout.kernel.config.vma_tree == "rbtree":
            return ("vma:detach",)
        if kind in _PLAIN:
            mm = operation.mm if isinstance(operation, MmOperation) else self.layout.mm
            return tuple(self._prefix(mm) + word for word in _PLAIN[kind]) if result is not False else ()
        if kind in SILENT or kind in _TLB:
            return ()
        if isinstance(operation, FrameOperation):
            return self._of_frame(operation, result)
        return (f"?{kind}",)

    def _of_entry(self, operation: EntryOperation) -> tuple[str, ...]:
        pointer, kind = operation.pointer, operation.kind
        name = self._entry(pointer)
        new: int | None = getattr(operation, "new", None)
        entry = None if new is None else self.machine.format.decode(new, pointer.level)
        if isinstance(operation, ChangeEntry) and entry is not None and pointer.frame in self._tables:
            mm, base, _ = self._tables[pointer.frame]
            if entry.state is EntryState.TABLE and entry.address is not None:
                self._spare.discard(self.machine.frame_at(entry.address))
            self._follow(entry, mm, base + (pointer.index << pointer.level.shift))
        if not name:
            return ()
        if kind in ("read", "reread"):
            verb = "read"
        elif entry is None:
            verb = "change"
        elif not new:
            verb = "clear" if kind == "clear" else "clear(xchg)"
        elif entry.state is EntryState.TABLE:
            verb = "set_table"
        else:
            verb = "set" if pointer.level.name == "pte" else "set_huge"
        return (f"{name}:{verb}",)

    def _of_lock(self, operation: LockOperation, result: Hashable) -> tuple[str, ...]:
        lock, verb = operation.lock, _LOCKS.get(operation.kind)
        if verb is None or result is False:
            return ()
        if lock.frame is not None:
            name, watched = self._table(lock.frame)
            return (f"ptl({name}):{verb}",) if watched else ()
        for mm in self.layout.kernel.mms:
            if lock is mm.mmap_lock:
                return (f"{self._prefix(mm)}mmap_lock:{verb}",)
            if lock is mm.page_table_lock:
                return (f"{self._prefix(mm)}page_table_lock:{verb}",)
        for tree, word in ((self.layout.vma.anon_vma, "anon_vma"), (self.layout.file, "i_mmap_rwsem")):
            if tree is not None and lock is tree.rwsem:
                return (f"{word}:{verb}",)
        return ()

    def _of_spare(self, operation: DepositTable | WithdrawTable, result: Hashable) -> tuple[str, ...]:
        if isinstance(operation, DepositTable):
            self._spare.add(operation.table)
            self._tables[operation.table] = (operation.mm, operation.addr, "pte")
        there = self._range(operation.mm, operation.addr, operation.mm.pmd_level.size)
        if there is None or (result is None and isinstance(operation, WithdrawTable)):
            return ()
        return (f"{there.prefix}pte-table:{operation.kind}",)

    def _of_flush(self, operation: FlushTlb, cpu: int) -> tuple[str, ...]:
        begins = ("flush:begin", "tlb_gen:inc") if operation.first else ()
        if operation.how == "broadcast":
            return (*begins, "flush:broadcast")
        if operation.first and any(target != cpu for target in self.layout.mm.cpumask):
            begins = (*begins, "flush:send_ipi")
        who = [f"flush:cpu{to}({'local' if to == cpu else 'ipi'})" for to in operation.targets]
        return (*begins, *who)

    def _of_allocation(self, operation: AllocateFrame) -> tuple[str, ...]:
        if operation.level == "huge":
            return ("hugepage:alloc",)
        return () if operation.level in PAGES else (f"{operation.level}-table:alloc",)

    def _of_frame(self, operation: FrameOperation, result: Hashable) -> tuple[str, ...]:
        frame, kind = operation.frame, operation.kind
        if kind == "queue_free":
            name, watched = self._table(frame)
            self._queued.add(frame)
            return (f"{name}:queue_free", f"{name}:dtor") if watched else (f"{name}:queue_free",)
        if isinstance(operation, FreeFrame):
            name, watched = self._table(frame)
            if not watched:
                return ()
            root = frame is self.layout.mm.pgd
            first = () if frame in self._queued or root else (f"{name}:dtor",)
            return (*first, f"{name}:free({operation.how})")
        page = self._page(frame)
        if not page or kind == "reuse":
            return ()
        if kind == "rmap_remove":
            return (f"{page}:rmap_remove",)
        if kind in ("get_page", "put_page"):
            if kind == "put_page" and result:
                return (f"{page}:free",)
            return (
                (f"{page}:ref{'+' if kind == 'get_page' else '-'}1",)
                if result is not False or kind == "put_page"
                else ()
            )
        return (f"?{kind}",)
