"""The states an entry can be in, as Linux tells them apart.

Room `arch`: knows integers only.
"""

from __future__ import annotations

from enum import StrEnum


class EntryState(StrEnum):
    """A state is what Linux would say an entry is; code that looks at one bit only confuses several of them."""

    NONE = "none"
    TABLE = "table"
    LEAF = "leaf"
    PROT_NONE = "prot-none"
    SPLIT = "split"
    SWAP = "swap"
    MIGRATION = "migration"
    MARKER = "marker"
    HWPOISON = "hwpoison"
    DEVICE = "device"
    RESERVED = "reserved"


# Linux keeps a frame and rights in these although the hardware sees an invalid entry.
PRESENT_INVALID = frozenset({EntryState.PROT_NONE, EntryState.SPLIT})
# Entries that map something to Linux: their bits mean what they mean in a leaf.
MAPPING = frozenset({EntryState.LEAF}) | PRESENT_INVALID
# Swap entries of every kind.
NON_PRESENT = frozenset(
    {EntryState.SWAP, EntryState.MIGRATION, EntryState.MARKER, EntryState.HWPOISON, EntryState.DEVICE}
)
