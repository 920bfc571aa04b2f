"""x86-64 entries with known answers: bit by bit from the kernel's headers, and words of a captured machine."""

import pytest

from ptwalk.arch import Entry, format_named

FOUR = format_named("x86-64-4level", "6.1")
P, RW, US, A, D, PS, G, NX = 1, 2, 4, 0x20, 0x40, 0x80, 0x100, 1 << 63


def field(entry: Entry, name: str) -> str:
    """The meaning of the field of that name."""
    return next(found.meaning for found in entry.fields if found.name == name)


def test_captured_leaf() -> None:
    """A read-only user page that is dirty, as the 6.1 capture has it."""
    entry = FOUR.decode(0x8000_0001_428D_0065, "pte")
    assert (entry.state, entry.address, entry.marks) == ("leaf", 0x1_428D_0000, "P U A D NX")
    assert (entry.accessed, entry.dirty, entry.writable, entry.user, entry.global_) == (1, 1, 0, 1, 0)
    assert str(entry.rights) == "u r--" and str(FOUR.decode(0x1_5FE0_F025, "pte").rights) == "u r-x"
    assert FOUR.decode(0x8000_0001_428D_0845, "pte").flags.soft_dirty


def test_captured_swap_entries() -> None:
    """Type in 63:59, offset inverted in 58:9; soft-dirty in bit 1, exclusive in bit 3."""
    entry = FOUR.decode(0x07FF_FFFF_FFFB_9E0A, "pte")
    assert (entry.state, entry.swap_type, entry.swap_offset) == ("swap", 0, 560)
    assert entry.flags.soft_dirty and entry.flags.exclusive and not entry.flags.uffd_wp
    plain = FOUR.decode(0x07FF_FFFF_FFFB_FE00, "pte")
    assert plain.swap_offset == 512 and not plain.flags.soft_dirty and not plain.flags.exclusive
    assert FOUR.make_swap(0, 560, soft_dirty=True, exclusive=True) == entry.raw
    assert FOUR.make_swap(0, 512) == plain.raw
    assert "page 0x230" in field(entry, "offset (inverted)")


def test_captured_prot_none() -> None:
    """The frame is kept inverted, bit 8 says PROT_NONE, and pagemap's frame is 0x1413f4."""
    entry = FOUR.decode(0x000F_FFFE_BEC0_B160, "pte")
    assert (entry.state, entry.address) == ("prot-none", 0x1_413F_4000)
    assert entry.linux_present and not entry.present and entry.dirty and str(entry.rights) == "k ---"
    assert FOUR.make_prot_none(0x1_413F_4000, "pte", dirty=True) == entry.raw
    assert "0x1413f4000" in field(entry, "frame (inverted)")


def test_bit_seven_means_three_things() -> None:
    """PAT in a pte, page size in a pmd, reserved in the two upper levels."""
    assert FOUR.decode(0x1000 | PS | P, "pte").page_size == 4096
    assert FOUR.decode(0x20_0000 | PS | P, "pmd").page_size == 2 << 20
    assert FOUR.decode(0x4000_0000 | PS | P, "pud").page_size == 1 << 30
    for name, level in (("x86-64-4level", "pgd"), ("x86-64-5level", "pgd"), ("x86-64-5level", "p4d")):
        entry = format_named(name).decode(0x1000 | PS | P, level)
        assert (entry.state, entry.reserved_bit, entry.present) == ("reserved", 7, True)


@pytest.mark.parametrize(
    ("level", "raw", "bit"),
    [
        ("pmd", 1 << 13, 13),
        ("pmd", 1 << 20, 20),
        ("pud", 1 << 29, 29),
        ("pud", 1 << 13, 13),
        ("pud", 1 << 21, 21),
    ],
)
def test_low_address_bits_of_huge_leaves_are_reserved(level: str, raw: int, bit: int) -> None:
    """All below the frame but bit 12, which is PAT there."""
    entry = FOUR.decode(raw | PS | P, level)
    assert (entry.state, entry.reserved_bit) == ("reserved", bit)
    assert FOUR.decode(1 << 12 | PS | P, level).state == "leaf"
    assert FOUR.decode(1 << 12 | PS | P, level).address == 0


def test_address_bits_beyond_the_machine_are_reserved() -> None:
    """With 40 physical bits, 51:40 must be zero; with 52 nothing is reserved there."""
    narrow = format_named("x86-64-4level", "6.1", pa_bits=40)
    for level in ("pgd", "pud", "pmd", "pte"):
        entry = narrow.decode(1 << 40 | P, level)
        assert (entry.state, entry.reserved_bit) == ("reserved", 40)
        assert FOUR.decode(1 << 40 | P, level).state in ("table", "leaf")
        assert narrow.decode(1 << 52 | P, level).state in ("table", "leaf")
        assert "40 physical" in field(entry, "reserved")


def test_accessed_and_dirty_alone_are_no_entry() -> None:
    """An erratum may set A and D in an empty entry: pte_none looks away."""
    for raw in (A, D, A | D):
        assert FOUR.decode(raw, "pte").state == "none" and FOUR.linux_none(raw)
    assert not FOUR.linux_none(RW)


def test_split_and_huge_prot_none() -> None:
    """P clear with PSE left is a huge page being split; with bit 8 it is PROT_NONE; at the pte neither."""
    split = FOUR.make_split(0x4020_0000, "pmd", write=True, dirty=True)
    entry = FOUR.decode(split, "pmd")
    assert split & (P | PS | G) == PS and (entry.state, entry.address) == ("split", 0x4020_0000)
    none = FOUR.decode(FOUR.make_prot_none(0x4020_0000, "pmd"), "pmd")
    assert (none.state, none.address, none.page_size) == ("prot-none", 0x4020_0000, 2 << 20)
    assert entry.linux_present and none.linux_present
    # pmd_present looks at P, PROT_NONE and PSE; pte_present not at PSE.
    assert not FOUR.linux_present(PS, FOUR.level("pte")) and FOUR.linux_present(PS, FOUR.level("pmd"))


def test_upper_entries_that_are_neither_empty_nor_present_are_bad() -> None:
    """Nothing can be paged out of a pgd: Linux calls such a word bad."""
    entry = FOUR.decode(1 << 20, "pgd")
    assert (entry.state, entry.present, entry.reserved_bit) == ("reserved", False, None)
    assert "never leaves" in entry.sentence


def test_pmd_bad() -> None:
    """A table is not bad, with or without user and accessed; a huge leaf is."""
    pmd = FOUR.level("pmd")
    table = FOUR.make_table(0x5000, "pmd")
    assert table == 0x5067 and not FOUR.linux_bad(table, pmd)
    assert not FOUR.linux_bad(FOUR.make_table(0x5000, "pmd", user=False, accessed=False), pmd)
    assert FOUR.linux_bad(FOUR.make_leaf(0x20_0000, "pmd", write=True, dirty=True, execute=True), pmd)
    assert FOUR.linux_bad(0, pmd)


@pytest.mark.parametrize(
    ("release", "names"),
    [
        ("5.15", {58: "DEVMAP"}),
        ("6.1", {58: "DEVMAP"}),
        ("6.12", {57: "DEVMAP", 58: "SAVED_DIRTY"}),
        ("6.19", {58: "SAVED_DIRTY"}),
    ],
)
def test_software_bits_move_with_the_release(release: str, names: dict[int, str]) -> None:
    """DEVMAP moved from 58 to 57 and went away; SAVED_DIRTY took bit 58."""
    fmt = format_named("x86-64-4level", release)
    found = {part.low: part.name for part in fmt.decode(0x1001, "pte").fields if part.low in (57, 58)}
    assert {low: name for low, name in found.items() if name != "ignored"} == names


def test_swap_entries_have_no_exclusive_bit_in_5_15() -> None:
    """Bit 3 is the exclusive mark from 5.19."""
    old = format_named("x86-64-4level", "5.15")
    assert not old.decode(0x07FF_FFFF_FFFB_9E0A, "pte").flags.exclusive


def test_small_changes() -> None:
    """pte_mkold and the others, before shadow stacks: each touches its own bit, mkdirty soft-dirty too."""
    raw = FOUR.make_leaf(0x5000, "pte", write=True, dirty=True)
    assert FOUR.mkold(raw, "pte") == raw & ~A and FOUR.mkyoung(raw & ~A, "pte") == raw
    assert FOUR.mkclean(raw, "pte") == raw & ~D
    assert FOUR.mkdirty(raw & ~D, "pte") == raw | 1 << 11
    assert FOUR.wrprotect(raw, "pte") == raw & ~RW and FOUR.mkwrite(raw & ~RW, "pte") == raw


def test_dirty_moves_aside_from_6_6() -> None:
    """Read-only with D would be a shadow stack: wrprotect saves D in bit 58 and mkwrite brings it back."""
    new = format_named("x86-64-4level", "6.12")
    raw = new.make_leaf(0x5000, "pte", write=True, dirty=True)
    protected = new.wrprotect(raw, "pte")
    assert protected & (D | RW) == 0 and protected >> 58 & 1
    assert new.decode(protected, "pte").dirty and new.mkwrite(protected, "pte") == raw
    assert not new.decode(new.mkclean(protected, "pte"), "pte").dirty
    assert new.mkdirty(new.make_leaf(0x5000, "pte"), "pte") >> 58 & 1


def test_no_execute_and_keys() -> None:
    """NX is bit 63, a key lies in 62:59 of a leaf."""
    raw = FOUR.make_leaf(0x5000, "pte", pkey=5)
    assert raw & NX and raw >> 59 & 0xF == 5
    assert "key 5" in field(FOUR.decode(raw, "pte"), "PKEY")
    assert not FOUR.make_leaf(0x5000, "pte", execute=True) & NX
