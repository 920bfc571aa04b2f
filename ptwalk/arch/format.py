"""A format: everything that turns 64 bits into an entry and facts into 64 bits, for one machine and release.

Room `arch`: knows integers only.  What both architectures do alike is here: decoding through a cache, and the
entries that are not present, whose layouts differ but whose meaning is Linux's own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from functools import lru_cache

from ptwalk.arch.entry import Entry
from ptwalk.arch.entry_state import NON_PRESENT, EntryState
from ptwalk.arch.fault import Access, Fault, Stop, access_fault
from ptwalk.arch.geometry import ALL_ONES, BadValue, Geometry
from ptwalk.arch.level import Level
from ptwalk.arch.release import Release
from ptwalk.arch.rights import EVERYTHING, Rights
from ptwalk.arch.swap_entry import MARKER_BITS, SwapLayout, special_types

# From 6.1 the offset of an entry that holds a frame number keeps other facts above it
# (include/linux/swapops.h: SWP_PFN_BITS, SWP_MIG_YOUNG_BIT, SWP_MIG_DIRTY_BIT).
OFFSET_KEEPS_YOUNG = Release(6, 1)


class Format(Geometry):
    """A format decodes and builds the entries of one architecture, geometry and kernel release.

    Formats come from `format_named`; equal arguments give equal formats.
    """

    swap_layout: SwapLayout
    max_physmem_bits: int  # MAX_PHYSMEM_BITS of the kernel: how wide a frame number in a swap entry is

    def __init__(
        self,
        name: str,
        levels: tuple[Level, ...],
        *,
        va_bits: int,
        pa_bits: int,
        release: Release,
        config: Collection[str],
        key: tuple[object, ...] = (),
    ) -> None:
        super().__init__(name, levels, va_bits=va_bits, pa_bits=pa_bits, release=release)
        self.config = frozenset(config)
        self.special_types = special_types(release, self.config)
        self._key = (name, pa_bits, release, self.config, *key)
        self._hash = hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"<Format {self.name}, {self.pa_bits}-bit physical addresses, Linux {self.release}>"

    @property
    def max_swapfiles(self) -> int:
        """MAX_SWAPFILES of this kernel: the first swap type with a special meaning."""
        return self.special_types.max_swapfiles

    # Decoding

    def decode(self, raw: int, level: str | Level) -> Entry:
        """The entry that these 64 bits are at this level; any 64-bit value decodes."""
        return _decode(self, raw, self.level(level))

    @abstractmethod
    def classify(self, raw: int, level: Level) -> tuple[EntryState, str, int | None]:
        """The state of a raw value, its kind in words, and the reserved bit that spoils it, if one does."""

    @abstractmethod
    def address_in(self, raw: int, level: Level, state: EntryState) -> int | None:
        """The physical address in a table, a leaf, or an entry that is a leaf to Linux only."""

    def _swap_state(self, raw: int) -> tuple[EntryState, str, int | None]:
        swap_type = self.swap_layout.type_of(raw)
        state, kind = self.special_types.meaning_of(swap_type)
        return state, kind if state is not EntryState.RESERVED else f"swap type {swap_type} is {kind}", None

    @property
    def _pfn_bits(self) -> int:
        return self.max_physmem_bits - self.page_shift

    def frame_in(self, offset: int) -> int:
        """The physical address of the frame that the offset of a migration, device or hwpoison entry names."""
        if self.release >= OFFSET_KEEPS_YOUNG:
            offset &= (1 << self._pfn_bits) - 1
        return offset << self.page_shift

    def combine(self, rights: Rights | None, entry: Entry) -> Rights:
        """The rights of a path with one more entry: what all before it and the entry itself allow."""
        return (EVERYTHING if rights is None else rights) & entry.rights

    def access_fault(
        self,
        stop: Stop,
        access: Access | str,
        *,
        rights: Rights | None = None,
        level: str | Level | None = None,
        hardware_access_flag: bool = False,
        hardware_dirty: bool = False,
    ) -> Fault | None:
        """The fault the processor raises for an access, or None if the access succeeds.

        `stop` is what a walk ended with: combined `Rights`, the last `Entry`, or a walk record.  `rights` and
        `level` complete an entry (rights of the whole path) or rights (level of the leaf).  The two switches say
        whether an arm64 processor manages the access flag and the dirty state by itself; x86-64 always does.
        """
        found = self.level(level) if level is not None else None
        return access_fault(
            self,
            stop,
            Access.parse(access),
            rights=rights,
            level=found,
            hardware_access_flag=hardware_access_flag,
            hardware_dirty=hardware_dirty,
        )

    # Building

    @abstractmethod
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
        """The entry that points to a table."""

    @abstractmethod
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
        """The entry that maps memory, with rights and marks as Linux would write them."""

    @abstractmethod
    def make_prot_none(
        self, pa: int, level: str | Level, *, accessed: bool = True, dirty: bool = False, write: bool = False
    ) -> int:
        """The entry of a page made PROT_NONE (or hinted for NUMA): Linux keeps the frame, the hardware faults."""

    @abstractmethod
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
        """The entry of a huge page while it is split (pmd_mkinvalid): present to Linux, invalid to the hardware."""

    def make_none(self) -> int:
        """The empty entry."""
        return 0

    def make_swap(
        self,
        swap_type: int,
        offset: int,
        level: str | Level = "pte",
        *,
        exclusive: bool = False,
        soft_dirty: bool = False,
        uffd_wp: bool = False,
    ) -> int:
        """The entry of a page in a swap area: its number and the page's offset there, counted in pages."""
        if not 0 <= swap_type < self.max_swapfiles:
            raise BadValue(
                f"swap type {swap_type} is no swap area; this kernel has {self.max_swapfiles} of them"
            )
        return self._make_swap(swap_type, offset, level, exclusive, soft_dirty, uffd_wp)

    def make_migration(
        self,
        pa: int,
        level: str | Level = "pte",
        *,
        write: bool = False,
        exclusive: bool = False,
        young: bool = False,
        dirty: bool = False,
        soft_dirty: bool = False,
        uffd_wp: bool = False,
    ) -> int:
        """The entry of a page that is being moved away from the frame at `pa`."""
        kind = "migration write" if write else "migration read-exclusive" if exclusive else "migration read"
        offset = self._frame_number(pa)
        if (young or dirty) and self.release < OFFSET_KEEPS_YOUNG:
            raise BadValue(f"migration entries of Linux {self.release} do not keep young and dirty; 6.1 does")
        offset |= young << self._pfn_bits | dirty << (self._pfn_bits + 1)
        return self._make_swap(self._special(kind), offset, level, False, soft_dirty, uffd_wp)

    def make_marker(self, marker: str = "uffd-wp", level: str | Level = "pte") -> int:
        """The entry that maps nothing and keeps a note: "uffd-wp", "poisoned" or "guard"."""
        if marker not in MARKER_BITS:
            raise BadValue(f"marker {marker!r} does not exist; choose one of {', '.join(MARKER_BITS)}")
        return self._make_swap(self._special("marker"), MARKER_BITS[marker], level, False, False, False)

    def make_hwpoison(self, pa: int, level: str | Level = "pte") -> int:
        """The entry of a page whose frame at `pa` has failed."""
        return self._make_swap(self._special("hwpoison"), self._frame_number(pa), level, False, False, False)

    def make_device(self, pa: int, level: str | Level = "pte", *, kind: str = "device-private read") -> int:
        """The entry of a page that lives in a device's memory, or is lent to a device alone."""
        return self._make_swap(self._special(kind), self._frame_number(pa), level, False, False, False)

    def _special(self, kind: str) -> int:
        number = self.special_types.number_of(kind)
        if number is None:
            known = ", ".join(name for _, name in self.special_types.meanings.values())
            raise BadValue(f"Linux {self.release} so configured has no {kind} entries; it has {known}")
        return number

    def _frame_number(self, pa: int) -> int:
        if pa % self.page_size or not 0 <= pa < 1 << self.max_physmem_bits:
            raise BadValue(f"{pa:#x} is no address of a frame below 2^{self.max_physmem_bits}")
        return pa >> self.page_shift

    def _make_swap(
        self,
        swap_type: int,
        offset: int,
        level: str | Level,
        exclusive: bool,
        soft_dirty: bool,
        uffd_wp: bool,
    ) -> int:
        layout = self.swap_layout
        found = self.level(level)
        if not found.leaf_allowed:
            raise BadValue(
                f"a {found.name} entry of {self.name} maps nothing, so it cannot be paged out either"
            )
        if not 0 <= offset < 1 << layout.offset_bits:
            raise BadValue(f"offset {offset:#x} does not fit {layout.offset_bits} bits")
        raw = layout.encode(swap_type, offset)
        wanted = (
            ("exclusive", exclusive, layout.exclusive_bit),
            ("soft-dirty", soft_dirty, layout.soft_dirty_bit),
            ("uffd-wp", uffd_wp, layout.uffd_wp_bit),
        )
        for name, asked, bit in wanted:
            if asked and bit is None:
                raise BadValue(f"swap entries of {self.arch} in Linux {self.release} have no {name} bit")
            if asked and bit is not None:
                raw |= 1 << bit
        if raw == 0:
            raise BadValue(
                f"type {swap_type} with offset {offset:#x} would be the empty entry on {self.arch}"
            )
        return raw

    def check_frame(self, pa: int, level: Level) -> None:
        """Raise `BadValue` unless a leaf of that level can map memory from this physical address."""
        if not level.leaf_allowed:
            raise BadValue(f"a {level.name} entry of {self.name} cannot map memory, only point to a table")
        self._check_address(pa, level.size)

    def check_table(self, table_pa: int, level: Level) -> None:
        """Raise `BadValue` unless an entry of that level can point to a table at this physical address."""
        if level.depth == len(self.levels) - 1:
            raise BadValue(f"a {level.name} entry is at the last level and cannot point to a table")
        self._check_address(table_pa, self.table_alignment(level))

    def table_alignment(self, level: Level) -> int:
        """How a table below that level is aligned: to its size, a page unless the format says less."""
        return self.levels[level.depth + 1].table_bytes

    def check_fits(self, what: str, fits: bool) -> None:
        """Raise `BadValue` if this format has no place for what was asked."""
        if not fits:
            raise BadValue(f"{what} has no place in an entry of {self.name}; leave it out")

    def _check_address(self, pa: int, align: int) -> None:
        if not 0 <= pa < 1 << self.pa_bits or pa % align:
            raise BadValue(
                f"{pa:#x} does not fit the entry: below 2^{self.pa_bits} and a multiple of {align:#x} is needed"
            )

    # Small changes on raw values

    @abstractmethod
    def mkold(self, raw: int, level: str | Level) -> int:
        """The entry marked as not used (pte_mkold)."""

    @abstractmethod
    def mkyoung(self, raw: int, level: str | Level) -> int:
        """The entry marked as used (pte_mkyoung)."""

    @abstractmethod
    def mkclean(self, raw: int, level: str | Level) -> int:
        """The entry marked as not written (pte_mkclean)."""

    @abstractmethod
    def mkdirty(self, raw: int, level: str | Level) -> int:
        """The entry marked as written (pte_mkdirty)."""

    @abstractmethod
    def wrprotect(self, raw: int, level: str | Level) -> int:
        """The entry without the right to write, and with its dirty mark kept (pte_wrprotect)."""

    @abstractmethod
    def mkwrite(self, raw: int, level: str | Level) -> int:
        """The entry with the right to write (pte_mkwrite)."""


@lru_cache(maxsize=1 << 15)
def _decode(fmt: Format, raw: int, level: Level) -> Entry:
    if not 0 <= raw <= ALL_ONES:
        raise BadValue(f"{raw:#x} is no 64-bit value")
    state, kind, reserved_bit = fmt.classify(raw, level)
    if state in NON_PRESENT:
        swap_type, offset = fmt.swap_layout.type_of(raw), fmt.swap_layout.offset_of(raw)
        holds_frame = state in (EntryState.MIGRATION, EntryState.HWPOISON, EntryState.DEVICE)
        address = fmt.frame_in(offset) if holds_frame else None
        return Entry(raw, level, fmt, state, address, swap_type, offset, kind)
    return Entry(raw, level, fmt, state, fmt.address_in(raw, level, state), None, None, kind, reserved_bit)
