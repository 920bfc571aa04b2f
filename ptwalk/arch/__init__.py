"""Bits: what the 64 bits of a page-table entry mean, on x86-64 and arm64, for the hardware and for Linux.

The lowest room: it imports nothing of ptwalk but `errors`, and the standard library only.
"""

from ptwalk.arch.entry import Entry
from ptwalk.arch.entry_state import EntryState
from ptwalk.arch.fault import Access, Fault
from ptwalk.arch.field import Field
from ptwalk.arch.format import Format
from ptwalk.arch.formats import FORMAT_NAMES, format_name, format_named
from ptwalk.arch.geometry import BadFormat, BadValue, Flags
from ptwalk.arch.level import Level
from ptwalk.arch.release import BadRelease, Release
from ptwalk.arch.rights import EVERYTHING, NOTHING, Rights

__all__ = [
    "EVERYTHING",
    "FORMAT_NAMES",
    "NOTHING",
    "Access",
    "BadFormat",
    "BadRelease",
    "BadValue",
    "Entry",
    "EntryState",
    "Fault",
    "Field",
    "Flags",
    "Format",
    "Level",
    "Release",
    "Rights",
    "format_name",
    "format_named",
]
