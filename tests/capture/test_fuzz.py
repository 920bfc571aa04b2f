"""The shipped captures, cut and with bits flipped: only errors raised on purpose, soon, and in little memory.

Each case opens the damaged file, walks, lists ranges and tables, and translates an array. Whatever was damaged,
either all of that works or a `PtwalkError` says why not; no library's exception, no endless loop, no huge array.
"""

import itertools
import lzma
import random
import shutil
import tracemalloc

import pytest

from ptwalk.capture import open_capture
from ptwalk.errors import PtwalkError

NAMES = ("x86_64-4level-6.1", "aarch64-4k-48bit-6.1")
every_capture = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module", params=NAMES)
def whole(request, tmp_path_factory):
    """One capture unpacked: its folder to damage, its bytes, and addresses worth asking."""
    source = open_capture(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    for name in ("truth.json", "truth-2.json"):
        shutil.copy(source.path.parent / name, folder)
    addresses = [int(va, 16) for va, _ in source.truth["qemu_gva2gpa"][::9]]
    addresses += [int(va, 16) for va, _ in source.truth["qemu_gva2gpa_kernel"][::29]]
    return folder, lzma.open(source.path).read(), addresses


def exercise(path, addresses, process=1):
    """Open and use a capture; returns what stopped it, or None."""
    try:
        capture = open_capture(path, process=process)
        records = [capture.walk(va) for va in addresses]
        for record in records[:20]:
            assert str(record)
            assert record.to_json()
        many = capture.translate_many(addresses)
        assert [r.physical or 2**64 - 1 for r in records] == many.physical.tolist()
        # A damaged table may lead anywhere in the file, so even a list of ranges has an end but may be long.
        for _ in itertools.islice(capture.mapped_ranges(), 100_000):
            pass
        capture.tables()
    except PtwalkError as error:
        return str(error)
    return None


def run(whole, cases, record_property):
    folder, data, addresses = whole
    path = folder / "memory.elf"
    refused = used = 0
    for number, case in enumerate(cases):
        path.write_bytes(case(data))
        words = exercise(folder if number % 3 else path, addresses, 1 + number % 2)
        used += words is None
        refused += words is not None
        assert words is None or 20 < len(words) < 600
    record_property("compared", f"{refused + used} damaged files: {refused} refused, {used} still of use")


def cut(rng):
    """Cut the file somewhere, most often among its headers and notes."""

    def case(data):
        return data[: rng.randrange(rng.choice((64, 4096, 12288, len(data))))]

    return case


def flip(rng, first, last, most):
    """Flip up to `most` bits between two offsets."""

    def case(data):
        copy = bytearray(data)
        for _ in range(rng.randint(1, most)):
            copy[rng.randrange(first, min(last, len(copy)))] ^= 1 << rng.randrange(8)
        return bytes(copy)

    return case


def blot(rng):
    """Overwrite a stretch with noise, zeros or ones."""

    def case(data):
        copy = bytearray(data)
        at, size = rng.randrange(len(copy)), rng.choice((8, 64, 4096))
        fill = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))
        copy[at : at + size] = fill
        return bytes(copy[: len(data)])

    return case


def cases(seed, count):
    rng = random.Random(seed)
    for _ in range(count):
        yield rng.choice(
            (
                cut(rng),
                flip(rng, 0, 64, 2),
                flip(rng, 64, 64 + 56 * 66, 3),
                flip(rng, 0xD00, 0x2600, 4),
                flip(rng, 0x3000, 1 << 30, 60),
                blot(rng),
            )
        )


def test_damaged_cores(whole, record_property):
    """120 damaged files of each capture: headers, notes, tables."""
    run(whole, cases(1, 120), record_property)


@pytest.mark.slow
def test_many_damaged_cores(whole, record_property):
    """2,000 more of each."""
    run(whole, cases(2, 2000), record_property)


@every_capture
def test_damaged_xz(name, tmp_path, record_property):
    """The packed file, cut and flipped: found out by unpacking, or harmless."""
    packed = open_capture(name).path.read_bytes()
    rng = random.Random(name)
    refused = 0
    path = tmp_path / "memory.elf.xz"
    for number in range(60):
        path.write_bytes((cut if number % 3 == 0 else lambda r: flip(r, 0, 1 << 30, 2))(rng)(packed))
        refused += exercise(path, [0x10000, 2**64 - 1]) is not None
    assert refused > 50
    record_property("compared", f"60 damaged .xz files: {refused} refused")


@every_capture
def test_damaged_sidecars(name, tmp_path, record_property):
    """truth.json with bytes changed: refused with a sentence, or of use."""
    source = open_capture(name)
    shutil.copy(source.path, tmp_path)
    text = source.path.with_name("truth.json").read_bytes()
    head = text.index(b'"vmas"')
    rng = random.Random(name)
    refused = 0
    for number in range(60):
        damage = flip(rng, 0, head if number % 2 else len(text), 3) if number % 3 else cut(rng)
        (tmp_path / "truth.json").write_bytes(damage(text))
        refused += exercise(tmp_path, [0x10000, 2**64 - 1]) is not None
    record_property("compared", f"60 damaged sidecars: {refused} refused")


def test_impossible_sizes_cost_nothing(whole):
    """A segment that claims 2^60 bytes, a note of 2 GiB, 65,534 segments: refused without asking for the memory."""
    folder, data, _ = whole
    path = folder / "memory.elf"
    claims = (
        (64 + 56 + 32, (2**60).to_bytes(8, "little")),
        (0xD28 + 4, b"\xff\xff\xff\x7f"),
        (56, b"\xfe\xff"),
    )
    for at, value in claims:
        copy = bytearray(data)
        copy[at : at + len(value)] = value
        path.write_bytes(copy)
        tracemalloc.start()
        exercise(path, [0x10000])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 100 << 20
