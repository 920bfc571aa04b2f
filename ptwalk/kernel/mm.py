"""The address space: locks, VMAs, page tables, and how its initial state is laid out.

Room: kernel.  `Mm` is what the kernel calls `struct mm_struct`.  Everything here but the fields themselves
is for building: mapping ranges and filling tables before the first step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ptwalk.errors import PtwalkError
from ptwalk.kernel.rmap import RmapTree, anon_vma
from ptwalk.kernel.vma import Vma
from ptwalk.machine.frames import DEPOSITED, Frame
from ptwalk.machine.locks import SpinLock
from ptwalk.machine.rwsem import RwSemaphore

if TYPE_CHECKING:
    from ptwalk.kernel.kernel import Kernel
    from ptwalk.machine.machine import Machine


class BadLayout(PtwalkError):
    """The initial state asked for cannot be: ranges overlap, or an address lies in no VMA."""


class Mm:
    """One address space: `mmap_lock`, `page_table_lock`, the set of VMAs, the root table."""

    def __init__(self, kernel: Kernel, name: str, cpumask: tuple[int, ...]) -> None:
        machine = kernel.machine
        self.kernel = kernel
        self.machine: Machine = machine
        self.format = machine.format
        self.pmd_level = machine.format.levels[
            -2
        ]  # whose entries name pte tables, also where the pmd is folded
        self.name = name
        self.cpumask = cpumask
        # Locks of the first mm have their plain names; further mms show theirs.
        of = "" if not kernel.mms else f" of {name}"
        self.mmap_lock = RwSemaphore(machine, f"mmap_lock{of}", "mmap_lock")
        self.page_table_lock = SpinLock(machine, f"page_table_lock{of}", "page_table_lock", None)
        self.pgd = machine.new_frame(self.format.levels[0].name)
        self.tlb_flush_pending = machine.cells.add(f"tlb_flush_pending{of}", 0)
        self.users = machine.cells.add(f"mm_users{of}", 1)
        self.lock_seq = machine.cells.add(f"mm_lock_seq{of}", 0)
        self.vma_set = -1
        self._of = of
        self._vmas: dict[tuple[int, int], Vma] = {}
        self._initial: list[Vma] = []
        self._deposits: dict[int, Frame] = {}
        self._pages: set[int] = set()

    def __repr__(self) -> str:
        return self.name

    # ---- VMAs ----

    def vma(self, key: tuple[int, int]) -> Vma:
        """The VMA with that start and end."""
        return self._vmas[key]

    @property
    def initial_vmas(self) -> tuple[Vma, ...]:
        """The VMAs that are attached before the first step."""
        return tuple(self._initial)

    def vma_like(self, vma: Vma, start: int, end: int, *, moved_to: int | None = None) -> Vma:
        """The description of a part of `vma`, or of that part moved elsewhere."""
        at = start if moved_to is None else moved_to
        key = (at, at + end - start)
        found = self._vmas.get(key)
        if found is None:
            pgoff = vma.pgoff + start - vma.start
            found = self._vmas[key] = Vma(self, *key, vma.anon_vma, vma.file, pgoff, vma.flags)
        return found

    def vma_grown(self, vma: Vma, start: int) -> Vma:
        """The description of `vma` with its start moved down, as a stack grows."""
        key = (start, vma.end)
        found = self._vmas.get(key)
        if found is None:
            found = self._vmas[key] = Vma(
                self, *key, vma.anon_vma, vma.file, vma.pgoff - (vma.start - start), vma.flags
            )
        return found

    def map(
        self,
        start: int,
        end: int,
        *,
        populate: Iterable[int] = (),
        pages: Iterable[Frame] | None = None,
        huge: bool = False,
        file: RmapTree | None = None,
        pgoff: int = 0,
        anon: RmapTree | None = None,
        write: bool = True,
        dirty: bool = False,
        flags: Iterable[str] = (),
    ) -> Vma:
        """Maps [start, end): a VMA, and pages for the addresses in `populate` (tables come along).

        `pages` gives the frames to map, else fresh ones are made; `huge` maps 2 MiB by one pmd entry with a
        deposited table.  A VMA without `file` is anonymous, with an anon_vma of its own unless `anon` is given.
        `flags` are names such as "VM_GROWSDOWN", "VM_PFNMAP", "VM_IO".
        """
        if any(start < vma.end and vma.start < end for vma in self._initial):
            raise BadLayout(
                f"{start:#x}-{end:#x} overlaps a VMA that is mapped already; choose another range"
            )
        if file is None and anon is None:
            anon = anon_vma(self.machine, f"{self.name} at {start:#x}")
        vma = Vma(self, start, end, anon, file, pgoff, frozenset(flags))
        self._vmas[vma.key] = vma
        self._initial.append(vma)
        given = iter(pages) if pages is not None else None
        for addr in populate:
            if addr not in vma:
                raise BadLayout(f"{addr:#x} is not in {vma}; populate addresses inside the range")
            kind = "huge" if huge else "file" if file is not None else "anon"
            page = next(given) if given is not None else self.machine.new_frame(kind, "page")
            self.place(addr, page, write=write, dirty=dirty)
        return vma

    def place(self, addr: int, page: Frame, *, write: bool = True, dirty: bool = False) -> None:
        """Puts a page at an address in the initial tables; a huge one by a pmd entry, with a deposited table."""
        self.watch(addr)
        page.maps += 1
        level = self.pmd_level.name if page.huge else "pte"
        table = self.initial_table(addr, level)
        raw = self.format.make_leaf(page.pa, level, write=write, accessed=True, dirty=dirty)
        table.contents[self.format.index(addr, level)] = raw
        if level == self.pmd_level.name:
            self._deposits[addr & -self.pmd_level.size] = self.machine.new_frame("pte", link=DEPOSITED)

    def watch(self, *addresses: int) -> None:
        """Declares addresses that may be mapped in the run though they are not at the start.

        Loops over a whole table stop only at declared and populated pages: all other ptes are none for ever, so
        reading them would only make the run longer.
        """
        self._pages.update(addr & -self.format.page_size for addr in addresses)

    def pages_in(self, start: int, end: int) -> list[int]:
        """The declared and populated page addresses in [start, end)."""
        return sorted(addr for addr in self._pages if start <= addr < end)

    def check_watched(self, addr: int) -> None:
        """Raises `BadLayout` for a page that was never declared."""
        if addr & -self.format.page_size not in self._pages:
            raise BadLayout(f"{addr:#x} gets mapped in the run; call mm.watch({addr:#x}) when building")

    def initial_table(self, addr: int, level: str) -> Frame:
        """The table of that level for an address, made with all tables above it if need be."""
        table = self.pgd
        for upper in self.format.levels:
            if upper.name == level:
                return table
            index = self.format.index(addr, upper)
            child = self.machine.child(table.contents.get(index, 0), upper)
            if child is None:
                below = self.format.levels[upper.depth + 1].name
                child = self.machine.new_frame(below)
                table.contents[index] = self.format.make_table(child.pa, upper)
            table = child
        raise BadLayout(f"{self.format.name} has no level {level!r}")

    def deposited_at(self, addr: int) -> Frame | None:
        """The table that lies deposited for a huge page of the initial state."""
        return self._deposits.get(addr & -self.pmd_level.size)

    def finish(self) -> None:
        """Makes the cells that name the initial VMAs; called once when the program is made."""
        if self.vma_set >= 0:
            return
        self._initial.sort(key=lambda vma: vma.start)
        add = self.machine.cells.add
        self.vma_set = add(f"VMAs{self._of}", tuple(vma.key for vma in self._initial))
        # pmd_huge_pte: which tables lie deposited, as (address of the huge page, frame number).
        self.deposits = add(
            f"deposited tables{self._of}",
            tuple(sorted((at, table.number) for at, table in self._deposits.items())),
        )
        for mm in self.kernel.mms:
            for vma in mm._initial:
                for tree in vma.rmap_trees:
                    if tree.vmas < 0:
                        on = [v for m in self.kernel.mms for v in m._initial if tree in v.rmap_trees]
                        tree.start_with(tuple(on))
