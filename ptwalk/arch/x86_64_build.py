"""Building and changing x86-64 entries, as Linux writes them.

Room `arch`: knows integers only.  `X86Builder` is the half of `x86_64.X86Format` that makes bits from facts.

*Source*: arch/x86/include/asm/pgtable.h (pte_mkdirty, pte_wrprotect and the others) and pgtable-invert.h, 5.15,
6.12 and 6.19.
"""

from __future__ import annotations

from ptwalk.arch.format import Format
from ptwalk.arch.level import Level
from ptwalk.arch.x86_64_bits import (
    ADDRESS,
    NX,
    PS,
    RW,
    SAVED_DIRTY,
    SAVED_DIRTY_FROM,
    SOFT_DIRTY,
    SPECIAL,
    UFFD_WP,
    US,
    A,
    D,
    G,
    P,
)


class X86Builder(Format):
    """The builders of x86-64 entries."""

    # Building

    def make_table(
        self,
        table_pa: int,
        level: str | Level,
        *,
        write: bool = True,
        user: bool = True,
        execute: bool = True,
        accessed: bool = True,
    ) -> int:
        self.check_table(table_pa, self.level(level))
        # Linux sets D too (_PAGE_TABLE), which the hardware ignores here.
        raw = table_pa | P | D | RW * write | US * user | A * accessed
        return raw if execute else raw | NX

    def make_leaf(
        self,
        pa: int,
        level: str | Level,
        *,
        write: bool = False,
        user: bool = True,
        execute: bool = False,
        accessed: bool = True,
        dirty: bool = False,
        global_: bool = False,
        contiguous: bool = False,
        special: bool = False,
        soft_dirty: bool = False,
        uffd_wp: bool = False,
        pkey: int = 0,
    ) -> int:
        found = self.level(level)
        self.check_frame(pa, found)
        self.check_fits("contiguous", not contiguous)
        self.check_fits(f"pkey {pkey}", 0 <= pkey < 16)
        raw = pa | P | RW * write | US * user | A * accessed | D * dirty | G * global_
        raw |= SPECIAL * special | SOFT_DIRTY * soft_dirty | UFFD_WP * uffd_wp | pkey << 59
        if found.linux != "pte":
            raw |= PS
        if dirty and not write:
            raw = self._save_dirty(raw)
        return raw if execute else raw | NX

    def make_prot_none(
        self, pa: int, level: str | Level, *, accessed: bool = True, dirty: bool = False, write: bool = False
    ) -> int:
        raw = self.make_leaf(pa, level, write=write, user=False, execute=True, accessed=accessed, dirty=dirty)
        return self._invert(raw & ~P | G, self.level(level))

    def make_split(
        self,
        pa: int,
        level: str | Level,
        *,
        write: bool = False,
        user: bool = True,
        accessed: bool = True,
        dirty: bool = False,
    ) -> int:
        found = self.level(level)
        self.check_fits("a split entry at the last level", found.linux != "pte")
        raw = self.make_leaf(pa, found, write=write, user=user, accessed=accessed, dirty=dirty)
        return self._invert(raw & ~(P | G), found)

    def _invert(self, raw: int, level: Level) -> int:
        return raw ^ (ADDRESS & -level.size)

    # Small changes, as pte_* and pmd_* do them

    def mkold(self, raw: int, level: str | Level) -> int:
        return raw & ~A

    def mkyoung(self, raw: int, level: str | Level) -> int:
        return raw | A

    def mkclean(self, raw: int, level: str | Level) -> int:
        return raw & ~(D | SAVED_DIRTY if self.release >= SAVED_DIRTY_FROM else D)

    def mkdirty(self, raw: int, level: str | Level) -> int:
        return self._save_dirty(raw | D | SOFT_DIRTY)

    def wrprotect(self, raw: int, level: str | Level) -> int:
        return self._save_dirty(raw & ~RW)

    def mkwrite(self, raw: int, level: str | Level) -> int:
        raw |= RW
        if self.release >= SAVED_DIRTY_FROM and raw & SAVED_DIRTY:
            raw = raw & ~SAVED_DIRTY | D
        return raw

    def _save_dirty(self, raw: int) -> int:
        # A read-only entry with D would be a shadow stack: keep the mark in a software bit (pgtable.h, 6.12).
        if self.release >= SAVED_DIRTY_FROM and raw & D and not raw & RW:
            raw = raw & ~D | SAVED_DIRTY
        return raw
