"""Physical memory: the protocol, memories made by hand, and memories laid over others."""

import pytest

from ptwalk.capture import Segments, open_capture
from ptwalk.errors import AddressError, MissingMemory
from ptwalk.machine.physmem import PhysicalMemory, WordMemory


def test_both_kinds_satisfy_the_protocol():
    """A captured core's memory and one made by hand are read alike."""
    assert isinstance(WordMemory(), PhysicalMemory)
    assert isinstance(Segments([]), PhysicalMemory)


def test_words_and_the_rest_of_their_pages():
    """A page that was begun reads as zero where nothing was put; other pages are missing."""
    memory = WordMemory({0x1008: 0x1122334455667788})
    assert memory.read_u64(0x1008) == 0x1122334455667788
    assert memory.read_u64(0x1FF8) == 0
    assert memory.read(0x1008, 2) == b"\x88\x77"
    assert memory.read(0x100D, 6) == b"\x33\x22\x11\0\0\0"
    for pa in (0xFF8, 0x2000, 1 << 60):
        with pytest.raises(MissingMemory) as caught:
            memory.read_u64(pa)
        assert caught.value.address == pa
    with pytest.raises(MissingMemory):
        memory.read(0x1FFC, 8)


def test_a_memory_laid_over_another():
    """Words laid over a captured core change what a walk reads, not the core."""
    base = open_capture("x86_64-4level-6.1").memory
    pa = 0x140A65000
    over = WordMemory({pa + 8: 0xDEAD}, base)
    assert over.read_u64(pa + 8) == 0xDEAD
    assert over.read_u64(pa) == base.read_u64(pa)
    assert base.read_u64(pa + 8) != 0xDEAD
    assert over.read(pa, 24) == base.read(pa, 8) + (0xDEAD).to_bytes(8, "little") + base.read(pa + 16, 8)
    assert over.read(pa + 9, 3) == b"\xde\0\0"
    with pytest.raises(MissingMemory):
        over.read_u64(0)


@pytest.mark.parametrize(("pa", "value"), [(1, 0), (-8, 0), (1 << 64, 0), (8, -1), (8, 1 << 64)])
def test_what_no_word_can_be(pa, value):
    """Addresses that are no multiple of 8 and values beyond 64 bits are refused."""
    with pytest.raises(AddressError, match="give a"):
        WordMemory().write_u64(pa, value)


def test_segments_of_any_alignment():
    """Runs of bytes need not be pages: words in them, across neighbours, and at their very ends."""
    data = bytes(range(256)) * 40
    memory = Segments([(0x2804, memoryview(data[0x1004:])), (0x1800, memoryview(data[:0x1004]))])
    assert memory.ranges == ((0x1800, 0x2804), (0x2804, 0x1800 + len(data)))
    assert memory.size == len(data)
    for pa in (0x1800, 0x1FFC, 0x27FF, 0x2800, 0x2804, 0x1800 + len(data) - 8):
        expected = int.from_bytes(data[pa - 0x1800 : pa - 0x1800 + 8], "little")
        assert memory.read_u64(pa) == memory.read_u64(pa) == expected
    for pa in (0x17F8, 0x17FF, 0x1800 + len(data) - 7, -8, 1 << 64):
        with pytest.raises(MissingMemory):
            memory.read_u64(pa)
    assert 0x1800 in memory
    assert 0x17FF not in memory
    assert "0x1800" not in memory
    with pytest.raises(AddressError):
        memory.read(0x1800, -1)


def test_the_lookup_forgets_rather_than_grows(monkeypatch):
    """A scan over more pages than are remembered still reads right."""
    monkeypatch.setattr("ptwalk.capture.core._MOST_UNITS", 4)
    data = b"".join(n.to_bytes(8, "little") * 512 for n in range(32))
    memory = Segments([(0, memoryview(data))])
    assert [memory.read_u64(n * 4096) for n in range(32)] == list(range(32))
    assert len(memory._units) <= 4
