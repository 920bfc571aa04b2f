"""The layouts of arm64 entries for display: which field is called what, and what its values mean.

Room `arch`: knows integers only.  One layout for each state; the bits are those of `arm64_bits`.
"""

from __future__ import annotations

from functools import lru_cache

from ptwalk.arch import arm64_bits as bit
from ptwalk.arch.entry_state import MAPPING, NON_PRESENT, PRESENT_INVALID, EntryState
from ptwalk.arch.field import Part, complete
from ptwalk.arch.format import Format
from ptwalk.arch.level import Level
from ptwalk.arch.swap_entry import marker_text

IGNORED = "ignored by the hardware, free for software"

_VALID = Part("VALID", 0, 0, ("invalid: the hardware ignores all other bits", "valid"))
_ATTR = Part("AttrIndx", 4, 2, lambda index: f"memory type number {index} of MAIR_EL1")
_NS = Part("NS", 5, 5, "matters to the secure state only")
_USER = Part("AP[1]", 6, 6, ("kernel only", "user mode may read, and write unless AP[2] says no"))
_AF = Part("AF", 10, 10, ("access flag clear: not used yet, or made old", "access flag set: used"))
_NG = Part("nG", 11, 11, ("global: for every address space", "not global: the TLB tags it with the ASID"))
_PXN = Part(
    "PXN", 53, 53, ("the kernel may execute, unless user mode may write", "the kernel must not execute")
)
_UXN = Part("UXN", 54, 54, ("user mode may execute", "user mode must not execute"))
_SH = ("not shareable", "reserved", "outer shareable", "inner shareable")


def layout(fmt: Format, raw: int, level: Level, state: EntryState) -> tuple[Part, ...]:
    """The layout of an entry in that state."""
    if state is EntryState.RESERVED:
        # Show it as what it would have been without the bit that spoils it.
        if not fmt.present(raw):
            return complete([_VALID], "no meaning at this level")
        leaf = level.linux == "pte" or not raw & bit.TABLE
        return _leaf(fmt, level, EntryState.LEAF) if leaf else _table(fmt, level)
    if state is EntryState.TABLE:
        return _table(fmt, level)
    if state in MAPPING:
        return _leaf(fmt, level, state)
    if state in NON_PRESENT:
        return _swap(fmt, state, fmt.swap_layout.type_of(raw))
    return complete([_VALID], "zero in an empty entry")


def _address(fmt: Format, low: int, what: str) -> list[Part]:
    """The address: bits in their place, and those that the wider formats keep elsewhere."""
    high = fmt.table_address_mask.bit_length() - 1
    split = f", bits {high}:{low} of it; the rest stands elsewhere" if fmt.address_high_parts else ""
    parts = [Part(what, high, low, lambda bits: f"{what} at physical address {bits << low:#x}{split}")]
    for mask, shift in fmt.address_high_parts:
        bottom, top = (mask & -mask).bit_length() - 1, mask.bit_length() - 1
        name = f"PA[{top + shift}:{bottom + shift}]"
        parts.append(Part(name, top, bottom, f"address bits {top + shift}:{bottom + shift}, kept here"))
    return parts


@lru_cache(maxsize=256)
def _table(fmt: Format, level: Level) -> tuple[Part, ...]:
    parts = [
        _VALID,
        Part("type", 1, 1, ("a block", "a table")),
        Part("AF", 10, 10, "access flag of the table, only with FEAT_HAFT"),
        Part("PXNTable", 59, 59, ("no limit", "the kernel must not execute anything below")),
        Part("UXNTable", 60, 60, ("no limit", "user mode must not execute anything below")),
        Part("APTable[0]", 61, 61, ("no limit", "user mode has no access to anything below")),
        Part("APTable[1]", 62, 62, ("no limit", "nothing below may be written")),
        Part("NSTable", 63, 63, "matters to the secure state only"),
        *_address(fmt, fmt.page_shift, "next table"),
    ]
    return complete(parts, IGNORED)


@lru_cache(maxsize=256)
def _leaf(fmt: Format, level: Level, state: EntryState) -> tuple[Part, ...]:
    invalid, moved = state in PRESENT_INVALID, fmt.release >= bit.MOVED
    last = level.linux == "pte"
    kind = ("reserved at this level", "a page") if last else ("a block", "not a block")
    parts = [
        _VALID,
        Part("type", 1, 1, kind),
        _ATTR,
        _NS,
        _USER,
        Part("AP[2]", 7, 7, ("writable; with DBM also: dirty", "read-only; with DBM: writable and clean")),
        _AF,
        Part("GP", 50, 50, ("no branch guard", "guarded: branches must land on a BTI")),
        Part(
            "DBM", 51, 51, ("Linux: not writable", "Linux: writable; the hardware may clear AP[2] at a write")
        ),
        Part("Contiguous", 52, 52, ("by itself", "one of a run that the TLB may hold as one")),
        _PXN,
        _UXN,
        Part("DIRTY", 55, 55, ("software: no dirty mark", "software: dirty")),
        Part("SPECIAL", 56, 56, ("software: an ordinary page", "software: no struct page is to be used")),
        *_address(fmt, level.shift, "frame"),
    ]
    if not fmt.address_high_parts or fmt.page_shift == 16:
        parts.append(Part("SH", 9, 8, _SH))
    if fmt.release < bit.DEVMAP_UNTIL:
        parts.append(Part("DEVMAP", 57, 57, ("software: not device memory", "software: DEVMAP")))
    if moved and invalid:
        parts.append(Part("PRESENT_INVALID", 11, 11, "present to Linux only (the bit is nG when valid)"))
    else:
        parts.append(_NG)
    if moved:
        parts.append(
            Part("UFFD_WP", 58, 58, ("software: no mark", "software: write-protected for userfaultfd"))
        )
        parts.append(
            Part("POIndex", 62, 60, lambda key: f"permission overlay {key}, where the CPU has overlays")
        )
    elif invalid:
        words = ("not PROT_NONE", "software: PROT_NONE, present to Linux only")
        parts.append(Part("PROT_NONE", 58, 58, words))
        if level.linux == "pmd":
            words = ("not being split", "software: being split, present to Linux only")
            parts.append(Part("PRESENT_INVALID", 59, 59, words))
    if not last:
        text = "below the address of a block: should be zero"
        parts.append(Part("reserved", level.shift - 1, fmt.page_shift, text))
    return complete(parts, IGNORED)


@lru_cache(maxsize=512)
def _swap(fmt: Format, state: EntryState, swap_type: int) -> tuple[Part, ...]:
    where = fmt.swap_layout
    _, kind = fmt.special_types.meaning_of(swap_type)
    number = f"type {swap_type}: " + (f"swap area {swap_type}" if state is EntryState.SWAP else kind)

    def offset(value: int) -> str:
        if state is EntryState.SWAP:
            return f"page {value:#x} of the swap area"
        if state is EntryState.MARKER:
            return f"marker bits {value:#x}, {marker_text(value)}" if kind == "marker" else "unused"
        return f"frame {value:#x}, with what else the kernel keeps above it"

    parts = [
        _VALID,
        Part("type[1]", 1, 1, "zero in a swap entry"),
        Part("type", where.type_low + where.type_bits - 1, where.type_low, number),
        Part("offset", where.offset_low + where.offset_bits - 1, where.offset_low, offset),
    ]
    if where.exclusive_bit is not None:
        words = ("may be shared", "exclusive: the anonymous page belonged to one process alone")
        parts.append(Part("EXCLUSIVE", where.exclusive_bit, where.exclusive_bit, words))
    if where.uffd_wp_bit is not None:
        words = ("no userfaultfd write-protection", "write-protected for userfaultfd")
        parts.append(Part("UFFD_WP", where.uffd_wp_bit, where.uffd_wp_bit, words))
    if fmt.release >= bit.MOVED:
        parts.append(Part("PRESENT_INVALID", 11, 11, "zero, else the entry would be present to Linux"))
    else:
        parts.append(Part("PROT_NONE", 58, 58, "zero, else the entry would be PROT_NONE"))
    return complete(parts, "free")


def marks(fmt: Format, raw: int, level: Level, state: EntryState) -> str:
    """The names of the set bits, lowest first; rights as what they allow."""
    if state in NON_PRESENT:
        return str(state).upper()
    if state is EntryState.NONE:
        return ""
    if state is EntryState.TABLE:
        names = [
            ("V", bit.VALID),
            ("T", bit.TABLE),
            ("PXNT", bit.PXN_TABLE),
            ("UXNT", bit.UXN_TABLE),
            ("noU", bit.AP_TABLE_NO_USER),
            ("noW", bit.AP_TABLE_NO_WRITE),
        ]
    else:
        invalid = not raw & bit.VALID
        names = [
            ("V", bit.VALID),
            ("U", bit.USER),
            ("RO", bit.RDONLY),
            ("AF", bit.AF),
            ("INV" if invalid and fmt.release >= bit.MOVED else "nG", bit.NG),
            ("DBM", bit.DBM),
            ("C", bit.CONT),
            ("PXN", bit.PXN),
            ("UXN", bit.UXN),
            ("D", bit.DIRTY),
        ]
        if invalid and fmt.release < bit.MOVED:
            names += [("PROTNONE", bit.OLD_PROT_NONE), ("INV", bit.OLD_PMD_PRESENT_INVALID)]
    return " ".join(name for name, mask in names if raw & mask)
