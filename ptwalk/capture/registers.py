"""What the notes of a core tell of its processors and its kernel: control registers, formats, roots.

Part of `capture`; turns bytes of notes into numbers, and knows `arch` for the names of formats alone.
QEMU writes one note of its own ("QEMU") for each x86-64 processor; arm64 cores carry no system register.
A Linux kernel that hands its VMCOREINFO to the emulator (the vmcoreinfo device) adds what crash tools need.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from .core import Core, Note

# struct QEMUCPUState, version 1 (qemu target/i386/arch_dump.c, 7.2): two 32-bit words (version, size),
# 16 general registers, rip, rflags, ten segments of 24 bytes (selector first; cs is the first segment),
# then cr[0] to cr[4].
_CPU_STATE_SIZE = 432
_CS_AT, _CR_AT = 152 - 8, 392

_KERNEL_IMAGE = 0xFFFF_FFFF_8000_0000  # __START_KERNEL_map: arch/x86/include/asm/page_64_types.h, 6.1
_CR4_LA57 = 1 << 12  # Intel SDM vol. 3, 2.5: CR4 bit 12, five-level paging
_CR0_PG = 1 << 31  # Intel SDM vol. 3, 2.5: CR0 bit 31, paging on


@dataclass(frozen=True, slots=True)
class Processor:
    """One x86-64 processor as it was stopped: control registers, and the privilege it ran with."""

    number: int
    cr0: int
    cr3: int
    cr4: int
    privilege: int

    @property
    def user(self) -> bool:
        """Whether it was running a process's own code (privilege level 3)."""
        return self.privilege == 3

    @property
    def levels(self) -> int:
        """How many levels its walks have: 5 with CR4.LA57, else 4."""
        return 5 if self.cr4 & _CR4_LA57 else 4

    @property
    def paging(self) -> bool:
        """Whether paging was on."""
        return bool(self.cr0 & _CR0_PG)


def processors(core: Core) -> tuple[Processor, ...]:
    """The processors that the core's QEMU notes describe, in order; none on arm64 or in foreign cores."""
    found: list[Processor] = []
    if core.arch != "x86-64":
        return ()
    for note in core.notes:
        if note.owner != "QEMU" or len(note.data) < _CPU_STATE_SIZE:
            continue
        cs = struct.unpack_from("<I", note.data, _CS_AT + 8)[0]
        cr0, _, _, cr3, cr4 = struct.unpack_from("<5Q", note.data, _CR_AT)
        found.append(Processor(len(found), cr0, cr3, cr4, cs & 3))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class KernelNote:
    """What a kernel's VMCOREINFO note says, as far as page tables need it; None where it is silent."""

    release: str | None
    page_size: int | None
    va_bits: int | None
    levels: int | None
    swapper_root: int | None


def kernel_note(core: Core) -> KernelNote | None:
    """The kernel's own note, read; None if the core has none."""
    for note in core.notes:
        if note.owner == "VMCOREINFO":
            return _read_kernel_note(core.arch, note)
    return None


def _read_kernel_note(arch: str, note: Note) -> KernelNote:
    # Keys and their meaning: Documentation/admin-guide/kdump/vmcoreinfo.rst, 6.1.
    values: dict[str, str] = {}
    for line in note.data.decode("latin-1").splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values[key] = value

    def number(key: str, base: int) -> int | None:
        try:
            return int(values[key], base)
        except (KeyError, ValueError):
            return None

    swapper = number("SYMBOL(swapper_pg_dir)", 16)
    page_size = number("PAGESIZE", 10)
    if arch == "x86-64":
        base = number("NUMBER(phys_base)", 10)
        five = number("NUMBER(pgtable_l5_enabled)", 10)
        root = None if swapper is None or base is None else swapper - _KERNEL_IMAGE + base
        levels = None if five is None else 5 if five else 4
        return KernelNote(values.get("OSRELEASE"), page_size, None, levels, _address(root))
    offset = number("NUMBER(kimage_voffset)", 16)
    root = None if swapper is None or offset is None else swapper - offset
    size = number("NUMBER(TCR_EL1_T1SZ)", 16)
    va_bits = number("NUMBER(VA_BITS)", 10) if size is None else 64 - size
    return KernelNote(values.get("OSRELEASE"), page_size, va_bits, None, _address(root))


def _address(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < 1 << 52 else None


def levels_of(running: tuple[Processor, ...]) -> int | None:
    """How many levels the processors' walks have; None if there is no processor to tell."""
    paging = [processor for processor in running if processor.paging] or running
    return paging[0].levels if paging else None


def noted_facts(core: Core, running: tuple[Processor, ...], note: KernelNote | None) -> dict[str, Any]:
    """What a core tells of itself, under the names that a sidecar uses; None where it is silent."""
    facts: dict[str, Any] = {"arch": core.arch, "levels": levels_of(running)}
    if note is not None:
        facts |= {"kernel_release": note.release, "page_size": note.page_size}
        facts |= {"va_bits": note.va_bits, "kernel_va_bits": note.va_bits}
        facts["levels"] = facts["levels"] or note.levels
    return facts
