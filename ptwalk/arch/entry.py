"""A decoded entry: what 64 bits of a page table say, to the hardware and to Linux.

Room `arch`: knows integers only.  What costs time (fields, rights, sentences) is computed when asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ptwalk.arch.entry_state import MAPPING, EntryState
from ptwalk.arch.field import Field
from ptwalk.arch.geometry import Flags
from ptwalk.arch.level import Level
from ptwalk.arch.rights import Rights
from ptwalk.arch.swap_entry import marker_text

if TYPE_CHECKING:  # an entry knows its format, and a format makes entries: the one circle of this room
    from ptwalk.arch.format import Format


def size_text(size: int) -> str:
    """A number of bytes as people say it: "4 KiB", "2 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} TiB" if size < 1024 else f"{size // 1024} PiB"


@dataclass(frozen=True, repr=False)
class Entry:
    """An entry is one 64-bit word of a page table, read at one level of one format.

    `address` is the physical address the entry holds, whether the hardware would use it (`present`) or only
    Linux knows it: the next table, the first byte of a leaf, the frame kept in a PROT_NONE, split, migration,
    device or hwpoison entry; else None.  `swap_type` and `swap_offset` are set for every swap entry, special
    or not.  `kind` names the state more closely ("migration write", "marker: guard").  `reserved_bit` is the
    lowest bit that made the hardware refuse a present entry.
    """

    raw: int
    level: Level
    format: Format
    state: EntryState
    address: int | None = None
    swap_type: int | None = None
    swap_offset: int | None = None
    kind: str = ""
    reserved_bit: int | None = None

    @property
    def present(self) -> bool:
        """Whether the hardware's present (valid) bit is set."""
        return self.format.present(self.raw)

    @property
    def linux_present(self) -> bool:
        """What pte_present or pmd_present of Linux says: also true for PROT_NONE and for a huge page being split."""
        return self.format.linux_present(self.raw, self.level)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The named fields, highest bits first; together they cover all 64 bits."""
        return self.format.fields_of(self.raw, self.level, self.state, self.kind)

    @cached_property
    def flags(self) -> Flags:
        """The yes-or-no facts, each as Linux reads it."""
        return self.format.flags_of(self.raw, self.level, self.state)

    @cached_property
    def rights(self) -> Rights:
        """The rights that this entry alone grants to the hardware."""
        return self.format.rights_of(self.raw, self.level, self.state)

    @property
    def accessed(self) -> bool:
        """Whether the entry is marked as used (pte_young)."""
        return self.flags.accessed

    @property
    def dirty(self) -> bool:
        """Whether the page is marked as written (pte_dirty)."""
        return self.flags.dirty

    @property
    def writable(self) -> bool:
        """Whether Linux counts the entry as writable (pte_write); see `rights` for what the hardware allows now."""
        return self.flags.writable

    @property
    def user(self) -> bool:
        """Whether user mode may get through this entry."""
        return self.flags.user

    @property
    def global_(self) -> bool:
        """Whether the translation belongs to every address space (G on x86-64, nG clear on arm64)."""
        return self.flags.global_

    @property
    def contiguous(self) -> bool:
        """Whether the entry belongs to a run that the TLB may hold as one (arm64)."""
        return self.flags.contiguous

    @property
    def page_size(self) -> int | None:
        """How many bytes the entry maps, to the hardware or to Linux alone; None if it maps nothing."""
        return self.level.size if self.state in MAPPING else None

    @property
    def run_size(self) -> int | None:
        """How many bytes the contiguous run maps that this entry belongs to, else its own `page_size`."""
        return self.level.run_size if self.contiguous else self.page_size

    @property
    def marks(self) -> str:
        """The names of the set bits, short enough for a picture."""
        return self.format.marks_of(self.raw, self.level, self.state)

    @property
    def sentence(self) -> str:
        """One sentence for a learner."""
        name, size = self.level.name, size_text(self.level.size)
        where = f"{self.address:#x}" if self.address is not None else ""
        match self.state:
            case EntryState.NONE:
                return f"This {name} entry is empty: nothing is mapped in its {size}."
            case EntryState.TABLE:
                return f"This {name} entry points to the next table, at physical address {where}."
            case EntryState.LEAF:
                return f"This {name} entry maps {size} from physical address {where}, rights {self.rights}."
            case EntryState.PROT_NONE:
                return (
                    f"This {name} entry is PROT_NONE: Linux keeps the frame at {where}, "
                    "but the hardware sees an invalid entry and every access faults."
                )
            case EntryState.SPLIT:
                return (
                    f"This {name} entry is present to Linux and invalid to the hardware, as while a huge page "
                    f"is split: it still names {size} at {where}, but an access faults."
                )
            case EntryState.SWAP:
                return (
                    f"This {name} entry is paged out: swap area {self.swap_type}, page {self.swap_offset:#x}."
                )
            case EntryState.MIGRATION:
                return f"This {name} entry is a {self.kind} entry: the page at {where} is being moved; wait for it."
            case EntryState.MARKER:
                return f"This {name} entry maps nothing and keeps a note instead, {self.note}."
            case EntryState.HWPOISON:
                return f"This {name} entry marks a broken frame, at {where}: touching it kills the process."
            case EntryState.DEVICE:
                return f"This {name} entry is {self.kind}: the page at {where} is a device's for now."
            case _:
                return f"This {name} entry is wrong: {self.kind}."

    @property
    def note(self) -> str:
        """What a marker says ("marker: guard"), or "" for any other entry."""
        if self.state is not EntryState.MARKER:
            return ""
        return f"marker: {marker_text(self.swap_offset or 0)}" if self.kind == "marker" else self.kind

    def __repr__(self) -> str:
        return f"<Entry {self.format.name} {self.level.name} {self.raw:#018x} {self.state}>"

    def to_json(self) -> dict[str, object]:
        """The entry as plain values, for JSON."""
        return {
            "raw": f"{self.raw:#018x}",
            "format": self.format.name,
            "level": self.level.name,
            "state": str(self.state),
            "kind": self.kind,
            "address": None if self.address is None else hex(self.address),
            "page_size": self.page_size,
            "present": self.present,
            "linux_present": self.linux_present,
            "rights": str(self.rights),
            "swap_type": self.swap_type,
            "swap_offset": self.swap_offset,
            "reserved_bit": self.reserved_bit,
            "sentence": self.sentence,
            "fields": [field.to_json() for field in self.fields],
        }
