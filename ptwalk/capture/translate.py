"""Many translations at once: the tables of one root compiled to flat arrays, and a gather for each level.

Part of `capture`; the one module of it that needs numpy, imported when the first array is translated.

How it works.  Each level becomes one array with a slot for every entry of every table in use.  A slot says
where the next level's table begins there, so a level costs a shift, a mask and one gather for all addresses
together.  An address whose walk ends early (a huge page, an empty entry) must wait for the others without a
branch: its slot leads to a single slot of the next level, and its index counts for nothing from there on.
The lowest level's slots hold frames, with a small number in the low bits that says what sort of end it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ptwalk.arch import Format
from ptwalk.errors import AddressError, CaptureError, MissingMemory
from ptwalk.machine.physmem import PhysicalMemory

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

NO_FRAME = (1 << 64) - 1
"""What `Translation.physical` holds where there is no frame."""

NOT_CANONICAL = -1
"""What `Translation.fault_level` holds for an address that no table of this format translates."""

MOST_SLOTS = 1 << 26
"""A root may reach tables with at most this many entries together (512 MiB of arrays)."""

# Addresses are translated in pieces of this many, so that scratch arrays stay in the processor's cache.
_PIECE = 1 << 14

# The sorts of end, in the low bits of a final word: a leaf at depth n is n; a walk stopped by an entry at depth n
# is _STOPPED + n; a table of depth n that is not in memory is _MISSING + n.
_STOPPED, _MISSING, _OUTSIDE, _SORTS = 8, 16, 31, 32
_SORT_MASK = 0xFFF


@dataclass(frozen=True, eq=False)
class Translation:
    """The answers for an array of addresses, each array of the same shape as the addresses.

    `physical` (uint64): the physical address, NO_FRAME (2^64-1) where there is none. `page_size` (int64): bytes
    that the leaf descriptor maps, 0 where there is none. `fault_level` (int8): 0 where the address is
    mapped; n > 0 where the walk stopped at its n-th level, so that `format.levels[n - 1]` names it and 1
    is the root; -1 (NOT_CANONICAL) where the address is none of this format's and nothing was read.
    """

    physical: U64
    page_size: I64
    fault_level: npt.NDArray[np.int8]

    @property
    def mapped(self) -> npt.NDArray[np.bool_]:
        """True where the address is mapped."""
        mapped: npt.NDArray[np.bool_] = self.fault_level == 0
        return mapped

    def __len__(self) -> int:
        return len(self.physical)

    def __repr__(self) -> str:
        return f"<Translation of {self.physical.size:,} addresses, {int(self.mapped.sum()):,} mapped>"


def as_addresses(addresses: Any) -> U64:
    """An array of 64-bit addresses from whatever holds them.  Raises `AddressError` for anything else."""
    message = "give addresses as numbers from 0 to 2^64-1, in a list or an array of integers"
    array = addresses if isinstance(addresses, np.ndarray) else None
    try:
        if array is None:
            items = list(addresses)
            # Checked here because an older numpy wraps negative numbers and cuts fractions without a word.
            if any(isinstance(item, float) for item in items) or (items and min(items) < 0):
                raise AddressError(f"a negative number or a fraction is no address: {message}")
            array = np.array(items, dtype=np.uint64)
    except (TypeError, ValueError, OverflowError) as error:
        raise AddressError(f"these are no addresses ({error}): {message}") from error
    if array.dtype.kind not in "ui":
        raise AddressError(f"an array of {array.dtype} holds no addresses: {message}")
    if array.dtype.kind == "i" and array.size and int(array.min()) < 0:
        raise AddressError(
            f"{int(array.min())} is no address: {message} (view(np.uint64) if signed by mistake)"
        )
    return array.astype(np.uint64, copy=False)


class CompiledTables:
    """The tables below one root as flat arrays, ready to translate any number of addresses.

    Built once for a root; later changes of the memory are not seen. Raises `CaptureError` if the root
    reaches more than MOST_SLOTS entries: then it is hardly a root.
    """

    def __init__(self, memory: PhysicalMemory, root: int, format: Format) -> None:
        self.format = format
        self._slots = _compile(memory, root, format)
        sizes = np.zeros(_SORTS, np.int64)
        faults = np.zeros(_SORTS, np.int8)
        for level in format.levels:
            sizes[level.depth] = level.size
            faults[_STOPPED + level.depth] = faults[_MISSING + level.depth] = level.depth + 1
        faults[_OUTSIDE] = NOT_CANONICAL
        self._sizes, self._faults = sizes, faults
        self._offsets = np.maximum(sizes, 1) - 1

    @property
    def entries(self) -> int:
        """How many table entries the arrays hold."""
        return sum(len(slots) for slots in self._slots)

    def translate(self, addresses: U64) -> Translation:
        """Translate a one-dimensional array of addresses."""
        count = len(addresses)
        physical = np.empty(count, np.uint64)
        page_size = np.empty(count, np.int64)
        fault_level = np.empty(count, np.int8)
        for at in range(0, count, _PIECE):
            end = min(at + _PIECE, count)
            self._piece(addresses[at:end], physical[at:end], page_size[at:end], fault_level[at:end])
        return Translation(physical, page_size, fault_level)

    def _piece(self, va: U64, physical: U64, page_size: I64, fault_level: npt.NDArray[np.int8]) -> None:
        levels = self.format.levels
        signed = va.view(np.int64)
        # Arithmetic on signed words: indices are small after the mask, and numpy gathers by signed indices.
        slot = (signed >> levels[0].shift) & (levels[0].entries - 1)
        word = np.take(self._slots[0], slot, mode="clip")
        scratch = np.empty_like(slot)
        for level, slots in zip(levels[1:], self._slots[1:], strict=True):
            # Bit 0 says whether a table follows; if not, the index is masked away.
            np.bitwise_and(word, 1, out=scratch)
            np.negative(scratch, out=scratch)
            np.right_shift(signed, level.shift, out=slot)
            np.bitwise_and(slot, level.entries - 1, out=slot)
            np.bitwise_and(slot, scratch, out=slot)
            np.right_shift(word, 1, out=word)
            np.add(slot, word, out=slot)
            np.take(slots, slot, out=word, mode="clip")
        outside = ~covers(self.format, va)
        if outside.any():
            word[outside] = _OUTSIDE
        np.bitwise_and(word, _SORT_MASK, out=slot)
        np.take(self._sizes, slot, out=page_size, mode="clip")
        np.take(self._faults, slot, out=fault_level, mode="clip")
        np.subtract(page_size, 1, out=scratch)
        np.bitwise_and(scratch, signed, out=scratch)
        np.bitwise_xor(word, slot, out=word)
        np.bitwise_or(word, scratch, out=physical.view(np.int64))
        if fault_level.any():
            physical[fault_level != 0] = NO_FRAME


def _compile(memory: PhysicalMemory, root: int, format: Format) -> list[I64]:
    """One array of slots for each level, top first; the last holds final words."""
    arrays: list[I64] = []
    tables = np.array([root], np.uint64)
    waiting = np.empty(0, np.int64)  # final words of walks that ended above this level
    total = 0
    last = len(format.levels) - 1
    for depth, level in enumerate(format.levels):
        total += len(tables) * level.entries + len(waiting)
        if total > MOST_SLOTS:
            raise CaptureError(
                f"the tables below this root have more than {MOST_SLOTS:,} entries, which no process has:"
                " check that the root and the format belong to this core"
            )
        raw, missing = _read_tables(memory, tables, level.table_bytes)
        table_test, table_is = format.table_tests[depth]
        leaf_test, leaf_is = format.leaf_tests[depth]
        follow = (raw & np.uint64(table_test)) == np.uint64(table_is)
        leaf = (raw & np.uint64(leaf_test)) == np.uint64(leaf_is)
        follow[missing] = leaf[missing] = False
        follow, leaf = follow.ravel(), leaf.ravel()
        raw = raw.ravel()
        final = np.full(raw.size, _STOPPED + depth, np.int64)
        final[np.repeat(missing, level.entries)] = _MISSING + depth
        address = _addresses(format, raw[leaf], format.leaf_address_masks[depth])
        final[leaf] = address.view(np.int64) | depth
        if depth == last:
            arrays.append(np.concatenate([final, waiting]))
            break
        tables, number = np.unique(
            _addresses(format, raw[follow], format.table_address_mask), return_inverse=True
        )
        below = len(tables) * format.levels[depth + 1].entries
        # Ends: one waiting slot in the next level for each different final word.
        ends, which = np.unique(np.concatenate([final[~follow], waiting]), return_inverse=True)
        slots = np.empty(raw.size + len(waiting), np.int64)
        here = slots[: raw.size]
        here[follow] = (number.ravel() * format.levels[depth + 1].entries << 1) | 1
        here[~follow] = (which[: raw.size - int(follow.sum())] + below) << 1
        slots[raw.size :] = (which[raw.size - int(follow.sum()) :] + below) << 1
        arrays.append(slots)
        waiting = ends
    return arrays


def _read_tables(memory: PhysicalMemory, tables: U64, size: int) -> tuple[U64, npt.NDArray[np.bool_]]:
    raw = np.zeros((len(tables), size // 8), np.uint64)
    missing = np.zeros(len(tables), np.bool_)
    for row, table in enumerate(tables.tolist()):
        try:
            raw[row] = np.frombuffer(memory.read(table, size), "<u8")
        except MissingMemory:
            missing[row] = True
    return raw, missing


def _addresses(format: Format, raw: U64, mask: int) -> U64:
    address = raw & np.uint64(mask)
    for part, up in format.address_high_parts:
        address |= (raw & np.uint64(part)) << np.uint64(up)
    return address


def covers(format: Format, va: U64) -> npt.NDArray[np.bool_]:
    """For each address what `Format.covers` says."""
    # The addresses of a format are 2^va_bits in a row, if 2^64-1 and 0 are neighbours, as in unsigned words.
    first = -(1 << (format.va_bits - 1)) % (1 << 64) if format.arch == "x86-64" else format.sign_extend(0)
    covered: npt.NDArray[np.bool_] = (va - np.uint64(first)) >> np.uint64(format.va_bits) == 0
    return covered
