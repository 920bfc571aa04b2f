"""The hardware walk: from a root table and an address to a frame, one entry of each level, nothing else.

Storey 2: knows `arch`, `trace` and the memory protocol; never Linux, locks or who asked.  It walks a
captured core and the simulated memory alike, changes nothing, and decodes nothing: the record does that
when somebody looks.

*Locking*: none; what the hardware reads, it reads whenever it likes.
*Source*: Intel SDM vol. 3, 4.5 (x86-64); Arm ARM, D8.2 and D8.3 (arm64).
"""

from __future__ import annotations

from functools import lru_cache
from operator import index
from typing import SupportsIndex

from ptwalk.arch import Format
from ptwalk.errors import AddressError, MissingMemory
from ptwalk.trace.walk import MISSING_MEMORY, NOT_CANONICAL, NOT_PRESENT, RESERVED_BIT, WalkRecord

from .physmem import PhysicalMemory

Step = tuple[int, int, int, int, int, int, int, int]
"""One level of the bare walk: shift, index mask, table test (mask, value), leaf test (mask, value), leaf
address mask, bytes that one entry covers."""


@lru_cache(maxsize=64)
def _steps(format: Format) -> tuple[Step, ...]:
    tests = zip(format.levels, format.table_tests, format.leaf_tests, format.leaf_address_masks, strict=True)
    return tuple(
        (level.shift, level.entries - 1, *table, *leaf, address, level.size)
        for level, table, leaf, address in tests
    )


def virtual_address(va: SupportsIndex) -> int:
    """A virtual address from any kind of integer (numpy's too).  Raises `AddressError` if it is no 64-bit number."""
    try:
        number = index(va)
    except TypeError:
        number = -1
    if not 0 <= number < 1 << 64:
        raise AddressError(f"{va!r} is no virtual address: give a number from 0 to 2^64-1")
    return number


def walk(memory: PhysicalMemory, root: int, format: Format, va: SupportsIndex) -> WalkRecord:
    """Translate one virtual address as the hardware does, and say every step of it.

    `root` is the physical address of the top table (not a register's value: see `Format.root_address`),
    `va` any 64-bit address. The record tells the frame, or what stopped the walk: an entry that is not
    present or has a reserved bit set, a table that `memory` does not hold, an address that is none of this
    format's. Raises `AddressError` if `va` is no 64-bit number; nothing else.
    """
    if not isinstance(va, int) or not 0 <= va < 1 << 64:
        va = virtual_address(va)
    if not format.covers(va):
        return WalkRecord(va, format, root, (), None, None, NOT_CANONICAL)
    read = memory.read_u64
    table_mask = format.table_address_mask
    high_parts = format.address_high_parts
    table = root
    raws: tuple[int, ...] = ()
    for shift, index_mask, table_test, table_is, leaf_test, leaf_is, leaf_mask, size in _steps(format):
        try:
            raw = read(table + 8 * ((va >> shift) & index_mask))
        except MissingMemory:
            return WalkRecord(va, format, root, raws, None, None, MISSING_MEMORY)
        raws += (raw,)
        if raw & table_test == table_is:
            table = raw & table_mask
            for mask, up in high_parts:
                table |= (raw & mask) << up
        elif raw & leaf_test == leaf_is:
            physical = raw & leaf_mask
            for mask, up in high_parts:
                physical |= (raw & mask) << up
            return WalkRecord(va, format, root, raws, physical + (va & (size - 1)), size)
        else:
            break
    reason = RESERVED_BIT if raw & format.present_mask else NOT_PRESENT
    return WalkRecord(va, format, root, raws, None, None, reason)
