"""Many translations at once give exactly what walks one by one give, for every format and every bad table."""

import random

import numpy as np
import pytest

from ptwalk.arch import FORMAT_NAMES, format_named
from ptwalk.capture import open_capture
from ptwalk.capture.translate import NO_FRAME, NOT_CANONICAL, CompiledTables, as_addresses
from ptwalk.errors import AddressError, CaptureError, PtwalkError
from ptwalk.machine import mmu
from ptwalk.machine.physmem import WordMemory

HALVES = [(name, "user") for name in FORMAT_NAMES]
HALVES += [(name, "kernel") for name in FORMAT_NAMES if name.startswith("arm64")]


def answer(record):
    """What `translate_many` must say of an address whose walk gave this record."""
    if record.physical is not None:
        return record.physical, record.page_size, 0
    level = record.fault.level
    return NO_FRAME, 0, NOT_CANONICAL if level is None else record.format.level(level).depth + 1


def same(walk, many, addresses):
    found = many(np.array(addresses, np.uint64))
    rows = zip(found.physical.tolist(), found.page_size.tolist(), found.fault_level.tolist(), strict=True)
    for va, row in zip(addresses, rows, strict=True):
        assert row == answer(walk(va)), hex(va)


@pytest.mark.parametrize(("name", "half"), HALVES)
def test_every_format_walks_its_own_tables(name, half, made, record_property):
    """Tables that `arch` builds, walked by both: the frames are those that were put in."""
    fmt = format_named(name, half=half)
    space = made.random_space(fmt)
    memory = WordMemory({t: 0 for t in space.tables.values()} | space.words, page_size=fmt.page_size)
    tables = CompiledTables(memory, space.root, fmt)
    for va, (frame, size) in space.mapped.items():
        record = mmu.walk(memory, space.root, fmt, va + size // 2)
        assert (record.physical, record.page_size) == (frame + size // 2, size)
    addresses = made.probes(space)
    same(lambda va: mmu.walk(memory, space.root, fmt, va), tables.translate, addresses)
    record_property("compared", f"{len(addresses):,} addresses, {len(space.mapped)} leaves")


@pytest.mark.parametrize(("name", "half"), HALVES)
@pytest.mark.parametrize("seed", range(3))
def test_damaged_tables(name, half, seed, made):
    """Any 64 bits in any entry, and tables that are missing: still the same answers, and never an exception."""
    fmt = format_named(name, half=half)
    space = made.random_space(fmt, seed)
    rng = random.Random(seed)
    words = dict(space.words)
    for pa in rng.sample(sorted(words), len(words) // 3):
        words[pa] = rng.choice((words[pa] ^ 1 << rng.randrange(64), rng.getrandbits(64), words[pa] & ~1))
    for pa in rng.sample(sorted(words), len(words) // 10):
        del words[pa]
    memory = WordMemory(words, page_size=fmt.page_size)
    tables = CompiledTables(memory, space.root, fmt)
    same(lambda va: mmu.walk(memory, space.root, fmt, va), tables.translate, made.probes(space))


@pytest.mark.parametrize("process", [1, 2, "kernel", "swapper"])
@pytest.mark.parametrize("name", ["x86_64-4level-6.1", "aarch64-4k-48bit-6.1"])
def test_shipped_captures(name, process, record_property):
    """Over the captures: truth's addresses, their neighbours, random ones, both halves, all in one array."""
    capture = open_capture(name, process=process)
    rng = random.Random(name)
    known = [
        int(va, 16) for va, _ in capture.truth["qemu_gva2gpa"] + capture.truth.get("qemu_gva2gpa_kernel", [])
    ]
    runs = [
        run.start
        for half in ("user", "kernel")
        if capture_has(capture, half)
        for run in capture.mapped_ranges(half)
    ]
    addresses = known + [va ^ 1 << rng.randrange(64) for va in known] + runs
    addresses += [rng.getrandbits(64) for _ in range(500)] + [rng.getrandbits(47) for _ in range(500)]
    addresses += [2**64 - 1 - rng.getrandbits(47) for _ in range(500)]
    rng.shuffle(addresses)
    same(capture.walk, capture.translate_many, addresses)
    record_property("compared", f"{len(addresses):,} addresses")


def capture_has(capture, half):
    return (capture.roots.user if half == "user" else capture.roots.kernel) is not None


def test_the_coding_of_the_answers():
    """The three arrays are coded as documented: for a page, a hole, a swapped page's level and a wild address."""
    capture = open_capture("x86_64-4level-6.1")
    vma = capture.vmas[0]
    found = capture.translate_many([vma.start, vma.start - 1, 0x10_0000_0000, 1 << 63])
    assert found.physical.tolist()[1:] == [2**64 - 1] * 3
    assert found.page_size.tolist() == [4096, 0, 0, 0]
    assert found.fault_level[0] == 0
    assert found.fault_level[3] == -1
    assert [capture.format.levels[n - 1].name for n in found.fault_level[1:3]] == ["pte", "pud"]
    assert found.mapped.tolist() == [True, False, False, False]
    assert (found.physical.dtype, found.page_size.dtype, found.fault_level.dtype) == (
        np.uint64,
        np.int64,
        np.int8,
    )
    assert repr(found) == "<Translation of 4 addresses, 1 mapped>"


def test_shapes_and_kinds_of_arrays():
    """Lists, tuples, ranges, empty and two-dimensional arrays, signed arrays of user addresses."""
    capture = open_capture("x86_64-4level-6.1")
    start = capture.vmas[0].start
    pages = np.arange(start, start + 4 * 4096, 4096, dtype=np.int64)
    flat = capture.translate_many(pages)
    square = capture.translate_many(pages.reshape(2, 2))
    assert square.physical.shape == square.page_size.shape == square.fault_level.shape == (2, 2)
    assert (square.physical.ravel() == flat.physical).all()
    assert capture.translate_many(tuple(pages.tolist())).physical.tolist() == flat.physical.tolist()
    assert capture.translate_many(range(start, start + 4)).mapped.all()
    assert len(capture.translate_many([])) == 0
    assert capture.translate_many(pages[::2]).physical.tolist() == flat.physical.tolist()[::2]
    assert capture.translate_many(pages.astype(">i8")).physical.tolist() == flat.physical.tolist()


@pytest.mark.parametrize(
    "addresses", [[-1], [2**64], ["0x1000"], [1.5], 5, None, np.array([0.5]), np.array([-4096]), [None]]
)
def test_no_addresses(addresses):
    """What is no address is refused in one sentence."""
    with pytest.raises(AddressError, match="from 0 to"):
        open_capture("x86_64-4level-6.1").translate_many(addresses)


def test_a_root_that_reaches_too_much(monkeypatch, made):
    """A root whose tables have no end is refused before they fill the memory."""
    fmt = format_named("x86-64-4level")
    space = made.random_space(fmt)
    monkeypatch.setattr("ptwalk.capture.translate.MOST_SLOTS", 2000)
    memory = WordMemory({t: 0 for t in space.tables.values()} | space.words)
    with pytest.raises(CaptureError, match="check that the root"):
        CompiledTables(memory, space.root, fmt)


def test_a_view_shares_compiled_tables():
    """The kernel's view of an arm64 process uses the arrays that the process's own view has made."""
    capture = open_capture("aarch64-4k-48bit-6.1")
    capture.translate_many([0, 2**64 - 1])
    assert capture.kernel._compiled is capture._compiled
    assert len(capture._compiled) == 2
    assert capture.kernel.kernel is capture.kernel
    assert issubclass(AddressError, PtwalkError)
    assert as_addresses([1]).dtype == np.uint64
