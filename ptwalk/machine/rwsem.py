"""The sleeping reader/writer lock: readers, writers, a downgrade, and writers that wait.

Storey 2 (machine).  One cell for each CPU's reading, one for the writer, one that counts waiting writers.
Readers touch only their own cell and read the other two, so readers commute.  A reader that comes while
a writer waits is blocked behind it, as in Linux: a CPU that read-locks twice can deadlock.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.machine.locks import Guard, Lock, LockOperation
from ptwalk.machine.operation import Footprint

if TYPE_CHECKING:
    from ptwalk.machine.machine import Machine


class RwSemaphore(Lock):
    """A `struct rw_semaphore`.

    `await down_read(sem)`, `up_read`, `down_write`, `up_write`, `downgrade_write`, `down_read_trylock`,
    `down_write_trylock`; or `async with sem.read():` and `async with sem.write():`.
    """

    __slots__ = ("writer", "waiting", "readers")
    sleeps = True

    def __init__(self, machine: Machine, name: str, lock_class: str) -> None:
        super().__init__(machine, name, lock_class, None)
        add = machine.cells.add
        self.writer = add(f"{name}: writer", 0, holds_cpu=True)
        self.waiting = add(f"{name}: waiting writers", 0)
        self.readers = tuple(add(f"{name}: reader CPU{cpu.index}", 0) for cpu in machine.cpus)

    def read(self) -> Guard:
        """A guard that holds the lock for reading."""
        return Guard(lambda: DownRead(self), lambda: UpRead(self))

    def write(self) -> Guard:
        """A guard that holds the lock for writing."""
        return Guard(lambda: down_write(self), lambda: UpWrite(self))


class RwsemStep(LockOperation):
    """One step on an rwsem."""

    __slots__ = ()
    lock: RwSemaphore
    verb = ""

    def text(self) -> str:
        return f"{self.verb} the {self.lock.name}"


class ReadStep(RwsemStep):
    """A reader's step: it writes nothing that another reader looks at."""

    __slots__ = ()
    mode = "read"

    def cells(self, cpu: int) -> Footprint:
        own = (self.lock.readers[cpu], self.lock.machine.cpus[cpu].held)
        return (self.lock.writer, self.lock.waiting, *own), own


class DownRead(ReadStep):
    """down_read: takes the lock for reading; blocked while a writer holds it or waits for it."""

    __slots__ = ()
    kind = "down_read"
    verb = "read-locks"

    def cells(self, cpu: int) -> Footprint:
        # Taking a sleeping lock is a point where a non-preemptible kernel may schedule; interrupts must be on.
        here = self.lock.machine.cpus[cpu]
        reads, writes = super().cells(cpu)
        return (*reads, here.rcu, here.irq), (*writes, here.rcu)

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        return not memory[self.lock.writer] and not memory[self.lock.waiting]

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.lock.readers[cpu]] += 1
        self.hold(memory, cpu)
        self.lock.machine.cpus[cpu].may_sleep(memory)
        return None


class DownReadTrylock(ReadStep):
    """down_read_trylock: takes the lock for reading if it can at once, and says whether it did."""

    __slots__ = ()
    kind = "down_read_trylock"
    verb = "tries to read-lock"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        if memory[self.lock.writer] or memory[self.lock.waiting]:
            return False
        memory[self.lock.readers[cpu]] += 1
        self.hold(memory, cpu)
        return True


class UpRead(ReadStep):
    """up_read: one reader less."""

    __slots__ = ()
    kind = "up_read"
    verb = "read-unlocks"

    def cells(self, cpu: int) -> Footprint:
        own = (self.lock.readers[cpu], self.lock.machine.cpus[cpu].held)
        return own, own

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        self.drop(memory, cpu)
        memory[self.lock.readers[cpu]] -= 1
        return None


class WriteStep(RwsemStep):
    """A writer's step: it looks at every reader and changes what all look at."""

    __slots__ = ()

    def cells(self, cpu: int) -> Footprint:
        here = self.lock.machine.cpus[cpu]
        own = (here.held, here.rcu)
        return (self.lock.writer, self.lock.waiting, *self.lock.readers, *own, here.irq), (
            self.lock.writer,
            self.lock.waiting,
            *own,
        )

    def free(self, memory: list[Any]) -> bool:
        """Neither a reader nor a writer holds it."""
        return not memory[self.lock.writer] and not any(memory[reader] for reader in self.lock.readers)

    def take(self, memory: list[Any], cpu: int) -> None:
        memory[self.lock.writer] = cpu + 1
        self.hold(memory, cpu)
        self.lock.machine.cpus[cpu].may_sleep(memory)


class DownWrite(WriteStep):
    """Takes the lock if it is free, else gets in line: one step, never blocked; says whether it has it."""

    __slots__ = ()
    kind = "down_write"
    verb = "write-locks (or waits for)"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        if self.free(memory):
            self.take(memory, cpu)
            return True
        memory[self.lock.waiting] += 1
        return False


class DownWriteSlow(WriteStep):
    """The end of the wait in line: blocked while the lock is held."""

    __slots__ = ()
    kind = "down_write_slow"
    verb = "gets its turn and write-locks"

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        return self.free(memory)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.lock.waiting] -= 1
        self.take(memory, cpu)
        return None


class DownWriteTrylock(WriteStep):
    """down_write_trylock: takes the lock for writing if nobody holds it, and says whether it did."""

    __slots__ = ()
    kind = "down_write_trylock"
    verb = "tries to write-lock"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        if not self.free(memory):
            return False
        memory[self.lock.writer] = cpu + 1
        self.hold(memory, cpu)
        return True


class UpWrite(RwsemStep):
    """up_write: the writer leaves."""

    __slots__ = ()
    kind = "up_write"
    verb = "write-unlocks"

    def cells(self, cpu: int) -> Footprint:
        own = (self.lock.writer, self.lock.machine.cpus[cpu].held)
        return own, own

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        self.drop(memory, cpu)
        memory[self.lock.writer] = 0
        return None


class DowngradeWrite(RwsemStep):
    """From writer to reader with no gap between."""

    __slots__ = ()
    kind = "downgrade_write"
    verb = "downgrades"

    def cells(self, cpu: int) -> Footprint:
        own = (self.lock.writer, self.lock.readers[cpu], self.lock.machine.cpus[cpu].held)
        return own, own

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        name = self.lock.name
        memory[self.lock.writer] = 0
        memory[self.lock.readers[cpu]] += 1
        held = self.lock.machine.cpus[cpu].held
        memory[held] = tuple(f"{name}:read" if token == f"{name}:write" else token for token in memory[held])
        return None

    def text(self) -> str:
        return f"downgrades the {self.lock.name} to read"


class AssertLocked(LockOperation):
    """lockdep's question whether this CPU holds the lock; observers see the answer, the code does not."""

    __slots__ = ("mode",)
    kind = "assert_locked"

    def __init__(self, lock: RwSemaphore, mode: str) -> None:
        super().__init__(lock)
        self.mode = mode

    def cells(self, cpu: int) -> Footprint:
        return (self.lock.machine.cpus[cpu].held,), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        return None

    def text(self) -> str:
        how = " for writing" if self.mode == "write" else ""
        return f"asserts that it holds the {self.lock.name}{how}"


def assert_locked(sem: RwSemaphore, *, write: bool = False) -> LockOperation:
    """Says that this CPU must hold the lock here, for writing if asked: a claim that the lock rules check."""
    return AssertLocked(sem, "write" if write else "read")


def down_read(sem: RwSemaphore) -> LockOperation:
    """Takes the lock for reading; blocked while a writer holds it or waits for it."""
    return DownRead(sem)


def down_read_trylock(sem: RwSemaphore) -> LockOperation:
    """Takes the lock for reading if that needs no wait; the result says whether it did."""
    return DownReadTrylock(sem)


def up_read(sem: RwSemaphore) -> LockOperation:
    """Gives the read lock back."""
    return UpRead(sem)


async def down_write(sem: RwSemaphore) -> None:
    """Takes the lock for writing: at once if it is free, else in line, keeping new readers out."""
    if not await DownWrite(sem):
        await DownWriteSlow(sem)


def down_write_trylock(sem: RwSemaphore) -> LockOperation:
    """Takes the lock for writing if it is free; the result says whether it was."""
    return DownWriteTrylock(sem)


def up_write(sem: RwSemaphore) -> LockOperation:
    """Gives the write lock back."""
    return UpWrite(sem)


def downgrade_write(sem: RwSemaphore) -> LockOperation:
    """Turns this CPU's write lock into a read lock in one step: readers may enter, writers may not."""
    return DowngradeWrite(sem)
