"""The per-VMA lock (6.4 and later): the VMA stays attached without the mmap lock.

Room: kernel.  A reader counts itself in and fails if the VMA's sequence number equals the mm's, which means
"write-locked until the mmap lock is dropped or downgraded".
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.kernel.vma import FindVma, MmOperation, Vma
from ptwalk.machine.locks import HeldLock
from ptwalk.machine.operation import Footprint, Operation, Violation
from ptwalk.machine.processor import rcu_read_lock, rcu_read_unlock

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


class VmaLock:
    """Cells of the per-VMA lock: one reader cell for each CPU, and the sequence number of its last writer."""

    __slots__ = ("vma", "name", "readers", "seq")

    def __init__(self, vma: Vma) -> None:
        machine = vma.mm.machine
        self.vma = vma
        self.name = f"lock of {vma} of {vma.mm.name}"
        add = machine.cells.add
        self.seq = add(f"{self.name}: sequence", -1)
        self.readers = tuple(add(f"{self.name}: reader CPU{cpu.index}", 0) for cpu in machine.cpus)
        machine.held_locks[f"{self.name}:read"] = HeldLock(self.name, "vma_lock", "read", True, None)


class VmaStartRead(Operation):
    """Counts this CPU in as a reader, unless the VMA is write-locked or detached; the result says whether."""

    __slots__ = ("vma",)
    kind = "vma_start_read"

    def __init__(self, vma: Vma) -> None:
        self.vma = vma

    def footprint(self, cpu: int) -> Footprint:
        vma, mm = self.vma, self.vma.mm
        own = (vma.lock.readers[cpu], mm.machine.cpus[cpu].held)
        return (vma.lock.seq, mm.lock_seq, mm.vma_set, *own), own

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        vma, mm = self.vma, self.vma.mm
        if memory[vma.lock.seq] == memory[mm.lock_seq] or vma.key not in memory[mm.vma_set]:
            return False
        memory[vma.lock.readers[cpu]] += 1
        held = mm.machine.cpus[cpu].held
        memory[held] = (*memory[held], f"{vma.lock.name}:read")
        return True

    def text(self) -> str:
        return f"tries to read-lock {self.vma}"


class VmaEndRead(Operation):
    """Counts this CPU out."""

    __slots__ = ("vma",)
    kind = "vma_end_read"

    def __init__(self, vma: Vma) -> None:
        self.vma = vma

    def footprint(self, cpu: int) -> Footprint:
        own = (self.vma.lock.readers[cpu], self.vma.mm.machine.cpus[cpu].held)
        return own, own

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        held, token = self.vma.mm.machine.cpus[cpu].held, f"{self.vma.lock.name}:read"
        if token not in memory[held]:
            raise Violation(f"CPU{cpu} drops the {self.vma.lock.name}, which it does not hold")
        memory[held] = tuple(t for t in memory[held] if t != token)
        memory[self.vma.lock.readers[cpu]] -= 1
        return None

    def text(self) -> str:
        return f"read-unlocks {self.vma}"


class VmaStartWrite(Operation):
    """Marks the VMA write-locked; blocked until no reader is inside."""

    __slots__ = ("vma",)
    kind = "vma_start_write"

    def __init__(self, vma: Vma) -> None:
        self.vma = vma

    def footprint(self, cpu: int) -> Footprint:
        vma = self.vma
        return (vma.mm.lock_seq, vma.lock.seq, *vma.lock.readers), (vma.lock.seq,)

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        return not any(memory[reader] for reader in self.vma.lock.readers)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.vma.lock.seq] = memory[self.vma.mm.lock_seq]
        return None

    def text(self) -> str:
        return f"write-locks {self.vma}"


class VmaEndWriteAll(MmOperation):
    """Ends all VMA write locks of the mm by moving its sequence number on."""

    __slots__ = ()
    kind = "vma_end_write_all"

    def footprint(self, cpu: int) -> Footprint:
        return (self.mm.lock_seq,), (self.mm.lock_seq,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.mm.lock_seq] += 1
        return None

    def text(self) -> str:
        return f"ends all VMA write locks of {self.mm.name}"


async def lock_vma_under_rcu(mm: Mm, addr: int) -> Vma | None:
    """Read-locks the VMA at `addr` without the mmap lock; None means: take the mmap lock instead.

    *Locking*: none before; the VMA's lock for reading after success, until `vma_end_read`.
    *May see*: a VMA being detached or write-locked: then it gives up.
    *Source*: mm/memory.c lock_vma_under_rcu, 6.4.6; None at once on kernels without VMA locks.
    """
    if not mm.kernel.config.has_vma_locks:
        return None
    await rcu_read_lock(mm.machine)
    vma = await FindVma(mm, addr)
    if vma is not None and (addr not in vma or not await VmaStartRead(vma)):
        vma = None
    await rcu_read_unlock(mm.machine)
    return vma


def vma_end_read(vma: Vma) -> Operation:
    """Drops the VMA's read lock."""
    return VmaEndRead(vma)


async def vma_start_write(vma: Vma) -> None:
    """Write-locks the VMA until the mmap lock is dropped or downgraded; nothing on kernels without VMA locks.

    *Locking*: mmap_lock for writing.
    *Source*: include/linux/mm.h vma_start_write, 6.4.6.
    """
    if vma.mm.kernel.config.has_vma_locks:
        await VmaStartWrite(vma)
