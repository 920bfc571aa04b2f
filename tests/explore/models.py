"""Eight small page-table races as step models, in ptwalk's own operations.

They are made for comparing search engines, step for step the same as in other checkers, and are simpler than Linux
(their munmap takes the pmd lock before it clears the pmd): never teach from them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, ClassVar

from ptwalk.machine.cells import Cells
from ptwalk.machine.operation import Memory, Operation
from ptwalk.machine.program import CpuProgram, Program

FREED, DATA, HUGE, YOUNG = 0, 5, 9, 2


@dataclass(frozen=True, slots=True)
class Step(Operation):
    """A step on cell `at`; `frame` and `level` name the page that must still be a table of that level."""

    at: int
    frame: int | None = None
    level: int = 0
    value: int = 0

    changes: ClassVar[bool] = True
    looks: ClassVar[bool] = False

    def footprint(self, cpu: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        reads: tuple[int, ...] = () if self.frame is None else (self.frame,)
        if self.looks or not self.changes:
            reads = (*reads, self.at)
        return reads, ((self.at,) if self.changes else ())

    def text(self) -> str:
        return f"{self.kind} {self.at} {self.value} {self.frame}"


class Read(Step):
    kind = "read"
    changes = False

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        return memory[self.at]


class Write(Step):
    kind = "write"

    def execute(self, memory: Memory, cpu: int) -> None:
        memory[self.at] = self.value


class Clear(Step):
    kind = "clear-young"
    looks = True

    def execute(self, memory: Memory, cpu: int) -> None:
        memory[self.at] &= self.value


class Add(Step):
    kind = "add"
    looks = True

    def execute(self, memory: Memory, cpu: int) -> None:
        memory[self.at] += self.value


class TryGet(Step):
    kind = "try-get"
    looks = True

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        if memory[self.at] <= 0:
            return 0
        memory[self.at] += 1
        return 1


class Lock(Step):
    kind = "lock"
    looks = True

    def enabled(self, memory: Memory, cpu: int) -> bool:
        return memory[self.at] == 0

    def execute(self, memory: Memory, cpu: int) -> None:
        memory[self.at] = 1


class Unlock(Step):
    kind = "unlock"

    def execute(self, memory: Memory, cpu: int) -> None:
        memory[self.at] = 0


class WaitEven(Step):
    kind = "wait-even"
    changes = False

    def enabled(self, memory: Memory, cpu: int) -> bool:
        return memory[self.at] % 2 == 0

    def execute(self, memory: Memory, cpu: int) -> None:
        return None


class WaitPast(Step):
    kind = "wait-past"
    changes = False

    def enabled(self, memory: Memory, cpu: int) -> bool:
        return memory[self.at] != self.value

    def execute(self, memory: Memory, cpu: int) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Reuse(Operation):
    """The allocator hands the page out again and its new owner fills it."""

    kind = "reuse"
    frame: int
    ptes: tuple[int, ...]

    def footprint(self, cpu: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (), (self.frame, *self.ptes)

    def execute(self, memory: Memory, cpu: int) -> None:
        memory[self.frame] = DATA
        for pte in self.ptes:
            memory[pte] = 1 | YOUNG


@dataclass(frozen=True, slots=True)
class Semaphore(Operation):
    """A step on the reader/writer lock: one cell of its own for each reader, one for the writer."""

    kind = "rwsem"
    do: str
    writer: int
    readers: tuple[int, ...]

    def footprint(self, cpu: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        own = self.readers[cpu]
        match self.do:
            case "down_read":
                return (self.writer,), (own,)
            case "up_read":
                return (), (own,)
            case "down_write":
                return (self.writer, *self.readers), (self.writer,)
            case "downgrade":
                return (), (self.writer, own)
        return (), (self.writer,)

    def enabled(self, memory: Memory, cpu: int) -> bool:
        if self.do == "down_read":
            return bool(memory[self.writer] == 0)
        if self.do == "down_write":
            return memory[self.writer] == 0 and not any(memory[reader] for reader in self.readers)
        return True

    def execute(self, memory: Memory, cpu: int) -> None:
        if self.do in ("down_write", "downgrade", "up_write"):
            memory[self.writer] = int(self.do == "down_write")
        if self.do in ("down_read", "up_read", "downgrade"):
            memory[self.readers[cpu]] = int(self.do != "up_read")

    def text(self) -> str:
        return self.do


def table_is_live(
    before: Memory, cpu: int, operation: Operation, result: Hashable, after: Memory
) -> str | None:
    """The only rule: a step that names a table page finds it still a table of its level."""
    if (
        isinstance(operation, Step)
        and operation.frame is not None
        and before[operation.frame] != operation.level
    ):
        state = "freed" if before[operation.frame] == FREED else "reused"
        verb = "read of" if operation.kind == "read" else "write into"
        return f"{verb} a {state} page-table page"
    return None


class Layout:
    """The cells of one model with `entries` ptes and `walkers` walker CPUs."""

    def __init__(self, entries: int, walkers: int) -> None:
        self.cells = cells = Cells()
        self.walkers = walkers
        self.frames = [cells.add(f"state of frame {f}", 4 - f) for f in range(4)]
        self.pgd, self.pud, self.pmd = (cells.add(n, v) for n, v in (("pgd", 1), ("pud", 2), ("pmd", 3)))
        self.pte = [cells.add(f"pte[{k}]", 1 | YOUNG) for k in range(entries)]
        self.ref = [cells.add(f"count[{k}]", 1) for k in range(entries)]
        self.ptl = {2: cells.add("pmd lock"), 3: cells.add("pte lock")}
        self.vma = cells.add("vma", 1)
        self.writer = cells.add("writer")
        self.readers = tuple(cells.add(f"reader {c}") for c in range(walkers + 1))
        self.irq = [cells.add(f"irq {c}") for c in range(walkers)]

    def sem(self, do: str) -> Semaphore:
        return Semaphore(do, self.writer, self.readers)

    def on(self, frame: int) -> tuple[int, int]:
        return self.frames[frame], 4 - frame


async def mkold(m: Layout, me: int, lock: str) -> None:
    if lock != "none":
        await m.sem("down_read")
        if lock == "vma" and not await Read(m.vma):
            await m.sem("up_read")
            return
    await Read(m.pgd, *m.on(0))
    await Read(m.pud, *m.on(1))
    if await Read(m.pmd, *m.on(2)) == 3:
        await Lock(m.ptl[3], *m.on(3))
        for pte in m.pte:
            if await Read(pte, *m.on(3)):
                await Clear(pte, *m.on(3), value=1)
        await Unlock(m.ptl[3], *m.on(3))
    if lock != "none":
        await m.sem("up_read")


async def gup(m: Layout, me: int, lock: str) -> None:
    await Add(m.irq[me], value=1)
    await Read(m.pgd, *m.on(0))
    await Read(m.pud, *m.on(1))
    table = await Read(m.pmd, *m.on(2))
    if table == 3:
        for pte, ref in zip(m.pte, m.ref, strict=True):
            value = await Read(pte, *m.on(3))
            if not value or not await TryGet(ref):
                break
            if await Read(m.pmd, *m.on(2)) != table or await Read(pte, *m.on(3)) != value:
                await Add(ref, value=-1)
                break
    await Add(m.irq[me], value=1)


async def munmap(m: Layout, free: str, counts: bool) -> None:
    await m.sem("down_write")
    await Write(m.vma)
    await m.sem("downgrade")
    await Lock(m.ptl[3], *m.on(3))
    for pte in m.pte:
        await Write(pte, *m.on(3))
    await Unlock(m.ptl[3], *m.on(3))
    if counts:
        for ref in m.ref:
            await Add(ref, value=-1)
    await Lock(m.ptl[2], *m.on(2))
    await Write(m.pmd, *m.on(2))
    await Unlock(m.ptl[2], *m.on(2))
    if free == "ipi":
        for irq in m.irq:
            await WaitEven(irq)
    elif free == "rcu":
        inside = [await Read(irq) for irq in m.irq]
        for irq, value in zip(m.irq, inside, strict=True):
            if value & 1:
                await WaitPast(irq, value=value)
    await Write(m.frames[3], value=FREED)
    await Reuse(m.frames[3], tuple(m.pte))
    await m.sem("up_read")


async def collapse(m: Layout, free: str, counts: bool) -> None:
    await m.sem("down_write")
    await Lock(m.ptl[2], *m.on(2))
    await Write(m.pmd, *m.on(2))
    await Unlock(m.ptl[2], *m.on(2))
    await Lock(m.ptl[3], *m.on(3))
    for pte in m.pte:
        await Read(pte, *m.on(3))
    for pte in m.pte:
        await Write(pte, *m.on(3))
    await Unlock(m.ptl[3], *m.on(3))
    await Lock(m.ptl[2], *m.on(2))
    await Write(m.pmd, *m.on(2), value=HUGE)
    await Unlock(m.ptl[2], *m.on(2))
    await Write(m.frames[3], value=FREED)
    await Reuse(m.frames[3], tuple(m.pte))
    await m.sem("up_write")


Walker = Callable[[Layout, int, str], Coroutine[Any, Any, None]]
Mutator = Callable[[Layout, str, bool], Coroutine[Any, Any, None]]

# walker, mutator, mmap lock of the walker, how the table page is freed
VARIANTS: dict[str, tuple[Walker, Mutator, str, str]] = {
    "R1": (mkold, munmap, "none", "none"),
    "R1f": (mkold, munmap, "vma", "none"),
    "R1r": (mkold, munmap, "read", "none"),
    "R2": (mkold, collapse, "none", "none"),
    "R2f": (mkold, collapse, "read", "none"),
    "R3a": (gup, munmap, "none", "none"),
    "R3b": (gup, munmap, "none", "ipi"),
    "R3c": (gup, munmap, "none", "rcu"),
}


def model(variant: str, entries: int = 1, walkers: int = 1) -> Program:
    """The model `variant` with `entries` ptes (K) and `walkers` walkers (W); the mutator is the last CPU."""
    m = Layout(entries, walkers)
    walker, mutator, lock, free = VARIANTS[variant]
    cpus = [
        CpuProgram(f"walker{c}", lambda c=c: walker(m, c, lock))  # type: ignore[misc]
        for c in range(walkers)
    ]
    cpus.append(CpuProgram("mutator", lambda: mutator(m, free, walker is gup)))
    return Program(f"{variant} K={entries} W={walkers}", m.cells, tuple(cpus), observers=(table_is_live,))
