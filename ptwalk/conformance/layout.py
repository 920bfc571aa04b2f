"""The address space of a recording, laid out in the simulator: same VMAs, same tables, the watched pages.

Room: conformance. Pages that were not watched are left out: they would only make the run longer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ptwalk.arch import EntryState, Release
from ptwalk.conformance.vocabulary import as_from_cpu_0, cpus_flushed
from ptwalk.errors import PtwalkError
from ptwalk.kernel.config import PRESETS, KernelConfig, preset
from ptwalk.kernel.kernel import Kernel
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.rmap import RmapTree, address_space
from ptwalk.kernel.vma import Vma
from ptwalk.machine.frames import PRIVATE, Frame
from ptwalk.recordings import Recording

_ENTRY = re.compile(r"(B\.)?(pgd|p4d|pud|pmd|pte)\[(0x[0-9a-f]+)\]")
_WRITE = 0x2  # VM_WRITE
_SHARED = 0x8  # VM_SHARED, VM_GROWSDOWN, ...: include/linux/mm.h, the same values from 5.15 to 6.19
_FLAGS = {0x100: "VM_GROWSDOWN", 0x400: "VM_PFNMAP", 0x4000: "VM_IO"}
_MOST_CPUS = 64
_STORE = 6  # free frames of the CPU that does the operation: a table of each level, a page, one to spare


class BadSetup(PtwalkError):
    """The `setup` of a recording does not say what has to be laid out."""


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses that words name: the mm they belong to, and what stands before such a word."""

    mm: Mm
    start: int
    end: int
    prefix: str

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Layout:
    """What was laid out: the kernel, and the ranges that words count from, the operation's own first.

    `pages` are the addresses the recording's pte words are about, in the order of their first mention.  `file` is
    the mapped file, if the range is a shared mapping.  `daemon` says that khugepaged did it, not the process itself.
    """

    kernel: Kernel
    ranges: tuple[Range, ...]
    vma: Vma
    pages: tuple[int, ...]
    file: RmapTree | None
    daemon: bool = False

    @property
    def mm(self) -> Mm:
        """The address space of the process that does the operation."""
        return self.ranges[0].mm

    @property
    def region(self) -> Range:
        """The range that the operation is about."""
        return self.ranges[0]

    @property
    def destination(self) -> Range:
        """Where mremap moves it; raises `BadSetup` if the recording has none."""
        for each in self.ranges:
            if each.prefix == "dst.":
                return each
        raise BadSetup("this recording has no `destination` in its setup, which a move needs")


def preset_for(kernel: str) -> str:
    """The newest preset that is not newer than this kernel ("6.1.176" gives "6.1"); the oldest if all are newer."""
    wanted = Release.parse(kernel)
    known = sorted(PRESETS, key=Release.parse)
    return next((name for name in reversed(known) if Release.parse(name) <= wanted), known[0])


def lay_out(recording: Recording, release: str, **axes: Any) -> Layout:
    """Builds what `setup` describes on a fresh kernel; raises `BadSetup` if something is missing there.

    `axes` change the preset, such as `table_free="rcu"`. The operation runs on CPU 0; where the recording had a second
    CPU, a thread of the process is in user mode there.
    """
    config = preset(release).but(**axes)
    try:
        return _lay_out(recording, config)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadSetup(
            f"the setup of {recording.name!r} cannot be laid out ({type(error).__name__}: {error}); record it again"
        ) from None


def _lay_out(recording: Recording, config: KernelConfig) -> Layout:
    setup = recording.setup
    flushed = cpus_flushed(as_from_cpu_0(recording.words, recording.doer)) | {0}
    cpus = max(2 if setup.get("cpus_online", 1) > 1 else 1, 1 + max(flushed))
    if cpus > _MOST_CPUS:
        raise BadSetup(
            f"the recording flushes CPU {cpus - 1}; no more than {_MOST_CPUS} CPUs can be laid out"
        )
    five = any(name.removeprefix("B.").startswith("p4d[") for name in setup["entries_at_begin"])
    kernel = Kernel(config, f"x86-64-{5 if five else 4}level", cpus=cpus, user=range(1, cpus))
    machine = kernel.machine
    machine.cpus[0].store = (
        *(machine.new_frame("", "free", PRIVATE) for _ in range(_STORE)),
        machine.new_frame("", "free", PRIVATE, huge=True),
    )
    mm = kernel.new_mm(cpumask=sorted(flushed) if len(flushed) > 1 else range(cpus))
    ranges = [Range(mm, *_bounds(setup["region"]), "")]
    if setup.get("destination"):
        ranges.append(Range(mm, *_bounds(setup["destination"]), "dst."))
    if setup.get("second_process"):
        other = kernel.new_mm("B")
        ranges.append(Range(other, *_bounds(setup["second_process"]["region"]), "B."))
        kernel.mms.reverse()  # it maps the file later and comes first in the file's tree of mappings
    file, vma = _map(setup, ranges)
    _populate(setup, ranges, file=file is not None)
    return Layout(
        kernel, tuple(ranges), vma, _pages(recording, ranges[0]), file, "khugepaged" in recording.operation
    )


def _bounds(pair: Any) -> tuple[int, int]:
    return int(pair[0], 16), int(pair[1], 16)


def _map(setup: dict[str, Any], ranges: list[Range]) -> tuple[RmapTree | None, Vma]:
    """The VMAs: those near the region, the next one above, and the second process's."""
    region = ranges[0]
    mm = region.mm
    near = [(int(v["start"], 16), int(v["end"], 16), int(v["flags"], 16)) for v in setup["vmas_near"]]
    if setup.get("vma_above"):
        start, end, flags = setup["vma_above"]
        near.append((int(start, 16), int(end, 16), int(str(flags).rpartition("=")[2], 16)))
    if not any(start <= region.start < end for start, end, _ in near):
        raise ValueError("no VMA in `vmas_near` holds the region")
    file = None
    vma: Vma | None = None
    for start, end, flags in sorted(set(near)):
        mine = start <= region.start < end
        if mine and flags & _SHARED:
            file = address_space(mm.machine, "the file")
        names = [name for bit, name in _FLAGS.items() if flags & bit]
        made = mm.map(start, end, file=file if mine else None, flags=names)
        if mine:
            vma = made
    assert vma is not None
    for other in ranges:
        if other.mm is not mm:
            other.mm.map(other.start, other.end, file=file)
    return file, vma


def _populate(setup: dict[str, Any], ranges: list[Range], *, file: bool) -> None:
    """The tables and pages that were there at the start; the other watched addresses may get mapped in the run."""
    region = ranges[0]
    frames: dict[int, Frame] = {}
    for name, value in setup["entries_at_begin"].items():
        found = _ENTRY.fullmatch(name)
        if found is None:
            continue
        mm = next((r.mm for r in ranges if r.prefix == found[1]), region.mm) if found[1] else region.mm
        level, va = found[2], int(found[3], 16)
        entry = mm.format.decode(int(value, 16), level)
        if entry.state is EntryState.TABLE:
            mm.initial_table(va, mm.format.levels[entry.level.depth + 1].name)
        elif entry.linux_present and entry.address is not None:
            huge = level != "pte"
            kind = "huge" if huge else "file" if file else "anon"
            page = frames.get(entry.address)
            if page is None:
                page = frames[entry.address] = mm.machine.new_frame(kind, "page")
            mm.place(va, page, write=entry.writable, dirty=entry.dirty)
            if kind == "anon" and not entry.writable and _writable(setup, va):
                page.maps += 1  # shared copy-on-write: a forked child maps it too
        elif level == "pte":
            mm.watch(va)
    region.mm.watch(*(int(address, 16) for address in setup.get("watched_vas", {})))
    for each in ranges:
        if each.prefix == "dst.":
            for page_va in region.mm.pages_in(region.start, region.end):
                each.mm.watch(page_va - region.start + each.start)


def _writable(setup: dict[str, Any], va: int) -> bool:
    """Whether the VMA that holds the address allows writing."""
    return any(
        int(v["start"], 16) <= va < int(v["end"], 16) and int(v["flags"], 16) & _WRITE
        for v in setup["vmas_near"]
    )


def _pages(recording: Recording, region: Range) -> tuple[int, ...]:
    """The addresses of the pte words, in the order of their first mention; without any, the middle of the region."""
    size = region.mm.format.page_size
    found: dict[int, None] = {}
    for word in recording.words:
        for index in re.findall(r"(?<![.\w])pte\[(\d+)\]", word):
            found.setdefault((region.start & -size) + int(index) * size)
    return tuple(found) or (region.start + region.size // 2 & -size,)
