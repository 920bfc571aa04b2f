"""From steps to observations: how sanitizers are hung into a program.

Storey 2 (machine).  Knows which operation touches what, and the values of `trace.observation`.  An observation
holds what the step's footprint names, no more: the explorer would not stand for it otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ptwalk.machine.entries import ChangeEntry, ClearEntry, EntryOperation, RereadEntry
from ptwalk.machine.folio import PutPage
from ptwalk.machine.frames import PAGES, Frame, FrameOperation, FreeFrame
from ptwalk.machine.locks import LockOperation, SpinOperation
from ptwalk.machine.operation import Memory, Operation
from ptwalk.machine.processor import DEPTH
from ptwalk.machine.tlb import HardwareLoad, TouchPage
from ptwalk.trace.observation import CachedSeen, EndOfRun, FrameSeen, LockSeen, Observation, PageSeen
from ptwalk.trace.report import Report

if TYPE_CHECKING:
    from ptwalk.arch import Level
    from ptwalk.machine.machine import Machine
    from ptwalk.machine.program import Observer


class Sanitizer(Protocol):
    """What a sanitizer offers; see the sanitizers room."""

    name: str

    def observe(self, seen: Observation) -> Report | None:
        """The report of a broken rule, or None."""


def observer(machine: Machine, sanitizers: Sequence[Sanitizer]) -> Observer:
    """One observer for a program that asks all sanitizers, in their order, about each step."""

    def watch(before: Memory, cpu: int, operation: Operation, result: Any, after: Memory) -> Report | None:
        seen = observe(machine, before, cpu, operation, result, after)
        for sanitizer in sanitizers:
            report = sanitizer.observe(seen)
            if report is not None:
                return report
        return None

    return watch


def observe(
    machine: Machine, before: Memory, cpu: int, operation: Operation, result: Any, after: Memory
) -> Observation:
    """The observation of one step."""
    reads, writes = operation.footprint(cpu)
    cells = {*reads, *writes}
    here = machine.cpus[cpu]
    fields: dict[str, Any] = {"result": result}
    if here.held in cells:
        fields["held"] = tuple(_lock(machine, token) for token in before[here.held])
    if here.irq in cells:
        fields["irqs_on"] = bool(before[here.irq])
    if here.rcu in cells:
        fields["in_rcu"] = bool(before[here.rcu] & DEPTH)
        fields["sections"] = here.sections(before)
    frame: Frame | None = None
    if isinstance(operation, EntryOperation | HardwareLoad):
        pointer = operation.pointer
        frame = pointer.frame
        fields |= {"level": pointer.level.name, "index": pointer.index, "old": before[pointer.cell]}
        fields["new"] = after[pointer.cell]
        if isinstance(operation, ChangeEntry) and operation.linked is not None and after[pointer.cell]:
            fields["links"] = _frame(operation.linked, before, cells)
        if isinstance(operation, ClearEntry) and operation.users is not None:
            fields["users"] = operation.users.left(before)
        if isinstance(operation, RereadEntry) and operation.last and result:
            held = all(before[link.cell] == entry.raw for link, entry in operation.chain)
            fields["claim"] = held or bool(before[here.claim])
    elif isinstance(operation, LockOperation):
        lock = operation.lock
        frame = lock.frame
        fields["lock"] = _lock(machine, f"{lock.name}:{operation.mode}")
        if isinstance(operation, SpinOperation):
            fields["owner"] = _holder(before[operation.lock.cell])
    elif isinstance(operation, FrameOperation | TouchPage):
        frame = operation.frame
        if isinstance(operation, FreeFrame):
            fields["owner"] = _holder(before[frame.lock.cell])
        if isinstance(operation, FreeFrame | PutPage):
            fields["cached"] = tuple(
                CachedSeen(other.index, *entry)
                for other in machine.cpus
                if other.tlb >= 0
                for entry in before[other.tlb]
            )
    if frame is not None:
        fields["frame"] = _frame(frame, before, cells)
    return Observation(cpu, operation.kind, operation.text(), machine.format, **fields)


def _holder(value: int) -> int | None:
    return value - 1 if value else None


def _lock(machine: Machine, token: str) -> LockSeen:
    held = machine.held_locks[token]
    level = ""
    if held.frame is not None and held.frame >= 0:
        level = machine.cells.initial[machine.frame(held.frame).life].kind  # type: ignore[attr-defined]
    return LockSeen(held.name, held.lock_class, held.mode, held.sleeps, held.frame, level)


def _frame(frame: Frame, memory: Any, cells: set[int] | None = None) -> FrameSeen:
    life = memory[frame.life]
    link, owner = "", None
    if cells is None or frame.link in cells:
        link = memory[frame.link]
    if cells is None or frame.owner in cells:
        owner = _holder(memory[frame.owner])
    return FrameSeen(frame.number, frame.pa, life.state, life.kind, life.generation, link, owner)


def at_end(machine: Machine, memory: Sequence[Any], roots: Sequence[Frame]) -> EndOfRun:
    """What is left in a whole memory vector."""
    # Also pages that no step counted yet: what is found must not depend on which executions were run before.
    lives = [*memory, *machine.cells.initial[len(memory) :]]
    folios = [frame.folio for frame in machine.frames() if lives[frame.life].kind in PAGES]
    whole = [*memory, *machine.cells.initial[len(memory) :]]
    linked: set[int] = set()
    maps: dict[int, int] = {}
    dirty: set[int] = set()
    levels = machine.format.levels
    reached = list(roots)
    while reached:
        table = reached.pop()
        kind = whole[table.life].kind
        level = next((level for level in levels if level.name == kind), levels[-1])
        for index in {*table.contents, *table.entry_cells}:
            raw = whole[table.entry_cells[index]] if index in table.entry_cells else table.contents[index]
            child = machine.child(raw, level)
            if child is None:
                page = _mapped(machine, raw, level)
                if page is not None:
                    maps[page.number] = maps.get(page.number, 0) + 1
                    if machine.format.decode(raw, level).dirty:
                        dirty.add(page.number)
            elif child.number not in linked:
                linked.add(child.number)
                reached.append(child)
    frames = tuple(_frame(frame, whole) for frame in machine.frames())
    return EndOfRun(
        format=machine.format,
        frames=frames,
        held=tuple(tuple(_lock(machine, token) for token in whole[cpu.held]) for cpu in machine.cpus),
        irqs_on=tuple(bool(whole[cpu.irq]) for cpu in machine.cpus),
        linked=frozenset(linked),
        waiting=frozenset(whole[machine.callbacks]),
        roots=frozenset(root.number for root in roots),
        deposited=frozenset(
            frame.number for frame in frames if frame.link == "deposited" and frame.state == "table"
        ),
        read_sections=tuple(whole[cpu.rcu] & DEPTH for cpu in machine.cpus),
        mapped=frozenset(maps),
        dirty_mapped=frozenset(dirty),
        pages=tuple(_page(folio.frame, whole, maps.get(folio.frame.number, 0)) for folio in folios),
    )


def _mapped(machine: Machine, raw: int, level: Level) -> Frame | None:
    """The frame of the page that a leaf entry maps, or None."""
    entry = machine.format.decode(raw, level)
    if entry.address is None or not machine.is_page(entry.address):
        return None
    return machine.frame_at(entry.address) if entry.linux_present else None


def _page(frame: Frame, memory: Sequence[Any], entries: int) -> PageSeen:
    folio = frame.folio
    return PageSeen(
        _frame(frame, memory),
        memory[folio.refs],
        memory[folio.mapcount],
        entries,
        str(memory[folio.data]).startswith("written"),
        bool(memory[folio.dirty]),
    )
