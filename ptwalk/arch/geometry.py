"""The geometry of a format: levels, indices, canonical addresses, and the constants of a bare walk.

Room `arch`: knows integers only.  `Geometry` is what every format has in common; what the bits of an entry
mean comes from its two children, `x86_64.X86Format` and `arm64.Arm64Format`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from ptwalk.arch.entry_state import EntryState
from ptwalk.arch.field import Field
from ptwalk.arch.level import Level
from ptwalk.arch.release import Release
from ptwalk.arch.rights import Rights
from ptwalk.errors import PtwalkError

ALL_ONES = (1 << 64) - 1


class BadFormat(PtwalkError):
    """A format or a level was asked for that does not exist."""


class BadValue(PtwalkError):
    """A value does not fit into the bits of an entry."""


@dataclass(frozen=True)
class Flags:
    """The yes-or-no facts of an entry that both architectures have, each as Linux reads it."""

    accessed: bool = False
    dirty: bool = False
    writable: bool = False
    user: bool = False
    global_: bool = False
    contiguous: bool = False
    soft_dirty: bool = False
    uffd_wp: bool = False
    exclusive: bool = False
    special: bool = False


class Geometry(ABC):
    """A geometry says how an address is split into indices and which bits of an entry a bare walk needs.

    Plain attributes, the same for a loop over Python integers and for arrays of 64-bit integers:

    - `walk_plan`: for each level (shift, index mask, name), top first.
    - `present_mask`: the bit the hardware looks at first.
    - `table_tests`, `leaf_tests`: for each depth (mask, value); an entry continues, or ends, the walk exactly if
      `raw & mask == value`.  Entries that trip a reserved bit pass neither.
    - `table_address_mask` and `leaf_address_masks` (one a depth): address bits that stand in their place.
    - `rights_mask`: the bits that rights depend on, so that many entries need only few calls of `rights_of`.
    - `accessed_mask`, `contiguous_mask`: the bits of those names in a leaf (0 where there is none).
    - `address_high_parts`: (mask, shift) pairs; `(raw & mask) << shift` adds the address bits that do not.
    """

    arch: str
    name: str
    present_mask: int
    rights_mask: int
    accessed_mask: int
    contiguous_mask: int = 0
    table_tests: tuple[tuple[int, int], ...]
    leaf_tests: tuple[tuple[int, int], ...]
    table_address_mask: int
    leaf_address_masks: tuple[int, ...]
    address_high_parts: tuple[tuple[int, int], ...] = ()

    def __init__(
        self, name: str, levels: tuple[Level, ...], *, va_bits: int, pa_bits: int, release: Release
    ) -> None:
        self.name = name
        self.levels = levels
        self.va_bits = va_bits
        self.pa_bits = pa_bits
        self.release = release
        self.page_shift = levels[-1].shift
        self.page_size = 1 << self.page_shift
        self.walk_plan = tuple((level.shift, level.entries - 1, level.name) for level in levels)
        self._by_name = {level.name: level for level in levels}

    @property
    def folded(self) -> tuple[str, ...]:
        """The Linux levels this format does not have, top first."""
        return tuple(name for name in ("pgd", "p4d", "pud", "pmd", "pte") if name not in self._by_name)

    @property
    def address_mask(self) -> int:
        """The address bits of a table entry that stand in their place."""
        return self.table_address_mask

    def level(self, name: str | Level) -> Level:
        """The level of that name; raises `BadFormat` for a folded or unknown name."""
        if isinstance(name, Level):
            return name
        found = self._by_name.get(name)
        if found is None:
            has = ", ".join(level.name for level in self.levels)
            why = "is folded away" if name in self.folded else "does not exist"
            raise BadFormat(f"level {name!r} {why} in {self.name}; its levels are {has}")
        return found

    def index(self, va: int, level: str | Level) -> int:
        """The index of a virtual address in a table of one level."""
        return self.level(level).index(va)

    def entry_address(self, table_pa: int, index: int) -> int:
        """The physical address of an entry: eight bytes each."""
        return table_pa + 8 * index

    @abstractmethod
    def half(self, va: int) -> str:
        """Which half of the address space an address belongs to, "user" or "kernel"."""

    @abstractmethod
    def untag(self, va: int) -> int:
        """The address without a tag in its top byte, where the architecture has such tags."""

    @abstractmethod
    def sign_extend(self, va: int) -> int:
        """The canonical address with the same indices and offset."""

    @abstractmethod
    def canonical(self, va: int) -> bool:
        """Whether the bits above the indices are all equal, as the hardware demands."""

    @abstractmethod
    def covers(self, va: int) -> bool:
        """Whether this format's tables translate the address: canonical, and in the half they serve."""

    def va_from_indices(self, indices: Sequence[int], offset: int = 0) -> int:
        """The canonical virtual address that has these indices, top level first; fewer than all mean zeros below."""
        if len(indices) > len(self.levels):
            raise BadValue(
                f"{self.name} has {len(self.levels)} levels, and {len(indices)} indices were given"
            )
        va = offset
        for level, index in zip(self.levels, indices, strict=False):
            if not 0 <= index < level.entries:
                raise BadValue(f"index {index} does not fit a {level.name} table of {level.entries} entries")
            va += index << level.shift
        return self.sign_extend(va)

    def is_table(self, raw: int, depth: int) -> bool:
        """Whether the hardware would follow this entry to a lower table."""
        mask, value = self.table_tests[depth]
        return raw & mask == value

    def is_leaf(self, raw: int, depth: int) -> bool:
        """Whether the hardware would end its walk here with a translation."""
        mask, value = self.leaf_tests[depth]
        return raw & mask == value

    def present(self, raw: int) -> bool:
        """Whether the hardware's present (valid) bit is set."""
        return raw & self.present_mask != 0

    def table_address(self, raw: int) -> int:
        """The physical address of the table that a table entry points to."""
        address = raw & self.table_address_mask
        for mask, shift in self.address_high_parts:
            address |= (raw & mask) << shift
        return address

    def leaf_address(self, raw: int, depth: int) -> int:
        """The physical address of the first byte that a leaf maps."""
        address = raw & self.leaf_address_masks[depth]
        for mask, shift in self.address_high_parts:
            address |= (raw & mask) << shift
        return address

    @abstractmethod
    def root_address(self, register: int) -> int:
        """The physical address of the root table that CR3 or TTBR holds, without its other fields."""

    @abstractmethod
    def fields_of(self, raw: int, level: Level, state: EntryState, kind: str) -> tuple[Field, ...]:
        """The named fields of an entry in that state, highest bits first."""

    @abstractmethod
    def flags_of(self, raw: int, level: Level, state: EntryState) -> Flags:
        """The yes-or-no facts of an entry in that state."""

    @abstractmethod
    def rights_of(self, raw: int, level: Level, state: EntryState) -> Rights:
        """The rights that an entry in that state grants by itself."""

    @abstractmethod
    def marks_of(self, raw: int, level: Level, state: EntryState) -> str:
        """The names of the set bits, short enough for a picture."""

    @abstractmethod
    def linux_none(self, raw: int) -> bool:
        """What pte_none or pmd_none of Linux says."""

    @abstractmethod
    def linux_present(self, raw: int, level: Level) -> bool:
        """What pte_present or pmd_present of Linux says."""

    @abstractmethod
    def linux_bad(self, raw: int, level: Level) -> bool:
        """What pmd_bad (or pud_bad, p4d_bad, pgd_bad) of Linux says; a huge leaf is bad by that test."""
