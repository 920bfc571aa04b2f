"""Tables made by hand for what no capture holds: rare bits, frames at the top of memory, tables that are missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import entries_only
from ptwalk.errors import MissingMemory

P, RW, US, A, D, PS, NX = 1, 2, 4, 0x20, 0x40, 0x80, 1 << 63
PAT_LARGE = 1 << 12
"""PAT of a large page sits at bit 12 (Linux: _PAGE_BIT_PAT_LARGE, arch/x86/include/asm/pgtable_types.h, 6.1)."""

ADDRESS = 0x000F_FFFF_FFFF_F000
"""Address bits of an entry, 51:12 (Intel SDM volume 3, paging; Linux calls the mask PTE_PFN_MASK)."""

TABLE = P | RW | US | A
LEAF = TABLE | D | NX
VA = 0x0000_1234_5678_9ABC


@dataclass(frozen=True)
class Synthetic:
    """A few table words, an address, the right answer (or `MissingMemory`), and what to say to another answer."""

    words: Mapping[int, int]
    root: int
    va: int
    right: int | type[MissingMemory] | None
    words_if_wrong: str


class Shelf:
    """A memory of a few tables: inside them every word that was not set is zero, elsewhere nothing is kept."""

    def __init__(self, words: Mapping[int, int]) -> None:
        self._words = words
        self._pages = {address >> 12 for address in words}

    def read(self, pa: int) -> int:
        """The word at `pa`; raises `MissingMemory` outside the tables."""
        if pa >> 12 not in self._pages:
            raise MissingMemory(pa)
        return self._words.get(pa, 0)


def judge(trial: Synthetic, walk: Callable[[Callable[[int], int]], object]) -> None:
    """Give `walk` a read() over the made tables; raise `NotYet` unless it comes to the right answer."""
    try:
        got = walk(entries_only(Shelf(trial.words).read))
    except MissingMemory as missing:
        if trial.right is MissingMemory:
            return
        asked = f"(You asked read() for {missing.address:#x}.)"
        raise NotYet(f"Made by hand: {trial.words_if_wrong} {asked}") from None
    if trial.right is MissingMemory or got != trial.right or isinstance(got, bool):
        raise NotYet(f"Made by hand: {trial.words_if_wrong}")


def _x86_path(leaf_level: int, leaf: int, va: int = VA) -> dict[int, int]:
    # Tables at 0x1000, 0x2000, ... ; the entry of `leaf_level` (0 = pgd) is `leaf`.
    words = {}
    for level in range(leaf_level + 1):
        slot = 0x1000 * (level + 1) + 8 * (va >> 39 - 9 * level & 511)
        words[slot] = leaf if level == leaf_level else 0x1000 * (level + 2) | TABLE
    return words


def x86_cases() -> tuple[Synthetic, ...]:
    """What a 4-level x86-64 walker meets sooner or later, though not in these captures."""
    pat = "a last-level entry has bit 7 set. There bit 7 is PAT, a cache type, and not a page size."
    return (
        Synthetic(_x86_path(3, 0x5000 | LEAF | PS), 0x1000, VA, 0x5ABC, pat),
        Synthetic(
            _x86_path(2, 0x4020_0000 | LEAF | PS | PAT_LARGE),
            0x1000,
            VA,
            0x4020_0000 | VA & 0x1F_FFFF,
            "a 2 MiB entry has bit 12 set. There bit 12 is PAT; the address begins at bit 21.",
        ),
        Synthetic(
            _x86_path(1, 0x8000_0000 | LEAF | PS | PAT_LARGE),
            0x1000,
            VA,
            0x8000_0000 | VA & 0x3FFF_FFFF,
            "a 1 GiB entry has bit 12 set. There bit 12 is PAT; the address begins at bit 30.",
        ),
        Synthetic(
            _x86_path(3, ADDRESS | LEAF),
            0x1000,
            VA,
            ADDRESS | 0xABC,
            "a frame at the very top of memory. Address bits of an entry go from 12 up to 51.",
        ),
        *(
            Synthetic(
                _x86_path(3, 0x5000 | LEAF, va), 0x1000, va, None, f"{va:#x} got an answer from tables. {why}"
            )
            for va, why in (
                (VA | 1 << 48, "A CPU refuses that address before it reads any table."),
                (VA | 1 << 47, "Bit 47 is set and the bits above it are not: the CPU refuses it."),
                (VA | 1 << 60, "Not all of its bits 63 to 47 are equal."),
            )
        ),
        Synthetic(
            _x86_path(1, 0x9000_0000 | TABLE),
            0x1000,
            VA,
            MissingMemory,
            "a table lies in memory that was not kept: read() raised MissingMemory, and you made an answer of it. "
            "Unknown is not unmapped; let the error through.",
        ),
        Synthetic(
            _x86_path(2, 0x4000 | TABLE & ~P), 0x1000, VA, None, "a pmd entry without bit 0 was followed."
        ),
        Synthetic(
            _x86_path(0, 0x2000 | TABLE & ~P), 0x1000, VA, None, "a pgd entry without bit 0 was followed."
        ),
    )
