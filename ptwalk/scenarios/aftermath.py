"""The last look at memory when every CPU is done: what may not be left behind.

Room: scenarios.  Both looks need the address space, which the end of a run as the machine tells it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptwalk.arch import Entry, EntryState
from ptwalk.kernel.mm import Mm
from ptwalk.machine.operation import Memory
from ptwalk.trace.observation import CachedSeen


def stray_mappings(mm: Mm, memory: Memory) -> list[int]:
    """Addresses that an address space maps in one memory vector outside of its attached VMAs."""
    machine, cells = mm.machine, [*memory, *mm.machine.cells.initial[len(memory) :]]
    vmas, levels = cells[mm.vma_set], mm.format.levels
    found: list[int] = []
    tables = [(mm.pgd, 0, 0)]
    while tables:
        table, depth, base = tables.pop()
        level = levels[depth]
        for index in sorted({*table.contents, *table.entry_cells}):
            cell = table.entry_cells.get(index)
            raw = table.contents[index] if cell is None else cells[cell]
            addr = base + (index << level.shift)
            child = machine.child(raw, level)
            if child is not None and depth + 1 < len(levels):
                tables.append((child, depth + 1, addr))
            elif child is None and machine.format.decode(raw, level).linux_present:
                size = level.size
                if not any(start <= addr and addr + size <= end for start, end in vmas):
                    found.append(addr)
    return sorted(found)


def stale_translations(mm: Mm, memory: Memory) -> list[tuple[CachedSeen, int]]:
    """What TLBs and paging-structure caches hold of an address space and its tables do not say any more.

    Each with the word that is in the entry now, 0 where none can be reached.  A translation that allows less than the
    entry is no fault: the CPU walks again.  Nor is an A bit that the entry has lost: Linux clears it without a flush.
    """
    machine = mm.machine
    cells = [*memory, *machine.cells.initial[len(memory) :]]
    if cells[mm.pgd.life].state != "table":
        return []
    found: list[tuple[CachedSeen, int]] = []
    for cpu in (machine.cpus[number] for number in mm.cpumask):
        for va, level, raw in cells[cpu.tlb] if cpu.tlb >= 0 else ():
            now = _entry_now(mm, cells, va, level)
            if _outdated(machine.format.decode(raw, level), machine.format.decode(now, level)):
                found.append((CachedSeen(cpu.index, va, level, raw), now))
    return found


def _entry_now(mm: Mm, cells: Sequence[Any], va: int, name: str) -> int:
    table = mm.pgd
    for level in mm.format.levels:
        index = mm.format.index(va, level)
        cell = table.entry_cells.get(index)
        raw: int = table.contents.get(index, 0) if cell is None else cells[cell]
        if level.name == name:
            return raw
        child = mm.machine.child(raw, level)
        if child is None:
            return 0
        table = child
    return 0


def _outdated(cached: Entry, now: Entry) -> bool:
    if not now.present or (cached.state, cached.address) != (now.state, now.address):
        return True
    if cached.state is EntryState.TABLE:
        return False
    return (cached.writable and not now.writable) or (cached.dirty and not now.dirty)
