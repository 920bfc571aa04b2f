"""From a path to a capture: what is found, what is chosen, and one clear sentence for everything that is wrong."""

import gzip
import lzma
import os
import shutil
import struct
import tracemalloc
from pathlib import Path

import pytest

from ptwalk.arch import FORMAT_NAMES, format_named
from ptwalk.capture import open_capture, shipped_captures
from ptwalk.errors import AddressError, CaptureError, MissingMemory, PtwalkError

X86, ARM = "x86_64-4level-6.1", "aarch64-4k-48bit-6.1"
PAGE = bytes(4096)


# What is found


def test_shipped_captures_by_name():
    """The shipped captures are found by name, from anywhere, with both processes."""
    assert shipped_captures() == (ARM, X86)
    p, q = open_capture(X86), open_capture(X86, process=2)
    assert (hex(p.root), hex(q.root)) == ("0x140a65000", "0x1424d5000")
    assert (p.format.name, str(p.format.release)) == ("x86-64-4level", "6.1")
    assert hex(p.kernel.root) == "0x140a64000"
    assert hex(open_capture(X86, process="kernel").root) == "0x140a64000"
    assert hex(open_capture(X86, process="swapper").root) == "0x62a10000"
    arm = open_capture(ARM)
    assert hex(arm.root) == "0x4445f000"
    assert arm.kernel_root == arm.kernel.root == 0x41853000
    assert arm.kernel_format == format_named("arm64-4k-48", "6.1.0-50-arm64", half="kernel")
    assert repr(arm) == "<Capture memory.elf.xz: arm64-4k-48, root 0x4445f000>"


def test_vmas_of_the_sidecar():
    """The kernel's own list of VMAs comes as values."""
    first = open_capture(X86).vmas[0]
    assert (hex(first.start), hex(first.end), first.prot, first.labels) == (
        "0x10000",
        "0x14000",
        "rw-p",
        ("lowest",),
    )


@pytest.mark.parametrize(
    "pack", ["memory.elf", "memory.elf.xz", "memory.elf.gz", "renamed.bin", "memory.elf.wrong"]
)
def test_packed_or_plain(shipped, tmp_path, pack):
    """Plain, .xz and .gz, whatever the name says; alone, the core's own notes give root and format."""
    _, data = shipped
    path = tmp_path / pack
    packed = {".xz": lzma.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
    path.write_bytes(packed(data) if pack != "memory.elf.wrong" else gzip.compress(data))
    p, q = open_capture(path), open_capture(path, process=2)
    assert (hex(p.root), hex(q.root)) == ("0x140a65000", "0x1424d5000")
    assert str(p.format.release) == "6.1"
    assert p.truth == {}
    assert p.vmas == ()
    assert p.swapper.root == 0x62A10000
    assert (p.kernel.root, q.kernel.root) == (0x140A64000, 0x1424D4000)
    assert [cpu.user for cpu in p.processors] == [False, True, True]
    assert p.walk(0x10000).physical == 0x1428D0000


def test_a_core_with_its_sidecar_beside_it(shipped, tmp_path, refused):
    """A core's path finds the sidecar beside it; a sidecar of another core is not taken."""
    folder, data = shipped
    for name in ("truth.json", "truth-2.json"):
        shutil.copy(folder / name, tmp_path)
    (tmp_path / "memory.elf").write_bytes(data)
    (tmp_path / "other.elf").write_bytes(data)
    assert open_capture(tmp_path / "memory.elf", process=2).truth["process"].startswith("Q")
    assert open_capture(tmp_path / "other.elf").truth == {}
    assert open_capture(str(tmp_path)).vmas
    refused(tmp_path, "no process 3", "process=1 to 2", process=3)
    (tmp_path / "memory.elf").unlink()
    assert open_capture(tmp_path).path.name == "other.elf"
    (tmp_path / "third.elf").write_bytes(data)
    refused(tmp_path, "several cores", "give the core itself")


def test_root_and_format_by_hand(shipped):
    """What is given by hand goes before the sidecar: an address, or the register that holds it."""
    by_hand = open_capture(X86, root=0x140A64000)
    assert by_hand.root == 0x140A64000
    assert open_capture(X86, root=0x140A64000 | 0x801).root == 0x140A64000
    assert open_capture(ARM, root=0x0042_0000_4445_F001).root == 0x4445F000
    assert open_capture(X86, format="x86-64-4level").format.name == "x86-64-4level"
    fmt = format_named("x86-64-4level", "6.12")
    assert open_capture(X86, format=fmt).format is fmt


def test_arm64_core_alone(tmp_path, refused):
    """An arm64 core holds no TTBR: the kernel half comes from its VMCOREINFO, the process's root by hand."""
    path = tmp_path / "alone.elf.xz"
    shutil.copy(open_capture(ARM).path, path)
    refused(path, "does not tell the process's root", "root=0x", "process='kernel'")
    kernel = open_capture(path, process="kernel")
    assert (kernel.root, kernel.format.name) == (0x41853000, "arm64-4k-48")
    truth = open_capture(ARM).truth
    pairs = [(int(va, 16), pa and int(pa, 16)) for va, pa in truth["qemu_gva2gpa_kernel"]]
    assert all(kernel.walk(va).physical == pa for va, pa in pairs)
    assert kernel.walk(0x10000).fault.reason == "not canonical"
    assert kernel.translate_many([0x10000, pairs[0][0]]).fault_level.tolist() == [-1, 0]
    assert open_capture(path, root=0x4445F000).walk(0x10000).physical == 0x41E5C000
    with pytest.raises(CaptureError, match="user half"):
        kernel.mapped_ranges("user")


# Other captures in the same layout


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_every_format_from_a_sidecar(name, made, write_core):
    """A capture of every format, both halves: the sidecar's words lead to the right geometry."""
    fmt = format_named(name, release="6.12")
    space = made.random_space(fmt)
    segments = space.segments()
    truth = {
        "arch": "x86_64" if fmt.arch == "x86-64" else "aarch64",
        "kernel_release": "6.12.9-amd64",
        "page_size": fmt.page_size,
        "levels": len(fmt.levels),
        "va_bits": fmt.va_bits,
        "root": hex(space.root),
    }
    if fmt.arch == "arm64":
        upper = made.random_space(format_named(name, release="6.12", half="kernel"), seed=7)
        shift = 0x1_0000_0000 - 0x4000_0000
        for table in {upper.root, *upper.tables.values()}:
            page = dict(upper.segments())[table]
            moved = bytearray(page)
            for at in range(0, fmt.page_size, 8):
                raw = upper.words.get(table + at)
                if raw is not None and table + at not in leaf_slots(upper):
                    struct.pack_into("<Q", moved, at, raw + shift)
            segments.append((table + shift, bytes(moved)))
        truth |= {
            "ds": bool(getattr(fmt, "lpa2", False)),
            "kernel_root": hex(upper.root + shift),
            "kernel_levels": len(fmt.levels),
            "kernel_va_bits": fmt.va_bits,
        }
    core = write_core(segments, machine=made.MACHINES[fmt.arch], sidecar=truth)
    capture = open_capture(core.parent)
    assert (capture.format.name, str(capture.format.release)) == (name, "6.12.9")
    for va, (frame, size) in space.mapped.items():
        assert capture.walk(va + size - 1).physical == frame + size - 1
    if fmt.arch == "arm64":
        for va, (frame, _) in upper.mapped.items():
            assert capture.walk(va).physical == frame
            assert capture.kernel.walk(va).physical == frame
        assert len(capture.tables("kernel")) == 1 + len(upper.tables)
    many = capture.translate_many(list(space.mapped))
    assert many.physical.tolist() == [frame for frame, _ in space.mapped.values()]
    assert len(capture.tables()) == 1 + len(space.tables)


def leaf_slots(space):
    """The addresses of the entries that map memory."""
    fmt, found = space.format, set()
    for va in space.mapped:
        way = [level.index(va) for level in fmt.levels]
        depth = next(d for d, level in enumerate(fmt.levels) if level.size == space.mapped[va][1])
        found.add((space.root if depth == 0 else space.tables[tuple(way[:depth])]) + 8 * way[depth])
    return found


# What is refused


def test_paths_that_lead_nowhere(tmp_path, refused):
    """A name that is nothing, a folder without a core, no path at all."""
    refused("x86_64-4level-6.2", "does not exist", f"did you mean '{X86}'", ARM)
    refused(tmp_path, "no core", "memory.elf")
    refused(tmp_path / "nothing.elf", "does not exist")
    refused("a\0b", "")
    refused(5, "no path")


def test_files_that_are_no_cores(tmp_path, refused):
    """Each wrong kind of file is named, with what to do instead."""
    path = tmp_path / "core"
    for content, *words in (
        (b"", "empty"),
        (b"hello, this is text", "not an ELF file", "dump-guest-memory"),
        (b"\x7fELF", "cut short"),
        (b"KDUMP   " + PAGE, "kdump", "without -z"),
        (b"\x28\xb5\x2f\xfd" + PAGE, "zstd -d"),
        (b"BZh9" + PAGE, "bunzip2"),
        (b"QFI\xfb" + PAGE, "disk image"),
        (gzip.compress(b""), "holds nothing"),
        (gzip.compress(PAGE)[:-9], "damaged or cut short", "gzip -t"),
        (lzma.compress(PAGE)[:-9], "damaged or cut short", "xz -t"),
        (b"\xfd7zXZ\x00" + PAGE, "damaged or cut short"),
        (gzip.compress(PAGE), "not an ELF file"),
    ):
        path.write_bytes(content)
        refused(path, *words)


def changed(data: bytes, at: int, layout: str, *values: int) -> bytes:
    copy = bytearray(data)
    struct.pack_into(layout, copy, at, *values)
    return bytes(copy)


def test_headers_that_are_wrong(shipped, tmp_path, refused):
    """32-bit, big-endian, another machine, no core, cut in header, table, segment; impossible sizes."""
    _, data = shipped
    path = tmp_path / "core"
    first_load = 64 + 56
    for content, *words in (
        (changed(data, 4, "B", 1), "not a 64-bit"),
        (changed(data, 5, "B", 2), "big-endian"),
        (changed(data, 18, "<H", 40), "another processor", "EM_ARM"),
        (changed(data, 18, "<H", 0x1234), "another processor"),
        (changed(data, 16, "<H", 2), "no core"),
        (changed(data, 54, "<H", 32), "program headers"),
        (data[:40], "cut short"),
        (data[:1000], "cut short"),
        (data[:-1], "cut short", "copy or make the dump again"),
        (changed(data, 56, "<H", 0xFFFF), "cut short"),
        (changed(data, 56, "<H", 0xFFFE), "cut short"),
        (changed(data, 32, "<Q", 2**63), "cut short"),
        (changed(data, first_load + 32, "<Q", 2**60), "cut short"),
        (changed(data, first_load + 32, "<2Q", 4096, 8), "damaged"),
        (changed(data, first_load + 24, "<Q", 2**64 - 8), "past physical address"),
        (changed(data, first_load + 24, "<Q", 0x140A65000), "overlapping"),
        (changed(data, 64 + 8, "<Q", len(data) - 16), "cut short"),
    ):
        path.write_bytes(content)
        refused(path, *words)


def test_notes_that_are_wrong(made, write_core, refused):
    """A note that does not fit its segment is damage; one too short for registers is ignored."""
    fmt = format_named("x86-64-4level")
    core = write_core([(0x1000, PAGE)], [made.cpu_note(0x1000)])
    at = 64 + 56 * 2
    path = Path(core)
    good = path.read_bytes()
    path.write_bytes(changed(good, at + 4, "<I", 2**31))
    refused(path, "note 0 does not fit")
    path.write_bytes(changed(good, at, "<I", 2**32 - 1))
    refused(path, "note 0 does not fit")
    core = write_core([(0x1000, PAGE)], [("QEMU", 0, b"short")])
    refused(core, "does not tell the process's root", "root=0x")
    assert open_capture(core, root=0x1000).format == fmt


def test_segments_that_say_nothing(made, write_core, refused):
    """A core without memory, and the core of one process, whose segments have no physical addresses."""
    refused(write_core([], [made.cpu_note(0x1000)]), "holds no memory")
    refused(write_core([(0, PAGE), (0, PAGE)], [made.cpu_note(0)]), "core of one process")
    refused(
        write_core([(0x1000, PAGE * 2), (0x2000, PAGE)], [made.cpu_note(0x1000)]), "overlapping", "0x2000"
    )


def test_bytes_not_in_the_file_are_not_zero(made, tmp_path):
    """A segment may claim more memory than file (p_memsz): what is not in the file is missing, not zero."""
    data = made.core_bytes([(0x1000, PAGE)], [made.cpu_note(0x1000)])
    path = tmp_path / "core"
    path.write_bytes(changed(data, 64 + 56 + 40, "<Q", 2**60))
    capture = open_capture(path)
    assert capture.walk(0).fault.reason == "not present"
    with pytest.raises(MissingMemory):
        capture.memory.read(0x1FFF, 2)


def test_roots_that_are_wrong(refused):
    """A root outside the memory, one that is no multiple of a table, one that is no number."""
    refused(X86, "outside the memory", "root=0x", root=0x1000)
    refused(X86, "outside the memory", root=0xDEAD_BEEF)
    refused(X86, "outside the memory", root=(1 << 64) - 1)
    for root in (-1, 1 << 64, "0x1000", 1.5, True):
        refused(X86, "give a physical address", root=root)


def test_formats_that_do_not_fit(tmp_path, refused):
    """A format of another architecture, of other levels than CR4 says, of another granule than TCR_EL1 says."""
    refused(X86, "does not fit", "x86-64 machine", format="arm64-4k-48")
    refused(X86, "does not fit", "CR4.LA57", "4 levels", format="x86-64-5level")
    refused(ARM, "does not fit", "arm64 machine", format="x86-64-4level")
    refused(ARM, "does not fit", "arm64-4k-48", format="arm64-16k-48")
    refused(ARM, "does not fit", format="arm64-4k-39")
    alone = tmp_path / "alone.elf.xz"
    shutil.copy(open_capture(X86).path, alone)
    refused(alone, "does not fit", "CR4.LA57", format="x86-64-5level")
    with pytest.raises(PtwalkError, match="did you mean"):
        open_capture(X86, format="x86-64-4levels")


def test_processes_that_are_not_there(shipped, tmp_path, refused):
    """A process the capture does not have, or no number; a view whose root is not known."""
    for process in (0, -1, "P", None, 1.5, True):
        refused(X86, "give a number from 1 on", process=process)
    refused(X86, "no process 3", process=3)
    alone = tmp_path / "alone.elf"
    alone.write_bytes(shipped[1])
    refused(alone, "no process 3", "process=1 to 2", process=3)
    refused(alone, "kernel view", process="kernel", root=0x140A65000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path, refused):
    """A path that is no ordinary file is refused before anything would wait for it."""
    os.mkfifo(tmp_path / "memory.elf")
    refused(tmp_path / "memory.elf", "no ordinary file")


def test_reading_what_is_not_there():
    """Reads outside what is mapped, outside what was kept, and of impossible lengths."""
    capture = open_capture(X86)
    with pytest.raises(CaptureError, match=r"not mapped.*mapped_ranges"):
        capture.read(0, 1)
    with pytest.raises(MissingMemory, match="open the full dump"):
        capture.read(0x401000, 1)
    for length in (-1, 1 << 40, 1.5):
        with pytest.raises(AddressError, match="give a length"):
            capture.read(0x10000, length)
    with pytest.raises(CaptureError, match="give 'user'"):
        capture.mapped_ranges("upper")
    assert capture.read(0x10000, 0) == b""


def test_packed_cores_have_a_limit(shipped, monkeypatch, tmp_path):
    """A packed core that would fill the disk is refused; a large one goes through a temporary file."""
    path = tmp_path / "core.xz"
    path.write_bytes(lzma.compress(shipped[1], preset=0))
    monkeypatch.setattr("ptwalk.capture.unpack.IN_MEMORY", 1 << 16)
    assert open_capture(path).walk(0x10000).physical == 0x1428D0000
    from ptwalk.capture.unpack import file_bytes

    with pytest.raises(CaptureError, match="unpack it yourself"):
        file_bytes(path, limit=1 << 18)
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1))
    with pytest.raises(CaptureError, match="make room"):
        file_bytes(path)


def test_more_segments_than_a_header_can_count(made, tmp_path):
    """With 65,535 or more segments the true count is in the first section header."""
    data = made.core_bytes([(0x1000, PAGE)], [made.cpu_note(0x1000)])
    section = len(data)
    data = changed(data + struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 2, 0, 0), 56, "<H", 0xFFFF)
    path = tmp_path / "core"
    path.write_bytes(changed(changed(data, 40, "<Q", section), 58, "<2H", 64, 1))
    assert open_capture(path).root == 0x1000


def test_a_large_dump_is_not_read(made, tmp_path):
    """A dump of 3.5 GiB, nearly all of it holes in a sparse file, opens and walks in a few hundred kilobytes."""
    fmt = format_named("x86-64-5level")
    space = made.random_space(fmt)
    size = 7 << 29
    data = made.core_bytes([(0x2000_0000, b"")], [made.cpu_note(space.root, cr4=0x16F0)])
    path = tmp_path / "large.elf"
    with path.open("wb") as file:
        file.write(changed(changed(data, 64 + 56 + 8, "<Q", 4096), 64 + 56 + 32, "<2Q", size, size))
        for pa, page in space.segments():
            file.seek(4096 + pa - 0x2000_0000)
            file.write(page)
        file.truncate(4096 + size)
    open_capture(path)
    tracemalloc.start()
    capture = open_capture(path)
    assert all(capture.walk(va).physical == frame for va, (frame, _) in space.mapped.items())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert capture.memory.size == size
    assert peak < 1 << 20
