"""The hardware walk over tables made by hand: each way to end, at each level, for each format."""

import numpy as np
import pytest

from ptwalk.arch import FORMAT_NAMES, EntryState, format_named
from ptwalk.errors import AddressError
from ptwalk.machine.mmu import walk
from ptwalk.machine.physmem import WordMemory

FRAME = 0x4000_0000_0000 >> 3  # a multiple of every leaf's size


def path(fmt, depth, entry):
    """A memory with a chain of tables for index 1 of each level, ending with `entry` at `depth`; and the address."""
    memory = WordMemory(page_size=fmt.page_size)
    table = fmt.page_size
    for level in fmt.levels[:depth]:
        memory.write_u64(table + 8, fmt.make_table(table + fmt.page_size, level))
        table += fmt.page_size
    memory.write_u64(table + 8, entry)
    return memory, fmt.va_from_indices([1] * (depth + 1), offset=0)


LEVELS = [(name, level) for name in FORMAT_NAMES for level in format_named(name).levels]


def at_each_level(wanted=lambda name, level: True):
    """Run a test at each level of each format that `wanted` picks."""
    places = [(name, level.depth) for name, level in LEVELS if wanted(name, level)]
    return pytest.mark.parametrize(("name", "depth"), places)


every_level = at_each_level()


@at_each_level(lambda name, level: level.leaf_allowed)
def test_a_leaf_at_each_level(name, depth):
    """Where a leaf may stand, the walk ends with its frame, its size and its rights; elsewhere it does not."""
    fmt = format_named(name)
    level = fmt.levels[depth]
    frame = FRAME >> 4 & -level.size & (1 << fmt.pa_bits) - 1 or level.size
    memory, va = path(fmt, depth, fmt.make_leaf(frame, level, write=True, dirty=True))
    record = walk(memory, fmt.page_size, fmt, va + 0x123)
    assert (record.physical, record.page_size, record.fault) == (frame + 0x123, level.size, None)
    assert record.mapped
    assert len(record.levels) == depth + 1
    assert str(record.rights) == "u rw-"
    assert record.leaf is record.levels[-1].entry
    assert [step.index for step in record.levels] == [1] * (depth + 1)
    assert [step.entry_address for step in record.levels] == [
        fmt.page_size * (n + 1) + 8 for n in range(depth + 1)
    ]


@every_level
def test_nothing_at_each_level(name, depth):
    """An empty entry stops the walk at its level, by the present bit."""
    fmt = format_named(name)
    memory, va = path(fmt, depth, 0)
    fault = walk(memory, fmt.page_size, fmt, va).fault
    assert (fault.reason, fault.level, fault.entry_state, fault.bit) == (
        "not present", fmt.levels[depth].name, EntryState.NONE, 0
    )  # fmt: skip


@every_level
def test_a_missing_table_at_each_level(name, depth):
    """A table that the memory does not hold stops the walk; the fault names its level and its address."""
    fmt = format_named(name)
    memory, va = path(fmt, depth, 0)
    table = fmt.page_size * (depth + 1)
    del memory.words[table + 8]
    memory._pages.discard(table // fmt.page_size)
    record = walk(memory, fmt.page_size, fmt, va)
    assert (record.fault.reason, record.fault.level) == ("missing memory", fmt.levels[depth].name)
    assert len(record.levels) == depth
    assert f"{table:#x}" in record.fault.sentence
    assert record.levels[-1].rights is not None if depth else record.rights is None


@at_each_level(
    lambda name, level: not level.leaf_allowed or (level.linux == "pte" and name.startswith("arm64"))
)
def test_reserved_bits_at_each_level(name, depth):
    """x86-64: PS where no huge page may stand; arm64: type 01 where no block may stand."""
    fmt = format_named(name)
    level = fmt.levels[depth]
    if (level.leaf_allowed and level.linux != "pte") or (fmt.arch == "x86-64" and level.linux == "pte"):
        pytest.skip(f"{name} has no such bit at {level}")
    raw = 0x81 if fmt.arch == "x86-64" else 0x1
    memory, va = path(fmt, depth, raw)
    record = walk(memory, fmt.page_size, fmt, va)
    assert (record.fault.reason, record.fault.level) == ("reserved bit", level.name)
    assert record.fault.bit == (7 if fmt.arch == "x86-64" else 1)
    assert record.fault.entry_state is EntryState.RESERVED
    assert record.rights is None


def test_states_that_only_linux_knows():
    """PROT_NONE, swap, migration, a split huge page: "not present" to the hardware; the state tells them apart."""
    fmt = format_named("x86-64-4level")
    for raw, depth, state in (
        (fmt.make_prot_none(0x5000, "pte"), 3, EntryState.PROT_NONE),
        (fmt.make_swap(1, 77, "pte"), 3, EntryState.SWAP),
        (fmt.make_migration(0x5000), 3, EntryState.MIGRATION),
        (fmt.make_split(0x200000, "pmd"), 2, EntryState.SPLIT),
    ):
        memory, va = path(fmt, depth, raw)
        fault = walk(memory, fmt.page_size, fmt, va).fault
        assert (fault.reason, fault.entry_state, fault.bit) == ("not present", state, 0)


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize("half", ["user", "kernel"])
def test_addresses_of_no_format(name, half):
    """An address that this format's tables do not translate is not looked up at all, even in an empty memory."""
    fmt = format_named(name, half=half)
    for va in (1 << 63, 1 << fmt.va_bits, 1 << 60 | 5, (1 << 64) - 1 - (1 << fmt.va_bits)):
        record = walk(WordMemory(), 0, fmt, va)
        assert (record.fault.reason, record.fault.level, record.levels) == ("not canonical", None, ())
        assert f"{va:#x}" in record.fault.sentence


@pytest.mark.parametrize("va", [-1, 1 << 64, 1.5, "0x1000", None])
def test_what_is_no_address(va):
    """Anything that is no 64-bit number is refused in one sentence."""
    with pytest.raises(AddressError, match="give a number from 0 to"):
        walk(WordMemory(), 0, format_named("x86-64-4level"), va)


def test_any_kind_of_integer():
    """Integers of numpy are addresses too; the record holds a plain number."""
    fmt = format_named("x86-64-4level")
    memory, va = path(fmt, 3, fmt.make_leaf(0x5000, "pte"))
    record = walk(memory, fmt.page_size, fmt, np.uint64(va))
    assert record == walk(memory, fmt.page_size, fmt, va)
    assert type(record.va) is int


def test_contiguous_runs():
    """arm64: the record tells the descriptor's size and the whole run's."""
    fmt = format_named("arm64-4k-48")
    memory, va = path(fmt, 3, fmt.make_leaf(0x10000, "pte", contiguous=True))
    record = walk(memory, fmt.page_size, fmt, va)
    assert (record.page_size, record.run_size) == (4096, 65536)


def test_rights_narrow_down_the_path():
    """Each step tells the rights so far; a table can only take rights away."""
    fmt = format_named("x86-64-4level")
    memory, va = path(fmt, 3, fmt.make_leaf(0x5000, "pte", write=True, execute=True))
    memory.write_u64(0x1000 + 8, fmt.make_table(0x2000, "pgd", execute=False))
    memory.write_u64(0x2000 + 8, fmt.make_table(0x3000, "pud", write=False))
    record = walk(memory, 0x1000, fmt, va)
    assert [str(step.rights) for step in record.levels] == ["u rw-", "u r--", "u r--", "u r--"]
