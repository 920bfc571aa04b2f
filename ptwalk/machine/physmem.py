"""Physical memory as everybody who reads it sees it: two methods, and an error where there is nothing.

Storey 2: knows `errors` alone.  A captured core and the simulated machine both satisfy the protocol,
so that one hardware walk (`machine.mmu`) serves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from ptwalk.errors import AddressError, MissingMemory


@runtime_checkable
class PhysicalMemory(Protocol):
    """What a hardware walk needs of a memory: to read a word, and to read bytes, at a physical address."""

    def read_u64(self, pa: int) -> int:
        """The 64-bit little-endian word at physical address `pa` (a multiple of 8).

        Raises `MissingMemory` where the memory holds nothing.
        """
        ...

    def read(self, pa: int, length: int) -> bytes:
        """`length` bytes from physical address `pa` on.

        Raises `MissingMemory` where the memory does not hold all of them.
        """
        ...


class WordMemory:
    """A physical memory made by hand: a few 64-bit words, and, if wanted, another memory below them.

    `words` maps physical addresses (multiples of 8) to 64-bit values. Where it says nothing, `base` is
    asked; without a base there is nothing, unless the page (`page_size` bytes) holds some word: the
    rest of a page that was begun reads as zero, as a fresh table does. Over a capture this answers
    "what if this entry were different?" without changing the capture.
    """

    def __init__(
        self,
        words: Mapping[int, int] | None = None,
        base: PhysicalMemory | None = None,
        page_size: int = 4096,
    ) -> None:
        self.words: dict[int, int] = {}
        self.base = base
        self.page_size = page_size
        self._pages: set[int] = set()
        for pa, value in (words or {}).items():
            self.write_u64(pa, value)

    def write_u64(self, pa: int, value: int) -> None:
        """Put `value` (0 to 2^64-1) at physical address `pa` (a multiple of 8)."""
        if pa < 0 or pa >= 1 << 64 or pa % 8:
            raise AddressError(f"{pa:#x} is no address of a 64-bit word: give a multiple of 8 below 2^64")
        if not 0 <= value < 1 << 64:
            raise AddressError(f"{value:#x} does not fit in 64 bits: give a value from 0 to 2^64-1")
        self.words[pa] = value
        self._pages.add(pa // self.page_size)

    def read_u64(self, pa: int) -> int:
        """The 64-bit word at physical address `pa`."""
        word = self.words.get(pa)
        if word is not None:
            return word
        if self.base is not None:
            return self.base.read_u64(pa)
        if pa // self.page_size in self._pages:
            return 0
        raise MissingMemory(pa)

    def read(self, pa: int, length: int) -> bytes:
        """`length` bytes from physical address `pa` on, words put here laid over those of the base."""
        first, last = pa & ~7, (pa + length + 7) & ~7
        if self.base is None:
            data = b"".join(self.read_u64(at).to_bytes(8, "little") for at in range(first, last, 8))
            return data[pa - first : pa - first + length]
        out = bytearray(self.base.read(pa, length))
        # Whichever is fewer, the words put here or the words asked for, is the one to go through.
        wanted = range(first, last, 8)
        for at in self.words if len(self.words) < len(wanted) else wanted:
            if at in self.words and first <= at < last:
                for i, byte in enumerate(self.words[at].to_bytes(8, "little"), at - pa):
                    if 0 <= i < length:
                        out[i] = byte
        return bytes(out)
