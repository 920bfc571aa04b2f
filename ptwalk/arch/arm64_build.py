"""Building and changing arm64 entries, as Linux writes them.

Room `arch`: knows integers only.  `Arm64Builder` is the half of `arm64.Arm64Format` that makes bits from facts.

*Source*: arch/arm64/include/asm/pgtable-prot.h (what PAGE_SHARED, PAGE_NONE and the others consist of) and
pgtable.h (pte_mkdirty, pte_wrprotect and the others), 5.15 and 6.19.
"""

from __future__ import annotations

from ptwalk.arch import arm64_bits as bit
from ptwalk.arch.format import Format
from ptwalk.arch.level import Level


class Arm64Builder(Format):
    """The builders of arm64 entries.

    A page that may be written but was not yet is WRITE with RDONLY set: its first write clears RDONLY, by the
    hardware if it manages dirty bits, else in the fault handler.
    """

    lpa2: bool
    moved: bool

    def _stored_address(self, pa: int) -> int:
        raw = pa & self.table_address_mask
        for mask, shift in self.address_high_parts:
            raw |= pa >> shift & mask
        return raw

    def table_alignment(self, level: Level) -> int:
        return self.page_size

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
        """The entry that points to a table; as in Linux, a table of user space is never executed by the kernel.

        Linux leaves APTable zero; it is set here only where `write` or `user` is denied.
        """
        self.check_table(table_pa, self.level(level))
        raw = self._stored_address(table_pa) | bit.VALID | bit.TABLE | bit.AF * accessed
        raw |= bit.PXN_TABLE if user else bit.UXN_TABLE | bit.AP_TABLE_NO_USER
        raw |= 0 if write else bit.AP_TABLE_NO_WRITE
        return raw if execute else raw | bit.UXN_TABLE | bit.PXN_TABLE

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
        self.check_fits("soft_dirty", not soft_dirty)
        self.check_fits("uffd_wp", self.moved or not uffd_wp)
        self.check_fits("contiguous", found.contiguous > 0 or not contiguous)
        self.check_fits(f"pkey {pkey}", 0 <= pkey < (8 if self.moved else 1))
        raw = self._stored_address(pa) | bit.VALID | bit.AF * accessed | bit.USER * user
        raw |= bit.TABLE if found.linux == "pte" else 0
        raw |= 0 if self.lpa2 else bit.SHARED
        raw |= bit.WRITE * write | (0 if write and dirty else bit.RDONLY) | bit.DIRTY * dirty
        raw |= bit.NG * (not global_) | bit.CONT * contiguous | bit.SPECIAL * special
        raw |= bit.UFFD_WP * uffd_wp | pkey << 60
        # Executable by the mode the page belongs to, never by the other.
        raw |= 0 if execute and user else bit.UXN
        return raw | (0 if execute and not user else bit.PXN)

    def make_prot_none(
        self, pa: int, level: str | Level, *, accessed: bool = True, dirty: bool = False, write: bool = False
    ) -> int:
        raw = self.make_leaf(pa, level, write=write, user=False, accessed=accessed, dirty=dirty)
        return raw & ~bit.VALID | (bit.PRESENT_INVALID if self.moved else bit.OLD_PROT_NONE)

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
        self.check_fits(f"a split {found.linux} entry", found.linux == "pmd" or self.moved)
        self.check_fits("a split entry of the kernel alone", user or not self.moved)
        raw = self.make_leaf(pa, found, write=write, user=user, accessed=accessed, dirty=dirty)
        return raw & ~bit.VALID | (bit.PRESENT_INVALID if self.moved else bit.OLD_PMD_PRESENT_INVALID)

    # Small changes, as pte_* and pmd_* do them

    def mkold(self, raw: int, level: str | Level) -> int:
        return raw & ~bit.AF

    def mkyoung(self, raw: int, level: str | Level) -> int:
        return raw | bit.AF

    def mkclean(self, raw: int, level: str | Level) -> int:
        return raw & ~bit.DIRTY | bit.RDONLY

    def mkdirty(self, raw: int, level: str | Level) -> int:
        raw |= bit.DIRTY
        return raw & ~bit.RDONLY if raw & bit.WRITE else raw

    def wrprotect(self, raw: int, level: str | Level) -> int:
        if raw & (bit.WRITE | bit.RDONLY) == bit.WRITE:  # the hardware's dirty mark would be lost
            raw |= bit.DIRTY
        return raw & ~bit.WRITE | bit.RDONLY

    def mkwrite(self, raw: int, level: str | Level) -> int:
        raw |= bit.WRITE
        if self.release < bit.MKWRITE_STAYS_CLEAN_FROM or raw & bit.DIRTY:
            raw &= ~bit.RDONLY
        return raw
