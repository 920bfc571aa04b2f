"""x86-64 paging with four and five levels: states, addresses, and rights.

Room `arch`: knows integers only.  Builders and changes are in `x86_64_build`, layouts in `x86_64_layout`.

*Source*: arch/x86/include/asm/pgtable_types.h, pgtable.h, pgtable_64.h and pgtable-invert.h, 5.15, 6.12 and 6.19;
what the hardware reserves, from the architecture manual.  EFER.NXE is taken as on.
Not modelled: linear-address masking, a memory-encryption bit among the address bits, and shadow-stack pages,
which from 6.6 pte_write of Linux also counts as writable on processors that have them.
"""

from __future__ import annotations

from collections.abc import Collection

from ptwalk.arch import x86_64_layout as layout
from ptwalk.arch.entry_state import MAPPING, EntryState
from ptwalk.arch.field import Field, tile
from ptwalk.arch.format import Format
from ptwalk.arch.geometry import ALL_ONES, Flags
from ptwalk.arch.level import Level
from ptwalk.arch.release import Release
from ptwalk.arch.rights import NOTHING, Rights
from ptwalk.arch.swap_entry import SwapLayout
from ptwalk.arch.x86_64_bits import (
    ADDRESS,
    ERRATUM,
    NX,
    PS,
    RW,
    SAVED_DIRTY,
    SAVED_DIRTY_FROM,
    SOFT_DIRTY,
    SPECIAL,
    SWP_EXCLUSIVE_FROM,
    UFFD_WP,
    US,
    A,
    D,
    G,
    P,
)
from ptwalk.arch.x86_64_build import X86Builder

# The manual's name, the lowest address bit and Linux's functions for each level; a leaf where the last says so.
_LEVELS = (
    ("PML5E", 48, "pgd", False),
    ("PML4E", 39, "p4d", False),
    ("PDPTE", 30, "pud", True),
    ("PDE", 21, "pmd", True),
    ("PTE", 12, "pte", True),
)


def _levels(count: int) -> tuple[Level, ...]:
    used = _LEVELS[-count:]
    return tuple(
        Level("pgd" if depth == 0 else linux, hardware, shift, 9, depth, leaf, linux)
        for depth, (hardware, shift, linux, leaf) in enumerate(used)
    )


class X86Format(X86Builder, Format):
    """The format of x86-64: RW and US of all entries must agree to a right, one NX takes execution away."""

    arch = "x86-64"
    present_mask = P
    rights_mask = P | RW | US | NX
    accessed_mask = A

    def __init__(
        self, name: str, count: int, *, pa_bits: int, release: Release, config: Collection[str]
    ) -> None:
        levels = _levels(count)
        super().__init__(
            name, levels, va_bits=12 + 9 * count, pa_bits=pa_bits, release=release, config=config
        )
        self._arguments = (name, count, pa_bits, release, self.config)
        # MAX_PHYSMEM_BITS, arch/x86/include/asm/sparsemem.h: 52 with five levels, else 46.
        self.max_physmem_bits = 52 if count == 5 else 46
        new = release >= SWP_EXCLUSIVE_FROM
        self.swap_layout = SwapLayout(59, 5, 9, 50, True, 3 if new else None, 2, 1)
        in_range = (1 << pa_bits) - 1
        beyond = ADDRESS & ~in_range  # bits 51:M, which must be zero
        self.table_address_mask = ADDRESS & in_range
        self.leaf_address_masks = tuple(ADDRESS & in_range & -level.size for level in levels)
        # In a huge leaf the bits below the address are reserved, but for bit 12, which is PAT.
        low = tuple(
            beyond if level.linux == "pte" else beyond | (level.size - 1) & ~0x1FFF for level in levels
        )
        self.leaf_reserved_masks = low
        self.table_reserved_mask = beyond
        never = (0, 1)
        self.table_tests = tuple(never if level.linux == "pte" else (P | PS | beyond, P) for level in levels)
        self.leaf_tests = tuple(
            (P | reserved, P)
            if level.linux == "pte"
            else (P | PS | reserved, P | PS)
            if level.leaf_allowed
            else never
            for level, reserved in zip(levels, low, strict=True)
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, self._arguments

    # Addresses

    def half(self, va: int) -> str:
        return "kernel" if va >> 63 & 1 else "user"

    def untag(self, va: int) -> int:
        # Linear-address masking is off unless a process asks for it: an address is what it is.
        return va

    def sign_extend(self, va: int) -> int:
        va &= (1 << self.va_bits) - 1
        return va | ALL_ONES << self.va_bits & ALL_ONES if va >> (self.va_bits - 1) else va

    def canonical(self, va: int) -> bool:
        return 0 <= va <= ALL_ONES and self.sign_extend(va) == va

    def covers(self, va: int) -> bool:
        return self.canonical(va)

    def root_address(self, register: int) -> int:
        """The address of the root table in CR3: bits 11:0 are PCID (or PWT and PCD), 61, 62 and 63 switches."""
        return register & self.table_address_mask

    def root_register(self, root: int, *, pcid: int = 0) -> int:
        """The value of CR3 that names this root table."""
        self._check_address(root, self.page_size)
        return root | pcid & 0xFFF

    # States

    def classify(self, raw: int, level: Level) -> tuple[EntryState, str, int | None]:
        if raw & P:
            return self._classify_present(raw, level)
        if self.linux_none(raw):
            return EntryState.NONE, "empty", None
        if not level.leaf_allowed:
            return (
                EntryState.RESERVED,
                f"not present and not empty, which Linux never leaves in a {level}",
                None,
            )
        if raw & G:  # _PAGE_PROTNONE is the same bit
            return EntryState.PROT_NONE, "prot-none", None
        if raw & PS and level.linux != "pte":
            return EntryState.SPLIT, "huge page being split", None
        return self._swap_state(raw)

    def _classify_present(self, raw: int, level: Level) -> tuple[EntryState, str, int | None]:
        if level.linux == "pte":
            state, reserved = EntryState.LEAF, self.leaf_reserved_masks[level.depth]
        elif not raw & PS:
            state, reserved = EntryState.TABLE, self.table_reserved_mask
        elif level.leaf_allowed:
            state, reserved = EntryState.LEAF, self.leaf_reserved_masks[level.depth]
        else:
            return EntryState.RESERVED, f"PS is set in a {level.hardware}, which cannot map memory", 7
        spoiled = raw & reserved
        if spoiled:
            bit = (spoiled & -spoiled).bit_length() - 1
            return EntryState.RESERVED, f"bit {bit} is set and the hardware reserves it", bit
        return state, str(state), None

    def address_in(self, raw: int, level: Level, state: EntryState) -> int | None:
        if state is EntryState.TABLE:
            return raw & self.table_address_mask
        if state is EntryState.LEAF:
            return raw & self.leaf_address_masks[level.depth]
        if state in MAPPING:  # kept inverted while P is clear (pgtable-invert.h, 5.15)
            return ~raw & ADDRESS & -level.size
        return None

    def linux_none(self, raw: int) -> bool:
        return raw & ~ERRATUM == 0

    def linux_present(self, raw: int, level: Level) -> bool:
        return raw & (P | G | PS if level.linux == "pmd" else P | G if level.leaf_allowed else P) != 0

    def linux_bad(self, raw: int, level: Level) -> bool:
        # pmd_bad, 6.19: the flags, but for user and accessed, are not exactly those of a kernel table.  Above the
        # pmd the same idea: a flag is set that no table has; NX is let through, page-table isolation sets it there.
        flags = raw & ~(ADDRESS | US | A)
        return flags != P | RW | D if level.linux == "pmd" else flags & ~(P | RW | D | NX) != 0

    def flags_of(self, raw: int, level: Level, state: EntryState) -> Flags:
        if state is EntryState.TABLE:
            return Flags(accessed=bool(raw & A), writable=bool(raw & RW), user=bool(raw & US))
        if state in MAPPING:
            dirty = raw & (D | SAVED_DIRTY if self.release >= SAVED_DIRTY_FROM else D)
            return Flags(
                accessed=bool(raw & A),
                dirty=bool(dirty),
                writable=bool(raw & RW),
                user=bool(raw & US),
                global_=state is EntryState.LEAF and bool(raw & G),
                soft_dirty=bool(raw & SOFT_DIRTY),
                uffd_wp=bool(raw & UFFD_WP),
                special=bool(raw & SPECIAL),
            )
        if state in (EntryState.SWAP, EntryState.MIGRATION, EntryState.DEVICE):
            bit = self.swap_layout.exclusive_bit
            exclusive = bit is not None and bool(raw >> bit & 1)
            return Flags(soft_dirty=bool(raw & RW), uffd_wp=bool(raw & US), exclusive=exclusive)
        return Flags()

    def rights_of(self, raw: int, level: Level, state: EntryState) -> Rights:
        if state is not EntryState.TABLE and state is not EntryState.LEAF:
            return NOTHING
        user, write, execute = bool(raw & US), bool(raw & RW), not raw & NX
        return Rights(user, user and write, user and execute, True, write, execute, state is EntryState.TABLE)

    def fields_of(self, raw: int, level: Level, state: EntryState, kind: str) -> tuple[Field, ...]:
        return tile(raw, layout.layout(self, raw, level, state))

    def marks_of(self, raw: int, level: Level, state: EntryState) -> str:
        return layout.marks(self, raw, level, state)


def _restore(name: str, count: int, pa_bits: int, release: Release, config: Collection[str]) -> X86Format:
    return X86Format(name, count, pa_bits=pa_bits, release=release, config=config)
