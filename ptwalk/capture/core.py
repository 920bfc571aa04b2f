"""An ELF64 core of a whole machine, opened lazily: its segments as physical memory, its notes as bytes.

Part of `capture`; knows ELF and nothing of page tables.  The structures are pyelftools' own; the loops
are written here, with a bound on each, since a damaged file may claim anything.  Only the parts of
pyelftools that describe the file header are imported: its DWARF reader would double the time to open.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from ptwalk.errors import AddressError, CaptureError, MissingMemory

from .unpack import file_bytes

# Sizes of the ELF64 file header, a program header, a note header (System V gABI, chapters 4 and 5).
_EHDR, _PHDR, _NHDR = 64, 56, 12
_PT_LOAD, _PT_NOTE = "PT_LOAD", "PT_NOTE"
# With e_phnum at this value the number of program headers is in sh_info of section header 0 (gABI).
_PN_XNUM: Final = 0xFFFF

MOST_SEGMENTS: Final = 1 << 17
MOST_NOTES: Final = 1 << 15
"""Bounds on what is believed of a file: more program headers or notes than these are taken for damage."""

MACHINES: Final = {"EM_X86_64": "x86-64", "EM_AARCH64": "arm64"}

_word = struct.Struct("<Q").unpack_from

# The unit of the lookup from address to bytes; the smallest page of any format.
_UNIT_SHIFT: Final = 12
_UNIT: Final = 1 << _UNIT_SHIFT
# Units remembered before the lookup is begun anew: it bounds the memory of a long scan (about 200 bytes each).
_MOST_UNITS: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class Note:
    """One note of the core: who wrote it, its type, its bytes."""

    owner: str
    type: int
    data: bytes


class Segments:
    """Physical memory as a core holds it: runs of bytes at physical addresses, and nothing in between.

    Satisfies `ptwalk.machine.physmem.PhysicalMemory`. An address in no segment raises `MissingMemory`:
    a dump that was cut down left it out, so it must not read as zero.
    """

    def __init__(self, runs: list[tuple[int, memoryview]]) -> None:
        """`runs`: (first physical address, bytes), not overlapping; sorted here."""
        runs = sorted(runs, key=lambda run: run[0])
        self._starts = [start for start, _ in runs]
        self._views = [view for _, view in runs]
        self._units: dict[int, memoryview] = {}

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The (start, end) physical addresses that are held, ascending; `end` is exclusive."""
        return tuple((s, s + len(v)) for s, v in zip(self._starts, self._views, strict=True))

    @property
    def size(self) -> int:
        """How many bytes of physical memory the core holds."""
        return sum(map(len, self._views))

    def __contains__(self, pa: object) -> bool:
        """Whether the byte at physical address `pa` is held."""
        if not isinstance(pa, int):
            return False
        at = bisect_right(self._starts, pa) - 1
        return at >= 0 and pa - self._starts[at] < len(self._views[at])

    def read_u64(self, pa: int) -> int:
        """The 64-bit little-endian word at physical address `pa`."""
        try:
            value: int = _word(self._units[pa >> _UNIT_SHIFT], pa & (_UNIT - 1))[0]
            return value
        except (KeyError, struct.error):
            return self._first_read(pa)

    def _first_read(self, pa: int) -> int:
        # Remember the whole unit around `pa` if the core holds it whole, so that the next word there is
        # one lookup. A word that straddles units or runs is put together by read().
        unit = pa & ~(_UNIT - 1)
        at = bisect_right(self._starts, unit) - 1
        if at >= 0 and unit + _UNIT <= self._starts[at] + len(self._views[at]):
            if len(self._units) >= _MOST_UNITS:
                self._units.clear()
            offset = unit - self._starts[at]
            self._units[unit >> _UNIT_SHIFT] = self._views[at][offset : offset + _UNIT]
        return int.from_bytes(self.read(pa, 8), "little")

    def read(self, pa: int, length: int) -> bytes:
        """`length` bytes from physical address `pa` on."""
        if length < 0:
            raise AddressError(f"cannot read {length} bytes: give a length of 0 or more")
        parts = []
        while length > 0:
            at = bisect_right(self._starts, pa) - 1
            offset = pa - self._starts[at] if at >= 0 else 0
            if at < 0 or offset >= len(self._views[at]):
                raise MissingMemory(
                    pa,
                    f"physical address {pa:#x} is in no segment of this core: the dump was cut down, or it is a device;"
                    " open the full dump if you need it",
                )
            part = self._views[at][offset : offset + length]
            parts.append(part)
            pa += len(part)
            length -= len(part)
        return b"".join(parts)


@dataclass(frozen=True)
class Core:
    """An opened core: `arch` ("x86-64" or "arm64"), its `memory`, its `notes` in file order, its `path`."""

    path: Path
    arch: str
    memory: Segments
    notes: tuple[Note, ...]


def open_core(path: Path) -> Core:
    """Open the ELF64 core at `path` (plain, .xz or .gz), reading headers and notes only.

    Raises `CaptureError` for anything but a whole little-endian ELF64 core of an x86-64 or arm64 machine.
    """
    data = file_bytes(path)
    structs, header = _header(path, data)
    loads: list[tuple[int, memoryview]] = []
    notes: list[Note] = []
    for number, segment in enumerate(_program_headers(path, data, structs, header)):
        kind, offset, size = segment.p_type, segment.p_offset, segment.p_filesz
        if kind not in (_PT_LOAD, _PT_NOTE) or size == 0:
            continue
        if offset + size > len(data):
            raise CaptureError(
                f"{path} is cut short: segment {number} ends at byte {offset + size:,} but the file has {len(data):,}:"
                " copy or make the dump again"
            )
        view = data[offset : offset + size]
        if kind == _PT_NOTE:
            notes += _notes(path, view, structs)
        elif segment.p_memsz < size:
            raise CaptureError(
                f"{path} is damaged: segment {number} holds {size:,} bytes of {segment.p_memsz:,}: make the dump again"
            )
        elif segment.p_paddr + size > 1 << 64:
            raise CaptureError(
                f"{path} is damaged: segment {number} ends past physical address 2^64: make the dump again"
            )
        else:
            loads.append((segment.p_paddr, view))
    _check_loads(path, loads)
    return Core(path, MACHINES[header.e_machine], Segments(loads), tuple(notes))


def _header(path: Path, data: memoryview) -> tuple[Any, Any]:
    from elftools.elf.structs import ELFStructs

    ident = bytes(data[:16])
    if ident[:4] != b"\x7fELF":
        raise CaptureError(
            f"{path} is not an ELF file (it begins with {ident[:4].hex(' ')}):"
            " give a core as QEMU's dump-guest-memory writes it, plain, .xz or .gz"
        )
    if len(data) < _EHDR:
        raise CaptureError(f"{path} is cut short inside its header: copy or make the dump again")
    if ident[4] != 2:
        raise CaptureError(
            f"{path} is not a 64-bit ELF file: page tables of 32-bit machines are not read here; dump a 64-bit guest"
        )
    if ident[5] != 1:
        raise CaptureError(
            f"{path} is big-endian: only little-endian x86-64 and arm64 machines are read here; dump one of those"
        )
    structs: Any = ELFStructs(little_endian=True, elfclass=64)
    structs.create_basic_structs()
    structs.create_advanced_structs(None, None, None)
    header = structs.Elf_Ehdr.parse(bytes(data[:_EHDR]))
    if header.e_type != "ET_CORE":
        raise CaptureError(
            f"{path} is an ELF file but no core (type {header.e_type}): give a core as dump-guest-memory writes it"
        )
    if header.e_machine not in MACHINES:
        raise CaptureError(
            f"{path} comes from another processor ({header.e_machine}): x86-64 and arm64 cores are read here"
        )
    if header.e_phentsize != _PHDR:
        raise CaptureError(
            f"{path} is damaged: its program headers have {header.e_phentsize} bytes each instead of {_PHDR}:"
            " make the dump again"
        )
    return structs, header


def _program_headers(path: Path, data: memoryview, structs: Any, header: Any) -> list[Any]:
    count = header.e_phnum
    if count == _PN_XNUM:
        section = bytes(data[header.e_shoff : header.e_shoff + header.e_shentsize])
        if len(section) < 64:
            raise CaptureError(
                f"{path} is cut short: its first section header is missing: make the dump again"
            )
        count = structs.Elf_Shdr.parse(section).sh_info
    end = header.e_phoff + count * _PHDR
    if end > len(data):
        raise CaptureError(
            f"{path} is cut short: its {count} program headers end at byte {end:,} but the file has {len(data):,}:"
            " copy or make the dump again"
        )
    if count > MOST_SEGMENTS:
        raise CaptureError(f"{path} claims {count} segments, which no dump has: make the dump again")
    first = header.e_phoff
    return [structs.Elf_Phdr.parse(bytes(data[at : at + _PHDR])) for at in range(first, end, _PHDR)]


def _notes(path: Path, data: memoryview, structs: Any) -> list[Note]:
    # gABI chapter 5, with the four-byte alignment that Linux and QEMU use for cores.
    notes: list[Note] = []
    at = 0
    while at + _NHDR <= len(data):
        head = structs.Elf_Nhdr.parse(bytes(data[at : at + _NHDR]))
        name = at + _NHDR
        desc = name + (head.n_namesz + 3 & ~3)
        end = desc + head.n_descsz
        if end > len(data) or len(notes) >= MOST_NOTES:
            raise CaptureError(
                f"{path} is damaged: note {len(notes)} does not fit in its segment of {len(data):,} bytes:"
                " copy or make the dump again"
            )
        owner = bytes(data[name : name + head.n_namesz]).rstrip(b"\0").decode("latin-1")
        kind = int.from_bytes(data[at + 8 : at + 12], "little")
        notes.append(Note(owner, kind, bytes(data[desc:end])))
        at = end + 3 & ~3
    return notes


def _check_loads(path: Path, loads: list[tuple[int, memoryview]]) -> None:
    if not loads:
        raise CaptureError(
            f"{path} holds no memory: make the dump again with dump-guest-memory, without paging"
        )
    if len(loads) > 1 and not any(start for start, _ in loads):
        raise CaptureError(
            f"{path} gives no physical addresses: it looks like the core of one process, not of a machine;"
            " dump the whole guest with dump-guest-memory"
        )
    loads.sort(key=lambda run: run[0])
    for (a, view), (b, _) in pairwise(loads):
        if a + len(view) > b:
            raise CaptureError(
                f"{path} has overlapping segments: {a:#x} to {a + len(view):#x} and another from {b:#x}:"
                " dump again without paging (no -p), so that each physical page is there once"
            )
