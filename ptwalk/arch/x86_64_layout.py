"""The layouts of x86-64 entries for display: which field is called what, and what its values mean.

Room `arch`: knows integers only.  One layout for each state; the bits are those of `x86_64_bits`.
"""

from __future__ import annotations

from functools import lru_cache

from ptwalk.arch import x86_64_bits as bit
from ptwalk.arch.entry_state import MAPPING, NON_PRESENT, PRESENT_INVALID, EntryState
from ptwalk.arch.field import Part, complete
from ptwalk.arch.format import Format
from ptwalk.arch.level import Level
from ptwalk.arch.swap_entry import marker_text

IGNORED = "ignored by the hardware, free for software"

_P = Part("P", 0, 0, ("not present: the hardware ignores all other bits", "present"))
_RW = Part("R/W", 1, 1, ("read-only", "writable, if every level says so"))
_US = Part("U/S", 2, 2, ("kernel only", "user mode may pass, if every level says so"))
_PWT = Part("PWT", 3, 3, ("cache policy, index bit 0 is 0", "cache policy, index bit 0 is 1"))
_PCD = Part("PCD", 4, 4, ("cache policy, index bit 1 is 0", "cache policy, index bit 1 is 1"))
_A = Part("A", 5, 5, ("not accessed since it was last cleared", "accessed: the hardware used this entry"))
_D = Part(
    "D", 6, 6, ("not written since it was last cleared", "dirty: the hardware wrote through this entry")
)
_G = Part("G", 8, 8, ("flushed with its address space", "global: survives a change of CR3"))
_XD = Part(
    "XD", 63, 63, ("may be executed, if every level says so", "no instruction may be fetched from here")
)
_PKEY = Part("PKEY", 62, 59, lambda key: f"protection key {key}, looked up in PKRU if keys are on")
_SPECIAL = Part(
    "SPECIAL", 9, 9, ("an ordinary page to Linux", "special: Linux must not use a struct page for it")
)
_UFFD_WP = Part("UFFD_WP", 10, 10, ("no userfaultfd write-protection", "write-protected for userfaultfd"))
_SOFT_DIRTY = Part(
    "SOFT_DIRTY", 11, 11, ("not written since soft-dirty was reset", "soft-dirty: written since then")
)


def layout(fmt: Format, raw: int, level: Level, state: EntryState) -> tuple[Part, ...]:
    """The layout of an entry in that state."""
    if state is EntryState.RESERVED:
        # Show it as what it would have been without the bit that spoils it.
        if not fmt.present(raw):
            return _empty(level.leaf_allowed)
        leaf = level.linux == "pte" or (raw & bit.PS and level.leaf_allowed)
        return _leaf(fmt, level, EntryState.LEAF) if leaf else _table(fmt, level)
    if state is EntryState.TABLE:
        return _table(fmt, level)
    if state in MAPPING:
        return _leaf(fmt, level, state)
    if state in NON_PRESENT:
        return _swap(fmt, state, fmt.swap_layout.type_of(raw))
    return _empty(level.leaf_allowed)


@lru_cache(maxsize=64)
def _empty(leaf_allowed: bool) -> tuple[Part, ...]:
    parts = [_P]
    if leaf_allowed:
        parts.append(
            Part("A D", 6, 5, "a processor may set these in an empty entry by mistake; Linux looks away")
        )
    return complete(parts, "zero in an empty entry")


def _above_address(fmt: Format) -> list[Part]:
    if fmt.pa_bits == 52:
        return []
    return [Part("reserved", 51, fmt.pa_bits, f"beyond {fmt.pa_bits} physical address bits: must be zero")]


@lru_cache(maxsize=256)
def _table(fmt: Format, level: Level) -> tuple[Part, ...]:
    size = "page size: 0 points to a table" if level.leaf_allowed else "reserved at this level, must be zero"
    high = fmt.pa_bits - 1
    parts = [_P, _RW, _US, _PWT, _PCD, _A, _XD, Part("PS", 7, 7, size), *_above_address(fmt)]
    parts.append(
        Part("table", high, 12, lambda frame: f"the next table is at physical address {frame << 12:#x}")
    )
    if level.depth == 0 and fmt.release >= bit.NOPTISHADOW_FROM:
        words = ("no special rule", "not to be copied into the user table of page-table isolation")
        parts.append(Part("NOPTISHADOW", 58, 58, words))
    return complete(parts, IGNORED)


@lru_cache(maxsize=256)
def _leaf(fmt: Format, level: Level, state: EntryState) -> tuple[Part, ...]:
    small, inverted = level.linux == "pte", state in PRESENT_INVALID
    parts = [_P, _RW, _US, _PWT, _PCD, _A, _D, _XD, _PKEY, _SPECIAL, _UFFD_WP, _SOFT_DIRTY]
    pat = ("cache policy, index bit 2 is 0", "cache policy, index bit 2 is 1")
    if small:
        parts.append(Part("PAT", 7, 7, pat))
    else:
        words = ("must be one in a huge leaf", "page size: this entry maps memory itself")
        parts += [Part("PS", 7, 7, words), Part("PAT", 12, 12, pat)]
        text = "below the frame of a huge page: must be zero"
        parts.append(Part("reserved", level.shift - 1, 13, text))
    if inverted:
        words = ("no PROT_NONE", "PROT_NONE: present to Linux only (the bit is G when P is set)")
        parts.append(Part("PROTNONE", 8, 8, words))
        width = 52 - level.shift

        def stored(value: int) -> str:
            return f"stored inverted; the frame is at {(~value & ((1 << width) - 1)) << level.shift:#x}"

        parts.append(Part("frame (inverted)", 51, level.shift, stored))
    else:
        parts += [_G, *_above_address(fmt)]
        text = "the memory starts at physical address"
        top = fmt.pa_bits - 1
        parts.append(Part("frame", top, level.shift, lambda frame: f"{text} {frame << level.shift:#x}"))
    devmap = ("not device memory", "DEVMAP: memory of a device with struct pages")
    if fmt.release < bit.SAVED_DIRTY_FROM:
        parts.append(Part("DEVMAP", 58, 58, devmap))
    else:
        words = ("no saved dirty mark", "dirty, saved here because D in a read-only entry means shadow stack")
        parts.append(Part("SAVED_DIRTY", 58, 58, words))
        if fmt.release < bit.DEVMAP_UNTIL:
            parts.append(Part("DEVMAP", 57, 57, devmap))
    return complete(parts, IGNORED)


@lru_cache(maxsize=512)
def _swap(fmt: Format, state: EntryState, swap_type: int) -> tuple[Part, ...]:
    _, kind = fmt.special_types.meaning_of(swap_type)
    number = f"type {swap_type}: " + (f"swap area {swap_type}" if state is EntryState.SWAP else kind)
    mask = (1 << 50) - 1

    def offset(value: int) -> str:
        found = ~value & mask
        if state is EntryState.SWAP:
            what = f"page {found:#x} of the swap area"
        elif state is EntryState.MARKER:
            what = f"marker bits {found:#x}, {marker_text(found)}" if kind == "marker" else "unused"
        else:
            what = f"frame {found:#x}, with what else the kernel keeps above it"
        return f"stored inverted, so that no cacheable memory is named; {what}"

    parts = [
        _P,
        Part("SOFT_DIRTY", 1, 1, ("not soft-dirty", "soft-dirty")),
        Part("UFFD_WP", 2, 2, ("no userfaultfd write-protection", "write-protected for userfaultfd")),
        Part("type", 63, 59, number),
        Part("offset (inverted)", 58, 9, offset),
        Part("PROTNONE", 8, 8, "zero, else the entry would be PROT_NONE"),
        Part("PS", 7, 7, "zero, else a pmd would look present"),
        Part("A D", 6, 5, "not used: a processor may set them by mistake"),
    ]
    if fmt.swap_layout.exclusive_bit is not None:
        words = ("may be shared", "exclusive: the anonymous page belonged to one process alone")
        parts.append(Part("EXCLUSIVE", 3, 3, words))
    return complete(parts, "free")


def marks(fmt: Format, raw: int, level: Level, state: EntryState) -> str:
    """The names of the set bits, in the order of the manual."""
    if state in NON_PRESENT:
        return str(state).upper()
    small = level.linux == "pte"
    names = [
        ("P", bit.P),
        ("W", bit.RW),
        ("U", bit.US),
        ("WT", bit.PWT),
        ("CD", bit.PCD),
        ("A", bit.A),
        ("D", bit.D if state is not EntryState.TABLE else 0),
        ("PAT" if small else "PS", bit.PS),
        ("PROTNONE" if not raw & bit.P else "G", bit.G if state is not EntryState.TABLE else 0),
        ("NX", bit.NX),
    ]
    return " ".join(name for name, mask in names if raw & mask)
