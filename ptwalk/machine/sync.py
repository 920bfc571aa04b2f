"""Locks for plain programs: mutex, reader/writer semaphore with downgrade, RCU, interrupts.

Room: machine.  Knows cells and operations.  These are for programs over shared cells (examples, tests, a learner's
first experiments); the simulated kernel has its own.  Every wait is a blocked step, never a spin.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from ptwalk.machine.cells import Cells
from ptwalk.machine.operation import Footprint, Memory, Operation, Violation


@dataclass(frozen=True, slots=True)
class MutexStep(Operation):
    """Lock, try to lock or unlock a mutex."""

    does: str  # "lock", "trylock", "unlock"
    name: str
    cell: int

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What the step does, in one word."""
        return self.does

    def footprint(self, cpu: int) -> Footprint:
        """The one cell that names the owner, read and written."""
        return (self.cell,), (self.cell,)

    def enabled(self, memory: Memory, cpu: int) -> bool:
        """A lock waits until nobody holds the mutex."""
        return self.does != "lock" or memory[self.cell] == 0

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        """Change the owner; a trylock answers True or False."""
        owner = memory[self.cell]
        if self.does == "unlock":
            if owner != cpu + 1:
                holder = f"CPU {owner - 1} holds" if owner else "nobody holds"
                raise Violation(f"unlocks {self.name}, which {holder}")
            memory[self.cell] = 0
            return None
        if owner:
            return False
        memory[self.cell] = cpu + 1
        return True if self.does == "trylock" else None

    def text(self) -> str:
        """Such as "locks m"."""
        return {"lock": "locks", "trylock": "tries to lock", "unlock": "unlocks"}[self.does] + f" {self.name}"


@dataclass(frozen=True, slots=True)
class Mutex:
    """A lock that one CPU at a time can hold; who locks it twice waits for ever."""

    name: str
    cell: int

    def lock(self) -> MutexStep:
        """Take the mutex; waits until it is free."""
        return MutexStep("lock", self.name, self.cell)

    def try_lock(self) -> MutexStep:
        """Take the mutex if it is free; answers whether it was."""
        return MutexStep("trylock", self.name, self.cell)

    def unlock(self) -> MutexStep:
        """Give the mutex back; a violation if this CPU does not hold it."""
        return MutexStep("unlock", self.name, self.cell)


@dataclass(frozen=True, slots=True)
class RwSemStep(Operation):
    """A step on a reader/writer semaphore.

    Each CPU has a reader cell of its own, so that readers are independent of one another by footprint alone.
    """

    does: str
    name: str
    writer: int
    readers: tuple[int, ...]

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What the step does, in one word."""
        return self.does

    def footprint(self, cpu: int) -> Footprint:
        """Readers touch their own cell, a writer looks at all of them."""
        own = self.readers[cpu]
        match self.does:
            case "down_read":
                return (self.writer, own), (own,)
            case "up_read":
                return (own,), (own,)
            case "down_write":
                return (self.writer, *self.readers), (self.writer,)
            case "downgrade_write":
                return (self.writer,), (self.writer, own)
        return (self.writer,), (self.writer,)

    def enabled(self, memory: Memory, cpu: int) -> bool:
        """A reader waits for the writer, a writer for everybody."""
        if self.does == "down_read":
            return bool(memory[self.writer] == 0)
        if self.does == "down_write":
            return memory[self.writer] == 0 and not any(memory[reader] for reader in self.readers)
        return True

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        """Take or give back; a violation if this CPU does not hold what it gives back."""
        own = self.readers[cpu]
        match self.does:
            case "down_read":
                memory[own] += 1
            case "down_write":
                memory[self.writer] = cpu + 1
            case "up_read":
                if not memory[own]:
                    raise Violation(f"gives back {self.name}, which it does not hold for reading")
                memory[own] -= 1
            case _:
                if memory[self.writer] != cpu + 1:
                    raise Violation(f"gives back {self.name}, which it does not hold for writing")
                memory[self.writer] = 0
                if self.does == "downgrade_write":
                    memory[own] = 1
        return None

    def text(self) -> str:
        """Such as "down_read m"."""
        return f"{self.does} {self.name}"


@dataclass(frozen=True, slots=True)
class RwSem:
    """A reader/writer semaphore: many readers or one writer; a writer can become a reader without letting go.

    A writer that waits does not keep new readers out; the simulated kernel's own semaphore does that, as Linux's does.
    """

    name: str
    writer: int
    readers: tuple[int, ...]

    def _step(self, kind: str) -> RwSemStep:
        return RwSemStep(kind, self.name, self.writer, self.readers)

    def down_read(self) -> RwSemStep:
        """Take it for reading; waits while a writer holds it."""
        return self._step("down_read")

    def up_read(self) -> RwSemStep:
        """Give back a reader's hold."""
        return self._step("up_read")

    def down_write(self) -> RwSemStep:
        """Take it for writing; waits until nobody else holds it."""
        return self._step("down_write")

    def up_write(self) -> RwSemStep:
        """Give back the writer's hold."""
        return self._step("up_write")

    def downgrade_write(self) -> RwSemStep:
        """Turn the writer's hold into a reader's."""
        return self._step("downgrade_write")


@dataclass(frozen=True, slots=True)
class SectionStep(Operation):
    """Enter or leave a section that others may wait for: an RCU read section, or interrupts switched off.

    The cell holds (sections begun, depth), so that a waiter can tell one section from the next.
    """

    does: str
    name: str
    enter: bool
    sections: tuple[int, ...]

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What the step does, in one word."""
        return self.does

    def footprint(self, cpu: int) -> Footprint:
        """The CPU's own cell."""
        return (self.sections[cpu],), (self.sections[cpu],)

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        """Count; a violation if there is no section to leave."""
        begun, depth = memory[self.sections[cpu]]
        if self.enter:
            memory[self.sections[cpu]] = (begun + (depth == 0), depth + 1)
        elif depth == 0:
            raise Violation(f"leaves a section of {self.name} that it never entered")
        else:
            memory[self.sections[cpu]] = (begun, depth - 1)
        return None

    def text(self) -> str:
        """Such as "rcu_read_lock rcu"."""
        return f"{self.does} {self.name}"


@dataclass(frozen=True, slots=True)
class WatchStep(Operation):
    """Look who is inside (`seen` is None), or wait until all those have left."""

    does: str
    name: str
    sections: tuple[int, ...]
    seen: tuple[tuple[int, int], ...] | None = field(default=None)

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What the step does, in one word."""
        return self.does

    def footprint(self, cpu: int) -> Footprint:
        """All sections of the others, read only."""
        return tuple(cell for other, cell in enumerate(self.sections) if other != cpu), ()

    def enabled(self, memory: Memory, cpu: int) -> bool:
        """Waits while a section that was seen goes on."""
        if self.seen is None:
            return True
        others = [cell for other, cell in enumerate(self.sections) if other != cpu]
        return all(
            then[1] == 0 or memory[cell][1] == 0 or memory[cell][0] != then[0]
            for cell, then in zip(others, self.seen, strict=True)
        )

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        """Answer who is inside; a wait answers nothing."""
        if self.seen is not None:
            return None
        return tuple(memory[cell] for other, cell in enumerate(self.sections) if other != cpu)

    def text(self) -> str:
        """Such as "waits for the readers of rcu"."""
        return (
            f"looks who reads {self.name}" if self.seen is None else f"waits for {self.seen} in {self.name}"
        )


@dataclass(frozen=True, slots=True)
class Rcu:
    """Read sections, and grace periods that wait for those which had begun."""

    name: str
    sections: tuple[int, ...]

    def read_lock(self) -> SectionStep:
        """Begin a read section; never waits, may nest."""
        return SectionStep("rcu_read_lock", self.name, True, self.sections)

    def read_unlock(self) -> SectionStep:
        """End a read section."""
        return SectionStep("rcu_read_unlock", self.name, False, self.sections)

    async def synchronize(self) -> None:
        """Wait for a grace period: every read section that has begun by now has ended. Two steps."""
        seen: tuple[tuple[int, int], ...] = await WatchStep("snapshot", self.name, self.sections)
        await WatchStep("grace", self.name, self.sections, seen)


@dataclass(frozen=True, slots=True)
class InterruptStep(Operation):
    """Wait until CPU `target` takes interrupts: the moment an interrupt sent to it has been answered."""

    kind = "ipi"
    target: int
    cell: int

    def footprint(self, cpu: int) -> Footprint:
        """The target's interrupt state, read only."""
        return (self.cell,), ()

    def enabled(self, memory: Memory, cpu: int) -> bool:
        """Waits while the target has interrupts off."""
        return bool(memory[self.cell][1] == 0)

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        """The interrupt is answered."""
        return None

    def text(self) -> str:
        """Such as "interrupts CPU 1"."""
        return f"interrupts CPU {self.target}"


@dataclass(frozen=True, slots=True)
class Interrupts:
    """The interrupt flag of every CPU."""

    sections: tuple[int, ...]

    def disable(self) -> SectionStep:
        """Switch interrupts off on this CPU; may nest."""
        return SectionStep("irq_off", "interrupts", True, self.sections)

    def enable(self) -> SectionStep:
        """Switch them on again."""
        return SectionStep("irq_on", "interrupts", False, self.sections)

    def send(self, target: int) -> InterruptStep:
        """Interrupt CPU `target` and wait for its answer."""
        return InterruptStep(target, self.sections[target])


def make_rwsem(cells: Cells, name: str, cpus: int) -> RwSem:
    """A reader/writer semaphore for `cpus` CPUs."""
    writer = cells.add(f"{name}.writer", holds_cpu=True)
    readers = tuple(cells.add(f"{name}.reader[{c}]") for c in range(cpus))
    return RwSem(name, writer, readers)


def make_sections(cells: Cells, name: str, cpus: int) -> tuple[int, ...]:
    """The cells in which each CPU counts its sections of one kind."""
    start: Any = (0, 0)
    return tuple(cells.add(f"{name}[{c}]", start) for c in range(cpus))
