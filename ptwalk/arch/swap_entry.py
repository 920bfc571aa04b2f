"""Entries that are not present: where their type and offset lie, and what the types mean in each release.

Room `arch`: knows integers only.  Linux writes into an entry that maps nothing a *swap entry*: a type of five
bits and an offset of fifty.  Low types name swap areas.  The highest types are special: they are counted down
from 32, and how many there are depends on the release and on the configuration of the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ptwalk.arch.entry_state import EntryState
from ptwalk.arch.release import Release

# The kernel options that add special types (include/linux/swap.h, 5.15 and 7.1).
MIGRATION = "migration"  # CONFIG_MIGRATION
DEVICE_PRIVATE = "device-private"  # CONFIG_DEVICE_PRIVATE
MEMORY_FAILURE = "memory-failure"  # CONFIG_MEMORY_FAILURE
PTE_MARKER = "pte-marker"  # CONFIG_PTE_MARKER, 5.19 to 6.1; no option any more from 6.2
CONFIG_OPTIONS = (MIGRATION, DEVICE_PRIVATE, MEMORY_FAILURE, PTE_MARKER)

MAX_SWAPFILES_SHIFT = 5  # include/linux/swap.h, 5.15 and 7.1: thirty-two types in all

# Bits of a marker's offset (include/linux/swapops.h): uffd-wp from 5.19; bit 1 came in 6.2 as "swapin error"
# and has been "poisoned" since 6.6; guard regions came in 6.13.
MARKER_BITS = {"uffd-wp": 1, "poisoned": 2, "guard": 4}


@dataclass(frozen=True)
class SwapLayout:
    """A swap layout says at which bits an architecture keeps the type and the offset of a swap entry."""

    type_low: int
    type_bits: int
    offset_low: int
    offset_bits: int
    inverted: bool = False
    exclusive_bit: int | None = None
    uffd_wp_bit: int | None = None
    soft_dirty_bit: int | None = None

    def type_of(self, raw: int) -> int:
        """The type of swap entry in a raw value."""
        return (raw >> self.type_low) & ((1 << self.type_bits) - 1)

    def offset_of(self, raw: int) -> int:
        """The offset of the swap entry in a raw value."""
        return ((~raw if self.inverted else raw) >> self.offset_low) & ((1 << self.offset_bits) - 1)

    def encode(self, swap_type: int, offset: int) -> int:
        """The raw value of a swap entry."""
        stored = (~offset if self.inverted else offset) & ((1 << self.offset_bits) - 1)
        return swap_type << self.type_low | stored << self.offset_low


@dataclass(frozen=True)
class SpecialTypes:
    """The special swap types of one kernel: what number stands for what."""

    meanings: dict[int, tuple[EntryState, str]]
    max_swapfiles: int

    def meaning_of(self, swap_type: int) -> tuple[EntryState, str]:
        """The state of an entry with this type, and in words which kind of that state."""
        if swap_type < self.max_swapfiles:
            return EntryState.SWAP, "swap"
        return self.meanings.get(swap_type, (EntryState.RESERVED, "no swap type of this kernel"))

    def number_of(self, kind: str) -> int | None:
        """The type that stands for a kind such as "migration write", or None if this kernel has none."""
        return next((number for number, (_, name) in self.meanings.items() if name == kind), None)


# How Debian names its kernels: "6.1.0-50-amd64", "6.12.117+deb12-arm64-16k".
_DEBIAN = re.compile(r"\d-(cloud-|rt-)?(amd64|arm64)\b|\+deb\d")


def default_config(arch: str, release: Release, named: str = "") -> frozenset[str]:
    """The options a distribution's kernel has; `named` is the release as the kernel writes it.

    All of them, but no markers where userfaultfd cannot write-protect: CONFIG_PTE_MARKER was selected by
    write-protection support, which arm64 got only in 6.10. Debian builds without device-private memory
    (config-6.1.0-50 and config-6.12.117+deb12, amd64 and arm64), and its names say that they are Debian's.
    """
    options = set(CONFIG_OPTIONS)
    if arch == "arm64" and release < Release(6, 2):
        options.remove(PTE_MARKER)
    if _DEBIAN.search(named):
        options.remove(DEVICE_PRIVATE)
    return frozenset(options)


def special_types(release: Release, config: Collection[str]) -> SpecialTypes:
    """The special types of a kernel, from its release and options.

    *Source*: include/linux/swap.h, 5.15 and 7.1; between them the counts are those that the Linux Test Project
    keeps to compute MAX_SWAPFILES: a third migration type, markers and the swapin-error type from 5.19, the last
    gone and markers unconditional from 6.2, one device-exclusive type instead of two from 6.15.
    """
    order: list[tuple[EntryState, str]] = []  # in the order of their numbers
    if MEMORY_FAILURE in config:
        order.append((EntryState.HWPOISON, "hwpoison"))
    if MIGRATION in config:
        order.append((EntryState.MIGRATION, "migration read"))
        if release >= Release(5, 19):
            order.append((EntryState.MIGRATION, "migration read-exclusive"))
        order.append((EntryState.MIGRATION, "migration write"))
    if DEVICE_PRIVATE in config:
        order += [(EntryState.DEVICE, "device-private write"), (EntryState.DEVICE, "device-private read")]
        if release >= Release(6, 15):
            order.append((EntryState.DEVICE, "device-exclusive"))
        else:
            order.append((EntryState.DEVICE, "device-exclusive write"))
            order.append((EntryState.DEVICE, "device-exclusive read"))
    if release >= Release(6, 2) or (release >= Release(5, 19) and PTE_MARKER in config):
        order.append((EntryState.MARKER, "marker"))
    if Release(5, 19) <= release < Release(6, 2):
        order.append((EntryState.MARKER, "swapin error"))
    first = (1 << MAX_SWAPFILES_SHIFT) - len(order)
    return SpecialTypes({first + place: meaning for place, meaning in enumerate(order)}, first)


def marker_text(offset: int) -> str:
    """What the bits of a marker say, in words."""
    names = [name for name, bit in MARKER_BITS.items() if offset & bit]
    return " and ".join(names) if names else "no known bit"
