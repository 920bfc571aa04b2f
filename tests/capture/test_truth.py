"""Every answer over the shipped captures against what kernel and emulator said, counted.

Each test compares one row of the table "Counts" in the capture's README, prints how many it compared, and
fails unless that is the README's number: a test that compared nothing would fail too.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from ptwalk.arch import EntryState
from ptwalk.capture import Capture, open_capture

X86, ARM = "x86_64-4level-6.1", "aarch64-4k-48bit-6.1"
both = pytest.mark.parametrize(("name", "process"), [(X86, 1), (X86, 2), (ARM, 1), (ARM, 2)])
x86 = pytest.mark.parametrize(("name", "process"), [(X86, 1), (X86, 2)])
NO_FRAME = 2**64 - 1


@cache
def opened(name: str, process: int) -> Capture:
    return open_capture(name, process=process)


@cache
def counts(name: str) -> dict[str, list[str]]:
    """The README's table: what was compared, and the two numbers."""
    text = (opened(name, 1).path.parent / "README.md").read_text(encoding="utf-8")
    rows = {}
    for line in text.split("## Counts")[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 3:
            rows[cells[0]] = cells[1:]
    return rows


@pytest.fixture
def same_count(record_property):
    """Say how many were compared, and that it is the README's number."""

    def same_count(name: str, process: int, row: str, compared: int) -> None:
        record_property("compared", f"{row}: {compared:,}")
        told = counts(name)[row][process - 1]
        assert compared == int(told.replace(",", "")), (
            f"the README says {told} for {row!r}, and {compared:,} were compared"
        )

    return same_count


@dataclass
class Pages:
    """Pagemap, one element for each page: runs[run] is the record it comes from."""

    va: np.ndarray
    run: np.ndarray
    number: np.ndarray
    runs: list[dict]
    vma: np.ndarray

    def of(self, key: str) -> np.ndarray:
        return np.array([bool(run.get(key)) for run in self.runs])[self.run]

    def stepped(self, first: str, step: str) -> np.ndarray:
        base = [int(str(run.get(first) or 0), 0) for run in self.runs]
        by = [run.get(step) or 0 for run in self.runs]
        return np.array(base)[self.run] + self.number * np.array(by)[self.run]


@cache
def pages(name: str, process: int) -> Pages:
    truth = opened(name, process).truth
    runs = truth["pages"]
    count = np.array([run["n"] for run in runs])
    run = np.repeat(np.arange(len(runs)), count)
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    va = np.array([int(r["va"], 16) for r in runs])[run] + number * truth["page_size"]
    starts = np.array([int(vma["start"], 16) for vma in truth["vmas"] if int(vma["start"], 16) < 1 << 63])
    return Pages(va, run, number, runs, np.searchsorted(starts, va, side="right") - 1)


@cache
def translated(name: str, process: int):
    return opened(name, process).translate_many(pages(name, process).va)


def prot(name: str, process: int) -> list[str]:
    return [vma.prot for vma in opened(name, process).vmas]


def mapped_by_kernel(name: str, process: int) -> np.ndarray:
    """Pages that pagemap calls present and that are not PROT_NONE."""
    p = pages(name, process)
    closed = np.array([prot.startswith("---") for prot in prot(name, process)])
    return p.of("present") & ~closed[p.vma]


def leaves(name: str, process: int):
    """Each leaf that maps some present page: the first such page, and how many base pages it maps."""
    p, t, present = pages(name, process), translated(name, process), mapped_by_kernel(name, process)
    va, size = p.va[present], t.page_size[present]
    _, first, count = np.unique(va // size * size, return_index=True, return_counts=True)
    return va[first].tolist(), count.tolist(), p.vma[present][first].tolist()


@both
def test_pagemap_frames(name, process, same_count):
    """Every page that pagemap calls present has pagemap's frame, by the vectorised walk."""
    p, t, present = pages(name, process), translated(name, process), mapped_by_kernel(name, process)
    page = opened(name, process).format.page_size
    expected = (p.stepped("pfn", "pfn_step") * page).astype(np.uint64)
    assert not (t.physical != expected)[present].any()
    assert t.mapped[present].all()
    same_count(name, process, "pagemap: present, PFN equals walk", int(present.sum()))


@both
def test_pagemap_holes(name, process, same_count):
    """Every page that pagemap calls neither present nor swapped faults, but for the areas that pagemap skips."""
    p, t = pages(name, process), translated(name, process)
    neither = ~p.of("present") & ~p.of("swapped")
    skipped = neither & t.mapped
    assert p.of("pagemap_skips")[skipped].all()
    same_count(name, process, "pagemap skips VM_PFNMAP, walk maps it", int(skipped.sum()))
    same_count(name, process, "pagemap: neither, walk faults", int((neither & ~t.mapped).sum()))
    same_count(name, process, "neither", int(neither.sum()))


@both
def test_swap_entries(name, process, same_count):
    """Every swapped page's entry holds pagemap's swap type and offset."""
    p, capture = pages(name, process), opened(name, process)
    swapped = p.of("swapped")
    types, offsets = p.stepped("swap_type", ""), p.stepped("swap_offset", "swap_offset_step")
    compared = 0
    for va, kind, offset in zip(p.va[swapped].tolist(), types[swapped], offsets[swapped], strict=True):
        record = capture.walk(va)
        entry = record.levels[-1].entry
        assert record.fault is not None
        assert (record.fault.reason, record.fault.entry_state) == ("not present", EntryState.SWAP)
        assert (entry.swap_type, entry.swap_offset) == (kind, offset)
        compared += 1
    same_count(name, process, "pagemap: swapped, type and offset equal the entry's", compared)


@both
def test_prot_none(name, process, same_count):
    """A PROT_NONE page faults in hardware, and its entry keeps pagemap's frame."""
    p, capture = pages(name, process), opened(name, process)
    closed = p.of("present") & ~mapped_by_kernel(name, process)
    frames = p.stepped("pfn", "pfn_step")[closed] * capture.format.page_size
    for va, frame in zip(p.va[closed].tolist(), frames.tolist(), strict=True):
        record = capture.walk(va)
        assert record.fault is not None
        assert record.fault.entry_state is EntryState.PROT_NONE
        assert record.levels[-1].entry.address == frame
        assert record.physical is None
    same_count(name, process, "pagemap: PROT_NONE page, frame kept in an invalid entry", int(closed.sum()))


@both
def test_page_sizes(name, process, same_count):
    """Page sizes are those that the emulator (x86-64) or smaps (arm64, whole contiguous runs) told."""
    p, t, capture = pages(name, process), translated(name, process), opened(name, process)
    told = np.array([run.get("page_size") or 0 for run in p.runs])[p.run]
    size = t.page_size.copy()
    present = mapped_by_kernel(name, process)
    # Where the descriptor is smaller than what was told, it must be one of a contiguous run: ask the records.
    for at in np.flatnonzero(present & (told > size)).tolist():
        if (int(p.va[at]) & (int(size[at]) - 1)) == 0 or p.number[at] == 0:
            run_size = capture.walk(int(p.va[at])).run_size
        size[at] = run_size
    known = present & (told != 0)
    assert (size == told)[known].all()
    same_count(name, process, "page size agrees", int(known.sum()))
    if name == ARM:
        same_count(name, process, "page size not known", int((present & (told == 0)).sum()))


@both
def test_leaf_sizes(name, process, record_property):
    """How many base pages lie in leaves of each size."""
    size = translated(name, process).page_size[mapped_by_kernel(name, process)]
    found = ", ".join(f"{s >> 10} KiB: {n}" for s, n in sorted(Counter(size.tolist()).items()))
    record_property("compared", found)
    assert found == counts(name)["leaf sizes of present pages (in base pages)"][process - 1]


@both
def test_rights_within_the_vma(name, process, same_count):
    """No leaf grants more than its VMA does, all grant user mode something; and so many are writable now."""
    capture, protections = opened(name, process), prot(name, process)
    compared = writable = old = 0
    for va, count, vma in zip(*leaves(name, process), strict=True):
        record = capture.walk(va)
        rights, allowed = record.rights, protections[vma]
        assert rights is not None
        assert rights.user, hex(va)
        assert "w" in allowed or not rights.user_write, hex(va)
        assert "x" in allowed or not rights.user_execute, hex(va)
        compared += count
        writable += count * rights.user_write
        old += count * (not record.levels[-1].entry.accessed)
    same_count(name, process, "rights within the VMA's, user access granted", compared)
    same_count(name, process, "present pages writable at the stop", writable)
    if name == ARM:
        same_count(name, process, "present pages with the access flag clear", old)


@both
def test_counts_of_pages(name, process, same_count):
    """The sidecar's own sums, so that the rows above are known to be all there is."""
    p, capture = pages(name, process), opened(name, process)
    same_count(name, process, "VMAs", len(capture.vmas))
    same_count(name, process, "pages in VMAs", len(p.va))
    same_count(name, process, "present", int(p.of("present").sum()))
    same_count(name, process, "swapped", int(p.of("swapped").sum()))
    same_count(name, process, "runs of pagemap", len(p.runs))


@both
def test_emulator_walks(name, process, same_count):
    """The emulator's own translations, by `walk` one by one and by `translate_many` at once."""
    capture = opened(name, process)
    mapped = unmapped = old = 0
    pairs = capture.truth["qemu_gva2gpa"]
    many = capture.translate_many([int(va, 16) for va, _ in pairs])
    for at, (va, pa) in enumerate(pairs):
        record = capture.walk(int(va, 16))
        expected = None if pa is None else int(pa, 16)
        assert record.physical == expected, record
        assert int(many.physical[at]) == (NO_FRAME if expected is None else expected)
        mapped += expected is not None
        unmapped += expected is None
        old += expected is not None and not record.levels[-1].entry.accessed
    same_count(name, process, "qemu_gva2gpa: mapped, equal", mapped)
    same_count(name, process, "qemu_gva2gpa: unmapped, equal", unmapped)
    if name == ARM:
        same_count(name, process, "qemu_gva2gpa: access flag clear, QEMU maps it all the same", old)


@pytest.mark.parametrize("name", [X86, ARM])
def test_emulator_walks_of_the_kernel_half(name, same_count):
    """Kernel addresses as an idle processor translated them, from the kernel-mode root and the kernel's own."""
    capture = opened(name, 1)
    pairs = [(int(va, 16), pa and int(pa, 16)) for va, pa in capture.truth["qemu_gva2gpa_kernel"]]
    rows = {"qemu_gva2gpa_kernel": capture.kernel, "swapper": capture.swapper}
    for view in rows.values():
        many = view.translate_many([va for va, _ in pairs]).physical.tolist()
        for (va, pa), found in zip(pairs, many, strict=True):
            assert view.walk(va).physical == pa
            assert found == (NO_FRAME if pa is None else pa)
    mapped = sum(pa is not None for _, pa in pairs)
    same_count(name, 1, "qemu_gva2gpa_kernel: mapped, equal", mapped)
    if name == X86:
        same_count(name, 1, "the same by swapper_root", mapped)
    else:
        same_count(name, 1, "qemu_gva2gpa_kernel: unmapped, equal", len(pairs) - mapped)
        # On arm64 the process's own view translates kernel addresses too, by TTBR1.
        assert all(capture.walk(va).physical == pa for va, pa in pairs)


@x86
def test_kernel_mode_root(name, process, same_count):
    """The kernel-mode root maps the user half to the same frames."""
    present = mapped_by_kernel(name, process)
    va = pages(name, process).va[present]
    assert opened(name, process).kernel.root != opened(name, process).root
    by_kernel = opened(name, process).kernel.translate_many(va)
    assert (by_kernel.physical == translated(name, process).physical[present]).all()
    same_count(name, process, "same page by the kernel-mode root", len(va))


# The bits behind the letters of the monitor's "info tlb" (QEMU 7.2, target/i386/monitor.c), in print order.
TLB_BITS = (("X", 63), ("G", 8), ("P", 7), ("D", 6), ("A", 5), ("C", 4), ("T", 3), ("U", 2), ("W", 1))


def tlb_flags(raw: int) -> str:
    # Bit 7 of a last-level entry is PAT; the monitor prints it as it is, so does this.
    return "".join(letter if raw >> bit & 1 else "-" for letter, bit in TLB_BITS)


@x86
def test_every_leaf_of_the_emulator(name, process, same_count):
    """The leaves of both halves, all of them, with address, frame and flags; and no other."""
    capture = opened(name, process)
    told = set()
    for va, step, count, pa, pa_step, flags in capture.truth["qemu_tlb"]:
        told |= {(int(va, 16) + i * int(step, 16), int(pa, 16) + i * pa_step, flags) for i in range(count)}
    found = [(leaf.va, leaf.physical, tlb_flags(leaf.raw)) for leaf in capture.graph().leaves(expand=True)]
    assert len(found) == len(set(found))
    assert set(found) == told
    same_count(name, process, "info tlb: leaves equal (va, pa, flags)", len(found))


@x86
def test_every_range_of_the_emulator(name, process, same_count):
    """Ranges of equal combined rights, as the monitor's "info mem" prints them; and no other."""
    capture = opened(name, process)
    told = []
    for start, size, step, count, rights in capture.truth["qemu_mem"]:
        told += [(int(start, 16) + i * int(step, 16), int(size, 16), rights) for i in range(count)]
    found = []
    for leaf in capture.graph().leaves(expand=True):
        rights = leaf.rights
        word = f"{'u' if rights.user else '-'}r{'w' if rights.kernel_write else '-'}"
        if found and found[-1][2] == word and found[-1][0] + found[-1][1] == leaf.va:
            found[-1] = (found[-1][0], found[-1][1] + leaf.level.size, word)
        else:
            found.append((leaf.va, leaf.level.size, word))
    assert found == sorted(told)
    same_count(name, process, "info mem: ranges equal", len(found))


@both
def test_tables(name, process):
    """How many tables each root reaches, as the capture's makers counted them."""
    capture = opened(name, process)
    told = capture.truth["tables"]
    if name == ARM:
        assert len(capture.tables()) == told["ttbr0"]
        assert len(capture.tables(half="kernel")) == told["ttbr1"] == len(capture.kernel.tables())
        return
    user = told["user mode"]
    assert len(capture.tables()) == user["total"]
    assert len(capture.tables(half="user")) == user["root"] + user["user"]
    assert len(capture.tables(half="kernel")) == user["root"] + user["kernel"]
    assert len(capture.kernel.tables()) == told["kernel mode"]["total"]
    if process == 1:
        assert len(capture.swapper.tables()) == told["kernel's own (swapper_root)"]["total"]


@both
def test_data(name, process, same_count):
    """Pages that the captured program filled read back as it wrote them, by virtual and by physical address."""
    capture = opened(name, process)
    for page in capture.truth["data"]:
        data = capture.read(int(page["va"], 16), page["length"])
        assert hashlib.sha256(data).hexdigest() == page["sha256"]
        assert data[:64].hex() == page["expected_first_64"]
        fill = page["fill"].encode()
        assert data == (fill * (len(data) // len(fill) + 1))[: len(data)]
        assert data == capture.memory.read(int(page["pa"], 16), page["length"])
    same_count(name, process, "data pages equal", len(capture.truth["data"]))


@both
def test_reads_across_pages(name, process, same_count):
    """Reads that cross from one frame to another somewhere else."""
    capture = opened(name, process)
    for read in capture.truth["reads_across_pages"]:
        assert capture.read(int(read["va"], 16), read["length"]).hex() == read["expected"]
    same_count(name, process, "reads across pages equal", len(capture.truth["reads_across_pages"]))


@pytest.mark.parametrize("name", [X86, ARM])
def test_every_row_of_the_readme_is_compared(name):
    """No row of the README is left out by this file, whatever is added to it."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    rows = [row for row in counts(name) if row not in ("compared", "mismatches") and not re.match("-+", row)]
    assert len(rows) > 15
    assert not [row for row in rows if f'"{row}"' not in text]
