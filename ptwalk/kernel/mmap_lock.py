"""The mmap lock (mmap_sem before 5.8), by the kernel's names.

Room: kernel.  *Source*: include/linux/mmap_lock.h, 5.15; with VMA locks (6.4) a writer that unlocks or
downgrades also ends the VMA write locks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.kernel.vma_lock import VmaEndWriteAll
from ptwalk.machine.operation import Operation
from ptwalk.machine.rwsem import (
    assert_locked,
    down_read,
    down_read_trylock,
    down_write,
    down_write_trylock,
    downgrade_write,
    up_read,
    up_write,
)

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


def mmap_read_lock(mm: Mm) -> Operation:
    """Attached VMAs neither go nor change shape while it is held; detached ones are still being unmapped."""
    return down_read(mm.mmap_lock)


def mmap_read_trylock(mm: Mm) -> Operation:
    """Takes it for reading if that needs no wait; the result says whether it did."""
    return down_read_trylock(mm.mmap_lock)


def mmap_read_unlock(mm: Mm) -> Operation:
    """Drops the read lock: whatever VMA was found under it must be found again."""
    return up_read(mm.mmap_lock)


def mmap_assert_locked(mm: Mm, *, write: bool = False) -> Operation:
    """mmap_assert_locked and mmap_assert_write_locked: the caller must hold the lock here, in either mode or to write.

    *Source*: include/linux/mmap_lock.h, 5.15.
    """
    return assert_locked(mm.mmap_lock, write=write)


async def mmap_write_lock(mm: Mm) -> None:
    """The sole right to change the set of VMAs."""
    await down_write(mm.mmap_lock)


def mmap_write_trylock(mm: Mm) -> Operation:
    """Takes it for writing if it is free; the result says whether it was."""
    return down_write_trylock(mm.mmap_lock)


async def mmap_write_unlock(mm: Mm) -> None:
    """Drops the write lock, and with it all VMA write locks."""
    if mm.kernel.config.has_vma_locks:
        await VmaEndWriteAll(mm)
    await up_write(mm.mmap_lock)


async def mmap_write_downgrade(mm: Mm) -> None:
    """From write to read without a gap: readers may enter from now on, writers may not."""
    if mm.kernel.config.has_vma_locks:
        await VmaEndWriteAll(mm)
    await downgrade_write(mm.mmap_lock)
