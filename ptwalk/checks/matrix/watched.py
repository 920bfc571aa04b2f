"""A pmd that a learner's function is handed, and that remembers what was last read of it.

Knows the machine and scenarios, no exercise.  What the function says is then held against what it saw: a stale look
is nobody's fault, a wrong conclusion is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from dataclasses import replace
from typing import Any

from ptwalk.actors.collapse_file import retract_page_tables
from ptwalk.actors.fault import page_fault
from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.arch import Entry
from ptwalk.checks import race, scenes
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import mm_find_pmd
from ptwalk.kernel.vma import find_vma
from ptwalk.machine.entries import EntryPointer, ReadEntry
from ptwalk.machine.frames import Frame
from ptwalk.machine.operation import Footprint, Memory, Operation, Violation
from ptwalk.machine.processor import DEPTH
from ptwalk.scenarios import CHANGERS
from ptwalk.scenarios.changers import CHANGER
from ptwalk.scenarios.ground import Ground, anonymous, file_mapping, span
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage

PAGE = 4096
Judge = Callable[[Mm, "Watched", Any], Any]


class Watched(EntryPointer):
    """A pmd pointer, handed out for the address `addr`.

    `last` is what was last read through it, `below` the pte that was last read in a table it named, with that table;
    None if nothing was.
    """

    __slots__ = ("addr", "last", "below")

    def __init__(self, pmd: EntryPointer, addr: int) -> None:
        super().__init__(pmd.frame, pmd.index, pmd.level)
        self.addr = addr
        self.last: Entry | None = None
        self.below: tuple[Frame, Entry] | None = None

    def read(self) -> ReadEntry:
        """One load, remembered."""
        return _Watching(self)

    def lookup(self, entry: Entry, va: int) -> EntryPointer:
        """The pte pointer, whose loads are remembered as well."""
        return _Below(super().lookup(entry, va), self)


class _Below(EntryPointer):
    __slots__ = ("pmd",)

    def __init__(self, pte: EntryPointer, pmd: Watched) -> None:
        super().__init__(pte.frame, pte.index, pte.level)
        self.pmd = pmd

    def read(self) -> ReadEntry:
        return _Watching(self)


class _Watching(ReadEntry):
    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, Entry]:
        entry = yield from super().__await__()
        if isinstance(self.pointer, Watched):
            self.pointer.last = entry
        elif isinstance(self.pointer, _Below):
            self.pointer.pmd.below = self.pointer.frame, entry
        return entry


class Held(Operation):
    """Looks at what this CPU holds, and refuses with `wrong(locks, depth of RCU sections, memory)` if that says so."""

    __slots__ = ("mm", "cells", "wrong")
    kind = "result"

    def __init__(
        self, mm: Mm, cells: tuple[int, ...], wrong: Callable[[tuple[str, ...], int, Memory], str]
    ) -> None:
        self.mm = mm
        self.cells = cells
        self.wrong = wrong

    def footprint(self, cpu: int) -> Footprint:
        here = self.mm.machine.cpus[cpu]
        return (here.held, here.rcu, *self.cells), ()

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        here = self.mm.machine.cpus[cpu]
        said = self.wrong(tuple(memory[here.held]), memory[here.rcu] & DEPTH, memory)
        if said:
            raise Violation(said)
        return None

    def text(self) -> str:
        return "gives its result"


def caller(function: Callable[..., Any], judge: Judge) -> Callable[[Mm, int], Any]:
    """The caller of the learner's function: in a VMA, mmap_lock for reading, the upper levels found."""

    async def calls(mm: Mm, addr: int) -> None:
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, addr)
            pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
            if pmd is not None:
                watched = Watched(pmd, addr)
                await judge(mm, watched, await function(mm, watched, addr))

    calls.__name__ = getattr(function, "__name__", "function")
    return calls


# ---- alone: what a pmd can be ----


def table(stage: Stage) -> Ground:
    """A table with the page in it."""
    return anonymous(stage, ())


def second(stage: Stage) -> Ground:
    """Two pages of one table; the call is about the second."""
    ground = anonymous(stage, (), pages=2)
    return replace(ground, addr=ground.addr + PAGE)


def only_the_first(stage: Stage) -> Ground:
    """Two pages of one table; the call is about the second, and only the first is there."""
    ground = anonymous(stage, (), whole=True)
    ground.mm.watch(ground.addr + PAGE)
    return replace(ground, addr=ground.addr + PAGE)


def old(stage: Stage) -> Ground:
    """A page that nobody has accessed for a while."""
    ground = second(stage)
    table, index = ground.mm.initial_table(ground.addr, "pte"), ground.mm.format.index(ground.addr, "pte")
    table.contents[index] = ground.mm.format.mkold(table.contents[index], "pte")
    return ground


def swapped_out(stage: Stage) -> Ground:
    """A page that was swapped out: its entry is not present, and not empty."""
    ground = only_the_first(stage)
    table, index = ground.mm.initial_table(ground.addr, "pte"), ground.mm.format.index(ground.addr, "pte")
    table.contents[index] = ground.mm.format.make_swap(0, 77, "pte")
    return ground


def empty(stage: Stage) -> Ground:
    """A table, and no page in it."""
    ground = anonymous(stage, (), populate=False)
    ground.mm.watch(ground.addr)
    ground.mm.initial_table(ground.addr, "pte")
    return ground


def nothing(stage: Stage) -> Ground:
    """No table."""
    ground = anonymous(stage, (), populate=False)
    ground.mm.watch(ground.addr)
    ground.mm.initial_table(ground.addr, ground.mm.pmd_level.name)
    return ground


def huge(stage: Stage) -> Ground:
    """A huge page."""
    return anonymous(stage, (), huge=True)


# ---- changers of this notebook ----


def reclaim_and_fault(stage: Stage) -> Ground:
    """The table goes, and the next fault brings another."""
    ground = anonymous(stage, (CHANGER,), whole=True)
    mm, addr = ground.mm, ground.addr
    actors = ((madvise_dontneed, (mm, addr, addr + span(mm))), (page_fault, (mm, addr)))
    stage.run(CHANGER, scenes.in_a_row(*actors))
    return ground


def retract_and_fault(stage: Stage) -> Ground:
    """The same for a file: its table is retracted, then a page of it is mapped."""
    ground = file_mapping(stage, (), populate=False)
    page = stage.machine.new_frame("file", "page")

    async def fault(mm: Mm, addr: int) -> None:
        await page_fault(mm, addr, page=page)

    actors = ((retract_page_tables, (stage.kernel, ground.file, 0)), (fault, (ground.mm, ground.addr)))
    stage.run(CHANGER, scenes.in_a_row(*actors))
    return ground


def retract_and_map(stage: Stage) -> Ground:
    """MADV_COLLAPSE of a file: the table goes, and the huge page is mapped in its place."""
    ground = file_mapping(stage, (), populate=False)
    page = stage.machine.new_frame("huge", "page")

    async def collapse() -> None:
        await retract_page_tables(stage.kernel, ground.file, 0, target=ground.mm, huge=page)  # type: ignore[arg-type]

    stage.run(CHANGER, collapse)
    return ground


def changer(name: str) -> Callable[[Stage], Ground]:
    """A changer of the matrix."""

    def lay_out(stage: Stage) -> Ground:
        return CHANGERS[name].lay_out(stage, ())

    return lay_out


def run(calls: Callable[[Mm, int], Any], lay_out: Callable[[Stage], Ground]) -> scenes.LayOut:
    """Puts the caller on its CPU, whatever else is on the stage."""

    def on(stage: Stage) -> None:
        ground = lay_out(stage)
        stage.run(WALKER, calls, ground.mm, ground.addr)

    return on


async def said(wrong: str) -> None:
    """The end of a call: refused in words if they are not empty."""
    await race.Result(wrong)
