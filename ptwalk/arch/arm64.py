"""arm64 stage-1 paging with three granules: geometry, states, addresses and rights.

Room `arch`: knows integers only.  Builders and changes are in `arm64_build`, layouts in `arm64_layout`.

*Source*: arch/arm64/include/asm/pgtable-hwdef.h (7.1) for levels, pgtable.h and pgtable-prot.h (5.15, 6.19) for
states; where blocks may stand and what address sizes fault, from the architecture manual.
"""

from __future__ import annotations

from collections.abc import Collection

from ptwalk.arch import arm64_bits as bit
from ptwalk.arch import arm64_layout as layout
from ptwalk.arch.arm64_build import Arm64Builder
from ptwalk.arch.entry_state import MAPPING, EntryState
from ptwalk.arch.field import Field, tile
from ptwalk.arch.format import Format
from ptwalk.arch.geometry import ALL_ONES, Flags
from ptwalk.arch.level import Level
from ptwalk.arch.release import Release
from ptwalk.arch.rights import NOTHING, Rights
from ptwalk.arch.swap_entry import SwapLayout

_LINUX = {-1: "pgd", 0: "p4d", 1: "pud", 2: "pmd", 3: "pte"}


def _levels(page_shift: int, va_bits: int, lpa2: bool, pa_bits: int) -> tuple[Level, ...]:
    """The levels that are left when those without index bits are folded away."""
    step = page_shift - 3
    # Lowest level that may hold a block: 4K level 1 (0 with LPA2), 16K level 2 (1 with LPA2), 64K level 2
    # (1 with 52-bit addresses).
    first_block = {12: 0 if lpa2 else 1, 14: 1 if lpa2 else 2, 16: 1 if pa_bits > 48 else 2}[page_shift]
    numbers = [n for n in range(-1, 4) if (4 - n) * step + 3 < va_bits]
    levels = []
    for depth, number in enumerate(numbers):
        shift = (4 - number) * step + 3
        above = va_bits if depth == 0 else shift + step
        name = "pgd" if depth == 0 else _LINUX[number]
        leaf = number == 3 or number >= first_block
        run = bit.CONTIGUOUS.get((page_shift, number), 0)
        hardware = f"level {number}"
        levels.append(Level(name, hardware, shift, above - shift, depth, leaf, _LINUX[number], run))
    return tuple(levels)


class Arm64Format(Arm64Builder, Format):
    """The format of arm64: descriptors say read-only, privileged-only and never-execute, tables take rights away.

    The top byte of a user address is ignored by the hardware (TBI is on in Linux), but a walk does not do it by
    itself: give `untag(va)` to a walk if the address may carry a tag.  `canonical` speaks of untagged addresses.
    """

    arch = "arm64"
    present_mask = bit.VALID
    rights_mask = bit.VALID | bit.TABLE | bit.USER | bit.RDONLY | bit.DBM | bit.PXN | bit.UXN | 0xF << 59
    accessed_mask = bit.AF
    contiguous_mask = bit.CONT

    def __init__(
        self,
        name: str,
        page_shift: int,
        va_bits: int,
        *,
        pa_bits: int,
        lpa2: bool,
        half: str,
        release: Release,
        config: Collection[str],
    ) -> None:
        levels = _levels(page_shift, va_bits, lpa2, pa_bits)
        super().__init__(
            name, levels, va_bits=va_bits, pa_bits=pa_bits, release=release, config=config, key=(lpa2, half)
        )
        self._arguments = (name, page_shift, va_bits, pa_bits, lpa2, half, release, self.config)
        self.lpa2 = lpa2
        self.half_served = half
        self.moved = release >= bit.MOVED
        self.max_physmem_bits = 52 if pa_bits > 48 else 48  # CONFIG_ARM64_PA_BITS
        if self.moved:
            self.swap_layout = SwapLayout(6, 5, 12, 50, False, 2, 3)
        elif release >= bit.SWP_EXCLUSIVE_FROM:
            self.swap_layout = SwapLayout(3, 5, 8, 50, False, 2)
        else:
            self.swap_layout = SwapLayout(2, 6, 8, 50)
        # Where the address stands: bits 47 (49 with LPA2) down to the page; above, LPA keeps PA[51:48] in bits
        # 15:12 and LPA2 keeps PA[51:50] in bits 9:8.
        in_place = (1 << (50 if lpa2 else 48)) - (1 << page_shift)
        self.address_high_parts = ((0x300, 42),) if lpa2 else ((0xF000, 36),) if pa_bits > 48 else ()
        self.table_address_mask = in_place
        self.leaf_address_masks = tuple(in_place & -level.size for level in levels)
        # Address bits beyond the physical size the machine has (TCR_EL1.IPS): an address size fault.
        self.beyond_mask = in_place & ~((1 << pa_bits) - 1)
        for mask, shift in self.address_high_parts:
            self.beyond_mask |= mask & ~((1 << pa_bits) - 1 >> shift)
        beyond, never = self.beyond_mask, (0, 1)
        both = bit.VALID | bit.TABLE
        self.table_tests = tuple(never if level.linux == "pte" else (both | beyond, both) for level in levels)
        self.leaf_tests = tuple(
            (both | beyond, both)
            if level.linux == "pte"
            else (both | beyond, bit.VALID)
            if level.leaf_allowed
            else never
            for level in levels
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, self._arguments

    # Addresses

    def half(self, va: int) -> str:
        # Bit 55 chooses between TTBR0 and TTBR1, whatever a tag above it says.
        return "kernel" if va >> 55 & 1 else "user"

    def untag(self, va: int) -> int:
        # As untagged_addr of Linux: only user addresses lose a tag; a kernel address keeps its ones.
        return va if va >> 55 & 1 else va & (1 << 56) - 1

    def sign_extend(self, va: int) -> int:
        """The address with these indices in the half that this format serves."""
        va &= (1 << self.va_bits) - 1
        return va if self.half_served == "user" else va | ALL_ONES << self.va_bits & ALL_ONES

    def canonical(self, va: int) -> bool:
        return 0 <= va <= ALL_ONES and va >> self.va_bits in (0, ALL_ONES >> self.va_bits)

    def covers(self, va: int) -> bool:
        return self.canonical(va) and self.half(va) == self.half_served

    def root_address(self, register: int) -> int:
        """The address of the root table in TTBR0 or TTBR1, without ASID (63:48) and CnP (0).

        With 52-bit addresses the register keeps address bits 51:48 in its bits 5:2.
        """
        if self.pa_bits <= 48:
            return register & (1 << 48) - (1 << self._root_shift)
        return register & (1 << 48) - (1 << self._root_shift) | (register & 0x3C) << 46

    def root_register(self, root: int, *, asid: int = 0, cnp: bool = False) -> int:
        """The value of TTBR0 or TTBR1 that names this root table."""
        self._check_address(root, 1 << self._root_shift)
        return root & (1 << 48) - 1 | (root >> 48) << 2 | (asid & 0xFFFF) << 48 | int(cnp)

    @property
    def _root_shift(self) -> int:
        # A root smaller than a page need only be aligned to its size; 64 bytes where bits 5:2 are taken.
        least = 6 if self.pa_bits > 48 else 4
        return max(self.levels[0].bits + 3, least)

    # States

    def classify(self, raw: int, level: Level) -> tuple[EntryState, str, int | None]:
        if raw & bit.VALID:
            return self._classify_valid(raw, level)
        if self.linux_none(raw):
            return EntryState.NONE, "empty", None
        if not level.leaf_allowed:
            return EntryState.RESERVED, f"invalid and not empty, which Linux never leaves in a {level}", None
        if self.moved:
            if raw & bit.PRESENT_INVALID:
                # pte_protnone, 6.19: present-invalid, and neither readable nor executable by user mode.
                if not raw & bit.USER and raw & bit.UXN:
                    return EntryState.PROT_NONE, "prot-none", None
                return EntryState.SPLIT, "present to Linux, invalid to the hardware", None
        elif raw & bit.OLD_PROT_NONE:
            return EntryState.PROT_NONE, "prot-none", None
        elif raw & bit.OLD_PMD_PRESENT_INVALID and level.linux == "pmd":
            return EntryState.SPLIT, "huge page being split", None
        return self._swap_state(raw)

    def _classify_valid(self, raw: int, level: Level) -> tuple[EntryState, str, int | None]:
        last = level.linux == "pte"
        if not raw & bit.TABLE and (last or not level.leaf_allowed):
            why = f"bits 1:0 are 01, which {level.hardware} does not have with this granule"
            return EntryState.RESERVED, why, 1
        spoiled = raw & self.beyond_mask
        if spoiled:
            lowest = (spoiled & -spoiled).bit_length() - 1
            return EntryState.RESERVED, f"the address is beyond {self.pa_bits} bits (bit {lowest})", lowest
        state = EntryState.TABLE if raw & bit.TABLE and not last else EntryState.LEAF
        return state, str(state), None

    def address_in(self, raw: int, level: Level, state: EntryState) -> int | None:
        if state is EntryState.TABLE:
            return self.table_address(raw)
        return self.leaf_address(raw, level.depth) if state in MAPPING else None

    def linux_none(self, raw: int) -> bool:
        return raw == 0

    def linux_present(self, raw: int, level: Level) -> bool:
        if raw & bit.VALID or not level.leaf_allowed:
            return raw & bit.VALID != 0
        if self.moved:
            return raw & bit.PRESENT_INVALID != 0
        invalid = bit.OLD_PMD_PRESENT_INVALID if level.linux == "pmd" else 0
        return raw & (bit.OLD_PROT_NONE | invalid) != 0

    def linux_bad(self, raw: int, level: Level) -> bool:
        return raw & bit.TABLE == 0

    def flags_of(self, raw: int, level: Level, state: EntryState) -> Flags:
        if state is EntryState.TABLE:
            no_user, no_write = raw & bit.AP_TABLE_NO_USER, raw & bit.AP_TABLE_NO_WRITE
            return Flags(accessed=bool(raw & bit.AF), writable=not no_write, user=not no_user)
        if state in MAPPING:
            by_hardware = raw & (bit.WRITE | bit.RDONLY) == bit.WRITE  # pte_hw_dirty, 5.15
            return Flags(
                accessed=bool(raw & bit.AF),
                dirty=by_hardware or bool(raw & bit.DIRTY),
                writable=bool(raw & bit.WRITE),
                user=bool(raw & bit.USER) or (state is EntryState.LEAF and not raw & bit.UXN),
                global_=state is EntryState.LEAF and not raw & bit.NG,
                contiguous=bool(raw & bit.CONT),
                uffd_wp=self.moved and bool(raw & bit.UFFD_WP),
                special=bool(raw & bit.SPECIAL),
            )
        if state in (EntryState.SWAP, EntryState.MIGRATION, EntryState.DEVICE):
            exclusive, uffd_wp = self.swap_layout.exclusive_bit, self.swap_layout.uffd_wp_bit
            return Flags(
                exclusive=exclusive is not None and bool(raw >> exclusive & 1),
                uffd_wp=uffd_wp is not None and bool(raw >> uffd_wp & 1),
            )
        return Flags()

    def rights_of(self, raw: int, level: Level, state: EntryState) -> Rights:
        if state is EntryState.TABLE:
            user, write = not raw & bit.AP_TABLE_NO_USER, not raw & bit.AP_TABLE_NO_WRITE
            user_x, kernel_x = not raw & bit.UXN_TABLE, not raw & bit.PXN_TABLE
            return Rights(user, user and write, user_x, True, write, kernel_x, write)
        if state is not EntryState.LEAF:
            return NOTHING
        user, write = bool(raw & bit.USER), not raw & bit.RDONLY
        clean = raw & (bit.DBM | bit.RDONLY) == bit.DBM | bit.RDONLY
        # What user mode may write the kernel may not execute, whatever PXN says (architecture manual).
        kernel_x = not raw & bit.PXN and not (user and write)
        return Rights(user, user and write, not raw & bit.UXN, True, write, kernel_x, clean)

    def fields_of(self, raw: int, level: Level, state: EntryState, kind: str) -> tuple[Field, ...]:
        return tile(raw, layout.layout(self, raw, level, state))

    def marks_of(self, raw: int, level: Level, state: EntryState) -> str:
        return layout.marks(self, raw, level, state)


def _restore(
    name: str,
    page_shift: int,
    va_bits: int,
    pa_bits: int,
    lpa2: bool,
    half: str,
    release: Release,
    config: Collection[str],
) -> Arm64Format:
    return Arm64Format(
        name, page_shift, va_bits, pa_bits=pa_bits, lpa2=lpa2, half=half, release=release, config=config
    )
