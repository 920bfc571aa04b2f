"""The race of walker C: one record for each 2 MiB says whether pages are there; three CPUs change and read it.

Knows scenarios, no exercise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from typing import Any

from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgalloc import pmd_alloc, table_alloc
from ptwalk.kernel.pgtable import is_table, none, pte_offset_map_lock, pte_unmap_unlock
from ptwalk.kernel.vma_lock import lock_vma_under_rcu, vma_end_read
from ptwalk.machine.folio import AddRmap, PutPage
from ptwalk.machine.frames import AllocateFrame
from ptwalk.machine.operation import Footprint, Memory, Operation
from ptwalk.machine.program import Program
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import anonymous, span
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Finding

CPUS = (WALKER, "dontneed", "fault")
Skip = Callable[["Records", Mm, int], Awaitable[Any]]


class Records:
    """The record of the 2 MiB around an address: `await records.has_pages()`, `await records.set(False)`."""

    def __init__(self, mm: Mm, addr: int) -> None:
        self.mm, self.addr = mm, addr
        self.cell = mm.machine.cells.add("record: has pages", True)

    def has_pages(self) -> Operation:
        """Reads the record."""
        return RecordStep(self.cell, None)

    def set(self, has_pages: bool) -> Operation:
        """Writes the record."""
        return RecordStep(self.cell, bool(has_pages))


class RecordStep(Operation):
    """One load or store of a record."""

    __slots__ = ("cell", "new")

    def __init__(self, cell: int, new: bool | None) -> None:
        self.cell, self.new = cell, new

    @property
    def kind(self) -> str:  # type: ignore[override]
        """Load or store."""
        return "read_record" if self.new is None else "write_record"

    def footprint(self, cpu: int) -> Footprint:
        return ((self.cell,), ()) if self.new is None else ((), (self.cell,))

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        if self.new is None:
            found: Hashable = memory[self.cell]
            return found
        memory[self.cell] = self.new
        return None

    def text(self) -> str:
        if self.new is None:
            return "reads the record"
        return f"writes into the record: {'has pages' if self.new else 'empty'}"


@allocates
async def fault_and_note(records: Records, mm: Mm, addr: int) -> None:
    """A fault of 7.1 under the VMA's lock, which sets the record under the page-table lock."""
    vma = await lock_vma_under_rcu(mm, addr)
    if vma is None:
        return
    pmd = await pmd_alloc(mm, addr)
    if pmd is not None:
        if not is_table(await pmd.read()):
            await table_alloc(mm, pmd)
        new = await AllocateFrame(mm.machine, "anon")
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        installed = False
        if pte is not None and ptl is not None:
            if none(await pte.read()):
                await AddRmap(new)
                await pte.write(mm.format.make_leaf(new.pa, "pte", write=True, accessed=True, dirty=True))
                await records.set(True)
                installed = True
            await pte_unmap_unlock(mm, ptl)
        if not installed:
            await PutPage(new)
    await vma_end_read(vma)


def race(skip: Skip, *, cpus: tuple[str, ...] = CPUS, release: str = "7.1", whole: bool = True) -> Program:
    """`skip(records, mm, addr)` against MADV_DONTNEED and, on a third CPU, a fault.

    At the end a record that says "empty" over a table with a page in it is a lost record. `cpus` may leave the fault
    out, or turn the order round. Without `whole` only the page is thrown away, and its table stays.
    """
    kept: list[Records] = []

    def lay_out(stage: Stage) -> None:
        ground = anonymous(stage, [cpu for cpu in cpus if cpu != WALKER], whole=True)
        records = Records(ground.mm, ground.addr)
        kept.append(records)

        async def skipping(mm: Mm, addr: int) -> None:
            await skip(records, mm, addr)

        async def dontneed(mm: Mm, addr: int) -> None:
            await madvise_dontneed(mm, addr, addr + (span(mm) if whole else mm.format.page_size))

        skipping.__name__ = getattr(skip, "__name__", "skip")
        stage.run(WALKER, skipping, ground.mm, ground.addr)
        stage.run("dontneed", dontneed, ground.mm, ground.addr)
        if "fault" in cpus:
            stage.run("fault", fault_and_note, records, ground.mm, ground.addr)

    name = f"{getattr(skip, '__name__', 'skip')} with {len(cpus)} CPUs"
    program = Scenario(name, "", lay_out, Never(), cpus=cpus, release=release).build()
    return replace(program, at_end=_judged(program, kept[0]))


def _judged(program: Program, records: Records) -> Callable[[Memory], Any]:
    mm, before = records.mm, program.at_end

    def at_end(memory: Memory) -> Any:
        report = before(memory) if before is not None else None
        if report is not None or memory[records.cell] or not has_page(mm, records.addr, memory):
            return report
        return Finding(
            "at end", "the record says empty, and a page is there: it was cleared over a fault's head"
        )

    return at_end


def has_page(mm: Mm, addr: int, memory: Memory) -> bool:
    """Whether the tables, as they are in one memory vector, map a page at `addr`."""
    pointer = mm.pgd.entry(mm.format.index(addr, mm.format.levels[0]), mm.format.levels[0].name)
    for _ in mm.format.levels:
        raw: Any = (
            memory[pointer.cell] if pointer.cell < len(memory) else mm.machine.cells.initial[pointer.cell]
        )
        entry = mm.format.decode(raw, pointer.level)
        if not is_table(entry):
            return entry.linux_present
        pointer = pointer.lookup(entry, addr)
    return False
