"""Entries: any 64 bits decode, their fields cover them, and what builders make reads back as the same facts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptwalk.arch import FORMAT_NAMES, BadValue, Entry, EntryState, Format, Level, format_named

# The same examples at every run, and no limit of time.
QUICK = settings(max_examples=12, deadline=None, derandomize=True)
RELEASES = ("5.15", "6.1", "6.6", "6.14", "7.1")
EVERY = [format_named(name, release) for name in FORMAT_NAMES for release in RELEASES]
# Words near the edges: any bits, few bits, and any bits with the low ones a state depends on.
WORDS = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.sets(st.integers(0, 63), max_size=6).map(lambda bits: sum(1 << bit for bit in bits)),
    st.tuples(st.integers(0, (1 << 52) - 1), st.integers(0, 0xFFF)).map(lambda both: both[0] << 12 | both[1]),
)


def frames(fmt: Format, level: Level, high: int | None = None) -> st.SearchStrategy[int]:
    """Physical addresses that a leaf of this level can hold."""
    top = min(fmt.pa_bits, high or fmt.pa_bits)
    return st.integers(0, (1 << (top - level.shift)) - 1).map(lambda frame: frame << level.shift)


def check_tiling(entry: Entry) -> None:
    """Fields cover bits 63 to 0 without gap or overlap and add up to the word."""
    above = 64
    for field in entry.fields:
        assert field.high == above - 1 and 0 <= field.low <= field.high
        assert 0 <= field.value < 1 << field.width and field.meaning and field.name
        above = field.low
    assert above == 0
    assert sum(field.raw for field in entry.fields) == entry.raw


@pytest.mark.parametrize("fmt", EVERY, ids=repr)
@QUICK
@given(raw=WORDS)
def test_any_word_decodes_and_its_fields_tile_it(fmt: Format, raw: int) -> None:
    """No word raises; fields cover bits 63 to 0 without gap or overlap and add up to the word."""
    for level in fmt.levels:
        entry = fmt.decode(raw, level)
        check_tiling(entry)
        assert entry.sentence.startswith(f"This {level.name} entry") and repr(entry)
        assert entry.to_json()["state"] == str(entry.state)
        assert entry.marks is not None and entry.flags is not None
        assert (entry.reserved_bit is not None) <= (entry.state == "reserved")
        if entry.state in ("table", "leaf"):
            assert entry.present and entry.linux_present and entry.address is not None
        if not entry.present:
            assert str(entry.rights) == "k ---"
        assert (entry.swap_type is None) == (entry.swap_offset is None)
        assert (entry.page_size is None) == (entry.state not in ("leaf", "prot-none", "split"))
        if raw == 0:
            assert entry.state == "none"


@pytest.mark.parametrize("fmt", EVERY, ids=repr)
@QUICK
@given(data=st.data())
def test_leaf_builders_read_back(fmt: Format, data: st.DataObject) -> None:
    """A leaf, a PROT_NONE entry and a split entry keep address, rights and marks at every level."""
    yes = st.booleans()
    for level in fmt.levels:
        pa = data.draw(frames(fmt, level))
        write, user, execute, young, dirty, glob, special = (data.draw(yes) for _ in range(7))
        if not level.leaf_allowed:
            with pytest.raises(BadValue, match="cannot map memory"):
                fmt.make_leaf(pa, level)
            continue
        raw = fmt.make_leaf(
            pa,
            level,
            write=write,
            user=user,
            execute=execute,
            accessed=young,
            dirty=dirty,
            global_=glob,
            special=special,
        )
        leaf = fmt.decode(raw, level)
        assert (leaf.state, leaf.address, leaf.page_size) == (EntryState.LEAF, pa, level.size)
        assert (leaf.writable, leaf.user, leaf.accessed, leaf.dirty) == (write, user, young, dirty)
        assert (leaf.global_, leaf.flags.special) == (glob, special)
        assert leaf.rights.user == user
        assert leaf.rights.execute == execute and leaf.rights.read
        # A clean page that may be written is read-only to an arm64 processor until its first write.
        if fmt.arch == "x86-64":
            assert leaf.rights.write == write
        else:
            assert leaf.rights.write == (write and dirty)
            assert leaf.rights.writable_clean == (write and not dirty)
        check_tiling(leaf)
        none = fmt.decode(fmt.make_prot_none(pa, level, accessed=young, dirty=dirty, write=write), level)
        assert (none.state, none.address, none.present) == (EntryState.PROT_NONE, pa, False)
        assert none.linux_present and (none.dirty, none.writable, none.accessed) == (dirty, write, young)
        if level.linux == "pmd":
            split = fmt.decode(fmt.make_split(pa, level, write=write, dirty=dirty, accessed=young), level)
            assert (split.state, split.address, split.present) == (EntryState.SPLIT, pa, False)
            check_tiling(split)
            assert "while a huge page is split" in split.sentence
            assert split.linux_present and (split.dirty, split.writable) == (dirty, write)


@pytest.mark.parametrize("fmt", EVERY, ids=repr)
@QUICK
@given(data=st.data())
def test_table_builders_read_back(fmt: Format, data: st.DataObject) -> None:
    """A table entry keeps its address and the rights it lets through."""
    yes = st.booleans()
    for level in fmt.levels[:-1]:
        pa = data.draw(st.integers(0, (1 << (fmt.pa_bits - 16)) - 1)) << 16
        write, user, execute, young = (data.draw(yes) for _ in range(4))
        raw = fmt.make_table(pa, level, write=write, user=user, execute=execute, accessed=young)
        entry = fmt.decode(raw, level)
        assert (entry.state, entry.address, entry.page_size) == (EntryState.TABLE, pa, None)
        assert (entry.writable, entry.user, entry.accessed) == (write, user, young)
        assert entry.rights.execute == execute and entry.rights.write == write
        assert not fmt.linux_bad(raw, level) or not write or not execute
    with pytest.raises(BadValue, match="last level"):
        fmt.make_table(0, "pte")


@pytest.mark.parametrize("fmt", EVERY, ids=repr)
@QUICK
@given(data=st.data())
def test_swap_builders_read_back(fmt: Format, data: st.DataObject) -> None:
    """Every entry that is not present keeps its type and offset, in the layout of its release."""
    for level in fmt.levels:
        if not level.leaf_allowed:
            with pytest.raises(BadValue, match="cannot be paged out"):
                fmt.make_swap(0, 1, level)
            continue
        area = data.draw(st.integers(0, fmt.max_swapfiles - 1))
        offset = data.draw(st.integers(1, (1 << 50) - 2))
        entry = fmt.decode(fmt.make_swap(area, offset, level), level)
        assert (entry.state, entry.swap_type, entry.swap_offset) == (EntryState.SWAP, area, offset)
        assert not entry.present and not entry.linux_present and entry.address is None
        pa = data.draw(st.integers(0, (1 << (fmt.max_physmem_bits - fmt.page_shift)) - 1)) << fmt.page_shift
        write = data.draw(st.booleans())
        moving = fmt.decode(fmt.make_migration(pa, level, write=write), level)
        assert (moving.state, moving.address) == (EntryState.MIGRATION, pa)
        assert moving.kind == ("migration write" if write else "migration read")
        broken = fmt.decode(fmt.make_hwpoison(pa, level), level)
        assert (broken.state, broken.address) == (EntryState.HWPOISON, pa)
        lent = fmt.decode(fmt.make_device(pa, level, kind="device-private write"), level)
        assert (lent.state, lent.address, lent.kind) == (EntryState.DEVICE, pa, "device-private write")
        for found in (entry, moving, broken, lent):
            check_tiling(found)
            assert found.sentence.startswith(f"This {level.name} entry")
        if "marker" in {kind for _, kind in fmt.special_types.meanings.values()}:
            note = fmt.decode(fmt.make_marker("guard", level), level)
            check_tiling(note)
            assert note.state == "marker" and note.note == "marker: guard" and "guard" in note.sentence


def test_words_that_do_not_fit_are_refused() -> None:
    """Builders say what does not fit, decode what is no 64-bit word."""
    fmt = format_named("arm64-4k-48", "5.15")
    for wrong in (-1, 1 << 64):
        with pytest.raises(BadValue, match="64-bit"):
            fmt.decode(wrong, "pte")
    with pytest.raises(BadValue, match="multiple of"):
        fmt.make_leaf(0x1000, "pmd")
    with pytest.raises(BadValue, match=r"below 2\^48"):
        fmt.make_leaf(1 << 48, "pte")
    with pytest.raises(BadValue, match="empty entry"):
        fmt.make_swap(0, 0)
    with pytest.raises(BadValue, match="empty entry"):
        format_named("x86-64-4level").make_swap(0, (1 << 50) - 1)  # all ones, stored inverted
    with pytest.raises(BadValue, match="no soft-dirty bit"):
        fmt.make_swap(0, 1, soft_dirty=True)
    with pytest.raises(BadValue, match="no swap area"):
        fmt.make_swap(31, 1)
    with pytest.raises(BadValue, match="has no marker entries"):
        fmt.make_marker()
    with pytest.raises(BadValue, match="marker 'x'"):
        fmt.make_marker("x")
    with pytest.raises(BadValue, match="do not keep young"):
        fmt.make_migration(0x1000, young=True)
    with pytest.raises(BadValue, match="leave it out"):
        fmt.make_leaf(0x1000, "pte", pkey=3)
    with pytest.raises(BadValue, match="no address of a frame"):
        fmt.make_migration(0x1001)
    with pytest.raises(BadValue, match="50 bits"):
        fmt.make_swap(0, 1 << 50)


def test_entries_are_values_and_sentences_are_whole() -> None:
    """Decoding twice gives equal entries; every state has a sentence a learner can read."""
    fmt = format_named("x86-64-4level", "6.14")
    assert fmt.decode(0x1067, "pte") == fmt.decode(0x1067, fmt.level("pte"))
    sentences = {
        0: "This pte entry is empty: nothing is mapped in its 4 KiB.",
        fmt.make_leaf(0x5000, "pte", write=True): (
            "This pte entry maps 4 KiB from physical address 0x5000, rights u rw-."
        ),
        fmt.make_swap(1, 0x42): "This pte entry is paged out: swap area 1, page 0x42.",
        fmt.make_migration(0x7000): (
            "This pte entry is a migration read entry: the page at 0x7000 is being moved; wait for it."
        ),
        fmt.make_marker("guard"): "This pte entry maps nothing and keeps a note instead, marker: guard.",
    }
    for raw, sentence in sentences.items():
        assert fmt.decode(raw, "pte").sentence == sentence
