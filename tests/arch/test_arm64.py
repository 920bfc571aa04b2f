"""arm64 entries with known answers: bit by bit from the kernel's headers, and words of a captured machine."""

import pytest

from ptwalk.arch import Entry, Format, format_named

OLD, CAPTURED, NEW = (format_named("arm64-4k-48", release) for release in ("5.15", "6.1", "6.19"))
USER, RDONLY, AF, NG = 1 << 6, 1 << 7, 1 << 10, 1 << 11
WRITE, CONT, PXN, UXN, DIRTY = 1 << 51, 1 << 52, 1 << 53, 1 << 54, 1 << 55


def names(entry: Entry) -> dict[str, str]:
    """Bits and name of every field that is not ignored."""
    return {found.name: found.bits for found in entry.fields if found.name != "ignored"}


def test_captured_leaves() -> None:
    """A dirty read-only page and a page of program text, as the 6.1 capture has them."""
    entry = CAPTURED.decode(0x00E0_0000_41E5_CFC3, "pte")
    assert (entry.state, entry.address, str(entry.rights)) == ("leaf", 0x41E5_C000, "u r--")
    assert (entry.accessed, entry.dirty, entry.writable, entry.user, entry.global_) == (1, 1, 0, 1, 0)
    assert CAPTURED.make_leaf(0x41E5_C000, "pte", dirty=True) == entry.raw
    text = CAPTURED.decode(0x0020_0000_DFF5_0FC3, "pte")
    assert str(text.rights) == "u r-x" and not text.rights.kernel_execute
    assert CAPTURED.make_leaf(0xDFF5_0000, "pte", execute=True) == text.raw
    assert not CAPTURED.decode(0x00E0_0000_41E5_CBC3, "pte").accessed


def test_captured_swap_entries() -> None:
    """6.1: type in 7:3, offset from bit 8, exclusive in bit 2."""
    entry = CAPTURED.decode(0x23004, "pte")
    assert (entry.state, entry.swap_type, entry.swap_offset, entry.flags.exclusive) == ("swap", 0, 560, True)
    assert CAPTURED.decode(0x20000, "pte").swap_offset == 512
    assert CAPTURED.make_swap(0, 560, exclusive=True) == 0x23004


def test_captured_prot_none() -> None:
    """6.1: bit 58 with VALID clear; the frame stands as in a leaf, not inverted."""
    entry = CAPTURED.decode(0x04E0_0000_4321_EF82, "pte")
    assert (entry.state, entry.address, entry.present) == ("prot-none", 0x4321_E000, False)
    assert entry.linux_present and entry.dirty
    assert CAPTURED.make_prot_none(0x4321_E000, "pte", dirty=True) == entry.raw


@pytest.mark.parametrize(
    ("fmt", "raw", "fields"),
    [
        (OLD, 3 << 2 | 0x1234 << 8, {"type": "7:2", "offset": "57:8"}),
        (CAPTURED, 3 << 3 | 0x1234 << 8, {"type": "7:3", "offset": "57:8", "EXCLUSIVE": "2"}),
        (NEW, 3 << 6 | 0x1234 << 12, {"type": "10:6", "offset": "61:12", "EXCLUSIVE": "2", "UFFD_WP": "3"}),
    ],
)
def test_three_swap_layouts(fmt: Format, raw: int, fields: dict[str, str]) -> None:
    """5.15, 5.19 to 6.9, and from 6.10: the same facts at other bits."""
    entry = fmt.decode(raw, "pte")
    assert (entry.state, entry.swap_type, entry.swap_offset) == ("swap", 3, 0x1234)
    assert fields.items() <= names(entry).items()
    assert fmt.make_swap(3, 0x1234) == raw


def test_present_invalid_from_6_10() -> None:
    """Bit 11 with VALID clear is present to Linux: PROT_NONE unless user mode could read or execute."""
    assert NEW.decode(NG | UXN | RDONLY, "pte").state == "prot-none"
    assert NEW.decode(NG | UXN | USER, "pte").state == "split"
    assert NEW.decode(NG | RDONLY, "pte").state == "split"
    # What 6.1 calls PROT_NONE, 6.19 calls a swap entry, and the reverse.
    assert NEW.decode(0x04E0_0000_4321_E782, "pte").state != "prot-none"
    assert CAPTURED.decode(NG | UXN | RDONLY, "pte").state == "swap"
    assert names(NEW.decode(NG | UXN | RDONLY, "pte"))["PRESENT_INVALID"] == "11"


def test_split_before_6_10_is_a_pmd_with_bit_59() -> None:
    """PMD_PRESENT_INVALID is looked at in a pmd only."""
    raw = CAPTURED.make_split(0x4020_0000, "pmd", write=True)
    entry = CAPTURED.decode(raw, "pmd")
    assert raw >> 59 & 1 and not raw & 1 and (entry.state, entry.address) == ("split", 0x4020_0000)
    assert entry.linux_present and not CAPTURED.linux_present(1 << 59, CAPTURED.level("pte"))
    # With two levels the pgd is the pmd to Linux.
    two = format_named("arm64-16k-36", "6.1")
    assert two.decode(two.make_split(32 << 20, "pgd"), "pgd").state == "split"


def test_type_bits() -> None:
    """11 is a table above level 3 and a page there; 01 is a block, and reserved where there are none."""
    assert CAPTURED.decode(0x5003, "pmd").state == "table" and CAPTURED.decode(0x5003, "pte").state == "leaf"
    assert CAPTURED.decode(0x20_0001, "pmd").page_size == 2 << 20
    for fmt, level in (
        (CAPTURED, "pte"),
        (CAPTURED, "pgd"),
        (format_named("arm64-16k-47"), "pgd"),
        (format_named("arm64-64k-48"), "pgd"),
        (format_named("arm64-4k-52"), "pgd"),
    ):
        entry = fmt.decode(0x4000_0001, level)
        assert (entry.state, entry.reserved_bit, entry.present) == ("reserved", 1, True)
    assert format_named("arm64-64k-52").decode(1, "pgd").page_size == 4 << 40
    assert format_named("arm64-4k-52").decode(1, "p4d").page_size == 512 << 30
    assert format_named("arm64-16k-52").decode(1, "pud").page_size == 64 << 30
    assert format_named("arm64-4k-39").decode(0x4000_0001, "pgd").page_size == 1 << 30


def test_addresses_beyond_the_machine() -> None:
    """An address beyond the physical size is an address size fault, here a reserved bit."""
    narrow = format_named("arm64-4k-48", pa_bits=40)
    entry = narrow.decode(1 << 40 | 3, "pmd")
    assert (entry.state, entry.reserved_bit) == ("reserved", 40)
    wide = format_named("arm64-64k-48", pa_bits=50)
    assert wide.decode(0x3000 | 3, "pte").address == 3 << 48
    assert wide.decode(0x4000 | 3, "pte").reserved_bit == 14


def test_table_overrides() -> None:
    """APTable, UXNTable and PXNTable take rights away from everything below."""
    leaf = CAPTURED.decode(CAPTURED.make_leaf(0x5000, "pte", write=True, dirty=True, execute=True), "pte")
    assert str(leaf.rights) == "u rwx"
    for bit, rights in ((59, "u rwx"), (60, "u rw-"), (61, "u --x"), (62, "u r-x")):
        table = CAPTURED.decode(0x5003 | 1 << bit, "pmd")
        assert str(CAPTURED.combine(CAPTURED.combine(None, table), leaf)) == rights
    assert CAPTURED.decode(CAPTURED.make_table(0x5000, "pmd"), "pmd").rights.kernel_execute is False


def test_execute_only_and_kernel_pages() -> None:
    """AP[1] clear with UXN clear is execute-only; with UXN set the page is the kernel's."""
    xonly = CAPTURED.decode(0x5003 | RDONLY | AF | NG | PXN, "pte")
    assert str(xonly.rights) == "u --x" and xonly.rights.kernel_read
    text = CAPTURED.decode(CAPTURED.make_leaf(0x5000, "pte", user=False, execute=True, global_=True), "pte")
    assert str(text.rights) == "k r-x" and not text.user and text.global_
    # The kernel never executes what user mode may write.
    assert not CAPTURED.decode(0x5003 | USER | AF, "pte").rights.kernel_execute


def test_writable_clean() -> None:
    """WRITE with RDONLY: Linux may write, the hardware not yet."""
    raw = CAPTURED.make_leaf(0x5000, "pte", write=True)
    entry = CAPTURED.decode(raw, "pte")
    assert raw & (WRITE | RDONLY) == WRITE | RDONLY
    assert entry.writable and not entry.dirty and not entry.rights.write and entry.rights.writable_clean


def test_dirty_rules() -> None:
    """Dirty is the software bit, or WRITE without RDONLY; wrprotect must not lose the latter."""
    clean = CAPTURED.make_leaf(0x5000, "pte", write=True)
    by_hardware = clean & ~RDONLY
    assert CAPTURED.decode(by_hardware, "pte").dirty
    dirty = CAPTURED.mkdirty(clean, "pte")
    assert dirty == clean & ~RDONLY | DIRTY
    assert CAPTURED.mkdirty(clean & ~WRITE, "pte") == clean & ~WRITE | DIRTY
    assert CAPTURED.wrprotect(by_hardware, "pte") == clean & ~WRITE | DIRTY
    assert CAPTURED.wrprotect(clean, "pte") == clean & ~WRITE
    assert CAPTURED.mkclean(dirty, "pte") == clean
    assert CAPTURED.mkold(clean, "pte") == clean & ~AF and CAPTURED.mkyoung(clean & ~AF, "pte") == clean


def test_mkwrite_changed_in_6_18() -> None:
    """Before, mkwrite made a clean page writable to the hardware; now only a dirty one."""
    protected = CAPTURED.make_leaf(0x5000, "pte")
    assert not CAPTURED.mkwrite(protected, "pte") & RDONLY
    assert NEW.mkwrite(protected, "pte") == protected | WRITE
    assert not NEW.mkwrite(protected | DIRTY, "pte") & RDONLY


def test_contiguous() -> None:
    """The contiguous bit makes one run of sixteen pages, or of sixteen blocks."""
    page = CAPTURED.decode(CAPTURED.make_leaf(0x1_0000, "pte", contiguous=True), "pte")
    block = CAPTURED.decode(CAPTURED.make_leaf(0x20_0000, "pmd", contiguous=True), "pmd")
    assert page.raw & CONT and (page.page_size, page.run_size) == (4096, 64 << 10)
    assert (block.page_size, block.run_size) == (2 << 20, 32 << 20)
    assert CAPTURED.decode(0x1_0003, "pte").run_size == 4096


@pytest.mark.parametrize(
    ("release", "bits"),
    [
        ("5.15", {"DIRTY": "55", "SPECIAL": "56", "DEVMAP": "57"}),
        ("6.10", {"DIRTY": "55", "SPECIAL": "56", "DEVMAP": "57", "UFFD_WP": "58", "POIndex": "62:60"}),
        ("6.19", {"DIRTY": "55", "SPECIAL": "56", "UFFD_WP": "58", "POIndex": "62:60"}),
    ],
)
def test_software_bits_of_a_release(release: str, bits: dict[str, str]) -> None:
    """DEVMAP goes, write-protection for userfaultfd comes."""
    found = names(format_named("arm64-4k-48", release).decode(0x5003, "pte"))
    moving = ("DIRTY", "SPECIAL", "DEVMAP", "UFFD_WP", "POIndex", "PROT_NONE")
    assert {name: found[name] for name in moving if name in found} == bits


def test_bad_is_what_is_no_table() -> None:
    """pmd_bad asks for the table bit only."""
    pmd = CAPTURED.level("pmd")
    assert not CAPTURED.linux_bad(CAPTURED.make_table(0x5000, "pmd"), pmd)
    assert CAPTURED.linux_bad(CAPTURED.make_leaf(0x20_0000, "pmd"), pmd)


def test_lpa2_has_address_bits_where_shareability_was() -> None:
    """Bits 9:8 are PA[51:50] with LPA2, and SH without."""
    lpa2 = format_named("arm64-4k-52", "6.19")
    assert names(lpa2.decode(0x303, "pte"))["PA[51:50]"] == "9:8"
    assert names(CAPTURED.decode(0x303, "pte"))["SH"] == "9:8"
    assert lpa2.decode(lpa2.make_leaf(0xF_FFFF_FFFF_F000, "pte"), "pte").address == 0xF_FFFF_FFFF_F000
    lpa = format_named("arm64-64k-52", "6.19")
    assert names(lpa.decode(3, "pte"))["PA[51:48]"] == "15:12"
