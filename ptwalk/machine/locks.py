"""Locks of the simulated machine: spinlocks, sleeping reader/writer locks, the page lock.

Storey 2 (machine).  Taking a lock that is not free is a blocked step, never a spin.  Each CPU has a cell
with the names of the locks it holds, in the order it took them: reports, lock-order checks and
"sleeps while atomic" need nothing else.

A spinlock may live in a frame.  Then each step on it reads the frame's life: the lock dies with the table.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from ptwalk.machine.operation import Footprint, Operation, Violation

if TYPE_CHECKING:
    from ptwalk.machine.frames import Folio, Frame
    from ptwalk.machine.machine import Machine


class HeldLock(NamedTuple):
    """One entry of a CPU's list of held locks."""

    name: str  # "ptl of frame 3"
    lock_class: str  # "ptl", "mmap_lock", "i_mmap_rwsem", ...
    mode: str  # "write" (or exclusive), "read"
    sleeps: bool
    frame: int | None  # the frame the lock lives in


class _Nothing:
    """What a guard awaits when its coroutine is thrown away in mid-run: no step at all."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return
        yield


NOTHING = _Nothing()


class Guard:
    """`async with` around a lock.  A coroutine that the explorer drops leaves without an unlock step."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], Any], leave: Callable[[], Any]) -> None:
        self._enter = enter
        self._leave = leave

    def __aenter__(self) -> Any:
        return self._enter()

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        return NOTHING if kind is GeneratorExit else self._leave()


class Lock:
    """What all locks share: a name, a class for the lock order, and the books of who holds it."""

    __slots__ = ("machine", "name", "lock_class", "frame", "footprints")
    sleeps = False

    def __init__(self, machine: Machine, name: str, lock_class: str, frame: Frame | None) -> None:
        self.machine = machine
        self.name = name
        self.lock_class = lock_class
        self.frame = frame
        self.footprints: dict[str, tuple[Footprint, ...]] = {}  # of each kind of step, on each CPU
        for mode in ("write", "read"):
            held = HeldLock(name, lock_class, mode, self.sleeps, frame.number if frame is not None else None)
            machine.held_locks[f"{name}:{mode}"] = held

    def __repr__(self) -> str:
        return self.name


class LockOperation(Operation):
    """One step on a lock."""

    __slots__ = ("lock",)
    mode = "write"

    def __init__(self, lock: Lock) -> None:
        self.lock = lock

    def cells(self, cpu: int) -> Footprint:
        """The footprint on one CPU."""
        raise NotImplementedError

    def footprint(self, cpu: int) -> Footprint:
        footprints = self.lock.footprints
        found = footprints.get(self.kind)
        if found is None:
            found = footprints[self.kind] = tuple(self.cells(c.index) for c in self.lock.machine.cpus)
        return found[cpu]

    def hold(self, memory: list[Any], cpu: int) -> None:
        """Writes the lock into the CPU's list."""
        cell = self.lock.machine.cpus[cpu].held
        memory[cell] = (*memory[cell], f"{self.lock.name}:{self.mode}")

    def drop(self, memory: list[Any], cpu: int) -> None:
        """Strikes the lock off the CPU's list; a CPU that drops what it does not hold breaks the rules."""
        cell, token = self.lock.machine.cpus[cpu].held, f"{self.lock.name}:{self.mode}"
        held = memory[cell]
        if token not in held:
            how = "" if self.mode == "write" else f" for {self.mode}"
            raise Violation(f"CPU{cpu} drops the {self.lock.name}, which it does not hold{how}")
        last = len(held) - 1 - held[::-1].index(token)
        memory[cell] = held[:last] + held[last + 1 :]


# ---- spinlocks ----


class SpinLock(Lock):
    """A spinlock; holding it keeps this CPU from being preempted, so it counts as an RCU reader.

    Use `await spin_lock(ptl)` and `await spin_unlock(ptl)`, or `async with ptl:`.
    """

    __slots__ = ("cell",)

    def __init__(self, machine: Machine, name: str, lock_class: str, frame: Frame | None) -> None:
        super().__init__(machine, name, lock_class, frame)
        self.cell = machine.cells.add(name, 0, holds_cpu=True)

    def __aenter__(self) -> Operation:
        return SpinLockStep(self)

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        return NOTHING if kind is GeneratorExit else SpinUnlockStep(self)


class SpinOperation(LockOperation):
    """A step on a spinlock; it reads the life of the frame the lock lives in."""

    __slots__ = ()
    lock: SpinLock

    def cells(self, cpu: int) -> Footprint:
        lock = self.lock
        here = lock.machine.cpus[cpu]
        life = (lock.frame.life,) if lock.frame is not None else ()
        return (*life, lock.cell, here.held, here.rcu, here.irq), (lock.cell, here.held, here.rcu)

    def dead(self, memory: list[Any]) -> bool:
        """The lock's memory is foreign data by now: nobody can say what the lock word holds."""
        frame = self.lock.frame
        return frame is not None and memory[frame.life].state in ("freed", "reused", "wild")


class SpinLockStep(SpinOperation):
    """Takes a spinlock; blocked while another CPU holds it."""

    __slots__ = ()
    kind = "lock"

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        return memory[self.lock.cell] == 0 or self.dead(memory)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.lock.cell] = cpu + 1
        self.hold(memory, cpu)
        self.lock.machine.cpus[cpu].enter_reader(memory)
        return None

    def text(self) -> str:
        return f"takes the {self.lock.name}"


class SpinTrylockStep(SpinOperation):
    """Takes a spinlock if it is not held, and says whether it did; never waits."""

    __slots__ = ()
    kind = "trylock"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        if memory[self.lock.cell]:
            return False
        memory[self.lock.cell] = cpu + 1
        self.hold(memory, cpu)
        self.lock.machine.cpus[cpu].enter_reader(memory)
        return True

    def text(self) -> str:
        return f"tries to take the {self.lock.name}"


class SpinUnlockStep(SpinOperation):
    """Drops a spinlock; a violation if this CPU does not hold it."""

    __slots__ = ()
    kind = "unlock"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.lock.cell] = 0
        self.drop(memory, cpu)
        self.lock.machine.cpus[cpu].leave_reader(memory)
        return None

    def text(self) -> str:
        return f"drops the {self.lock.name}"


def spin_lock(lock: SpinLock) -> Operation:
    """Takes the lock; the step is blocked while another CPU holds it."""
    return SpinLockStep(lock)


def spin_trylock(lock: SpinLock) -> Operation:
    """Takes the lock if it is free; the result says whether it was."""
    return SpinTrylockStep(lock)


def spin_unlock(lock: SpinLock) -> Operation:
    """Drops the lock."""
    return SpinUnlockStep(lock)


# ---- the page lock ----


class PageLock(Lock):
    """The page (folio) lock: a bit lock that sleeps."""

    __slots__ = ("cell",)
    sleeps = True

    def __init__(self, machine: Machine, name: str, lock_class: str, frame: Frame | None) -> None:
        super().__init__(machine, name, lock_class, frame)
        self.cell = machine.cells.add(name, 0, holds_cpu=True)


class PageTrylockStep(LockOperation):
    """Takes the page lock if it is not held, and says whether it did; never waits."""

    __slots__ = ()
    lock: PageLock
    kind = "folio_trylock"

    def cells(self, cpu: int) -> Footprint:
        both = (self.lock.cell, self.lock.machine.cpus[cpu].held)
        return both, both

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        if memory[self.lock.cell]:
            return False
        memory[self.lock.cell] = cpu + 1
        self.hold(memory, cpu)
        return True

    def text(self) -> str:
        return f"tries to take the {self.lock.name}"


class PageLockStep(PageTrylockStep):
    """Takes the page lock; sleeps while another task holds it."""

    __slots__ = ()
    kind = "folio_lock"

    def cells(self, cpu: int) -> Footprint:
        here = self.lock.machine.cpus[cpu]
        reads, writes = super().cells(cpu)
        return (*reads, here.rcu, here.irq), writes

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        return not memory[self.lock.cell]

    def text(self) -> str:
        return f"takes the {self.lock.name}"


class PageUnlockStep(PageTrylockStep):
    """Drops the page lock; a violation if this CPU does not hold it."""

    __slots__ = ()
    kind = "folio_unlock"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        self.drop(memory, cpu)
        memory[self.lock.cell] = 0
        return None

    def text(self) -> str:
        return f"drops the {self.lock.name}"


def folio_lock(folio: Folio) -> Operation:
    """Takes the page lock; it may sleep, so no spinlock may be held."""
    return PageLockStep(folio.lock)


def folio_trylock(folio: Folio) -> Operation:
    """Takes the page lock if it is free; the result says whether it was."""
    return PageTrylockStep(folio.lock)


def folio_unlock(folio: Folio) -> Operation:
    """Drops the page lock."""
    return PageUnlockStep(folio.lock)
