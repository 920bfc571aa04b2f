"""Geometry: levels, indices, canonical addresses and roots, against the tables of the kernel and the manuals."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptwalk.arch import FORMAT_NAMES, BadFormat, BadValue, format_named

# The same examples at every run, and no limit of time.
QUICK = settings(max_examples=40, deadline=None, derandomize=True)

# name: levels as (name, shift, index bits), folded levels, levels where the hardware takes a leaf.
# Source: arch/x86/include/asm/pgtable_64_types.h; arch/arm64/include/asm/pgtable-hwdef.h and Kconfig.
TABLE = {
    "x86-64-4level": ("pgd39/9 pud30/9 pmd21/9 pte12/9", "p4d", "pud pmd pte"),
    "x86-64-5level": ("pgd48/9 p4d39/9 pud30/9 pmd21/9 pte12/9", "", "pud pmd pte"),
    "arm64-4k-39": ("pgd30/9 pmd21/9 pte12/9", "p4d pud", "pgd pmd pte"),
    "arm64-4k-48": ("pgd39/9 pud30/9 pmd21/9 pte12/9", "p4d", "pud pmd pte"),
    "arm64-4k-52": ("pgd48/4 p4d39/9 pud30/9 pmd21/9 pte12/9", "", "p4d pud pmd pte"),
    "arm64-16k-36": ("pgd25/11 pte14/11", "p4d pud pmd", "pgd pte"),
    "arm64-16k-47": ("pgd36/11 pmd25/11 pte14/11", "p4d pud", "pmd pte"),
    "arm64-16k-48": ("pgd47/1 pud36/11 pmd25/11 pte14/11", "p4d", "pmd pte"),
    "arm64-16k-52": ("pgd47/5 pud36/11 pmd25/11 pte14/11", "p4d", "pud pmd pte"),
    "arm64-64k-42": ("pgd29/13 pte16/13", "p4d pud pmd", "pgd pte"),
    "arm64-64k-48": ("pgd42/6 pmd29/13 pte16/13", "p4d pud", "pmd pte"),
    "arm64-64k-52": ("pgd42/10 pmd29/13 pte16/13", "p4d pud", "pgd pmd pte"),
}


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_levels_are_those_of_the_kernel(name: str) -> None:
    """Shifts, index widths, folded levels and leaf levels of every format."""
    fmt = format_named(name)
    levels, folded, leaves = TABLE[name]
    assert " ".join(f"{level.name}{level.shift}/{level.bits}" for level in fmt.levels) == levels
    assert " ".join(fmt.folded) == folded
    assert " ".join(level.name for level in fmt.levels if level.leaf_allowed) == leaves
    assert [level.depth for level in fmt.levels] == list(range(len(fmt.levels)))
    assert fmt.levels[0].shift + fmt.levels[0].bits == fmt.va_bits
    assert fmt.page_size == fmt.levels[-1].size == 1 << fmt.page_shift
    assert fmt.walk_plan == tuple((level.shift, level.entries - 1, level.name) for level in fmt.levels)


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("arm64-4k-48", {"pte": 64 << 10, "pmd": 32 << 20}),
        ("arm64-16k-47", {"pte": 2 << 20, "pmd": 1 << 30}),
        ("arm64-64k-48", {"pte": 2 << 20, "pmd": 16 << 30}),
        ("x86-64-4level", {}),
    ],
)
def test_contiguous_runs(name: str, runs: dict[str, int]) -> None:
    """How much a contiguous run maps (ARM64_CONT_PTE_SHIFT and ARM64_CONT_PMD_SHIFT)."""
    fmt = format_named(name)
    assert {level.name: level.run_size for level in fmt.levels if level.run_size} == runs


@pytest.mark.parametrize("name", FORMAT_NAMES)
@QUICK
@given(va=st.integers(0, (1 << 64) - 1))
def test_an_address_is_its_indices_and_offset(name: str, va: int) -> None:
    """Taking an address apart and putting it together again gives the canonical address of those bits."""
    fmt = format_named(name)
    indices = [fmt.index(va, level) for level in fmt.levels]
    whole = fmt.va_from_indices(indices, va & (fmt.page_size - 1))
    assert whole == fmt.sign_extend(va)
    assert fmt.canonical(whole) and fmt.covers(whole)
    assert fmt.canonical(va) or whole != va


def test_canonical_x86() -> None:
    """The edges of the two halves, with four and five levels."""
    four, five = format_named("x86-64-4level"), format_named("x86-64-5level")
    assert four.canonical(0x7FFF_FFFF_FFFF) and not four.canonical(0x8000_0000_0000)
    assert four.canonical(0xFFFF_8000_0000_0000) and not four.canonical(0xFFFF_7FFF_FFFF_FFFF)
    assert five.canonical(0xFF_FFFF_FFFF_FFFF) and not five.canonical(0x100_0000_0000_0000)
    assert five.canonical(0xFF00_0000_0000_0000)
    assert four.half(0xFFFF_8000_0000_0000) == "kernel" and four.half(0x7FFF_FFFF_FFFF) == "user"
    assert not four.canonical(-1) and not four.canonical(1 << 64)


def test_arm64_halves_and_tags() -> None:
    """Bit 55 chooses the table; a user address may carry a tag, which a walk must be given without."""
    user = format_named("arm64-4k-48")
    kernel = format_named("arm64-4k-48", half="kernel")
    va, kva = 0x0000_7FFF_1234_5678, 0xFFFF_8000_1234_5678
    tagged = va | 0xAB << 56
    assert user.half(tagged) == "user" and not user.canonical(tagged)
    assert user.untag(tagged) == va and user.covers(va) and not kernel.covers(va)
    assert user.untag(kva) == kva and kernel.covers(kva) and not user.covers(kva)
    assert user.canonical(kva) and user.half(kva) == kernel.half(kva) == "kernel"
    assert kernel.sign_extend(kva & 0xFFFF_FFFF_FFFF) == kva
    assert user != kernel


def test_roots() -> None:
    """CR3 without PCID, TTBR without ASID and CnP, and with the 52-bit packing of bits 5:2."""
    x86 = format_named("x86-64-4level")
    assert x86.root_address(0x8000_0001_40A6_5ABC) == 0x1_40A6_5000
    assert format_named("x86-64-4level", pa_bits=40).root_address(0x6000_0001_40A6_5000) == 0x1_40A6_5000
    arm = format_named("arm64-4k-48")
    assert arm.root_address(0x005B_0000_4445_F001) == 0x4445_F000
    lpa = format_named("arm64-64k-52")
    assert lpa.root_address(0x0004_0000_4185_2000 | 0b1010 << 2 | 1) == 0xA_0000_4185_2000
    small = format_named("arm64-16k-48")
    assert small.root_address(0x4000_0010) == 0x4000_0010  # two entries: aligned to sixteen bytes


@pytest.mark.parametrize("name", FORMAT_NAMES)
@QUICK
@given(data=st.data())
def test_root_registers_round_trip(name: str, data: st.DataObject) -> None:
    """A root survives its trip through the register, whatever ASID, PCID and CnP say."""
    fmt = format_named(name)
    root = data.draw(st.integers(0, (1 << fmt.pa_bits) - 1)) & ~0xFFFF
    if fmt.arch == "arm64":
        register = fmt.root_register(root, asid=data.draw(st.integers(0, 0xFFFF)), cnp=True)  # type: ignore[attr-defined]
    else:
        register = fmt.root_register(root, pcid=data.draw(st.integers(0, 0xFFF)))  # type: ignore[attr-defined]
    assert fmt.root_address(register) == root


@pytest.mark.parametrize("name", FORMAT_NAMES)
@QUICK
@given(raw=st.integers(0, (1 << 64) - 1))
def test_the_bare_walk_agrees_with_the_decoder(name: str, raw: int) -> None:
    """The constants that fast loops use say the same as decode, at every level."""
    for fmt in (format_named(name), format_named(name, pa_bits=40)):
        for level in fmt.levels:
            entry = fmt.decode(raw, level)
            assert fmt.is_table(raw, level.depth) == (entry.state == "table")
            assert fmt.is_leaf(raw, level.depth) == (entry.state == "leaf")
            assert fmt.present(raw) == entry.present
            if entry.state == "table":
                assert entry.address == fmt.table_address(raw)
            if entry.state == "leaf":
                assert entry.address == fmt.leaf_address(raw, level.depth)
                assert entry.address is not None and entry.address < 1 << fmt.pa_bits
                assert fmt.rights_of(raw & fmt.rights_mask, level, entry.state) == entry.rights


def test_lpa_and_lpa2_keep_high_address_bits_elsewhere() -> None:
    """64K: PA[51:48] in bits 15:12; LPA2: 49:48 in place and 51:50 in bits 9:8."""
    lpa = format_named("arm64-64k-48", pa_bits=52)
    assert lpa.decode(0x0000_1234_5670_0000 | 0xB000 | 3, "pte").address == 0xB_1234_5670_0000 & ~0xFFFF
    lpa2 = format_named("arm64-4k-52")
    assert lpa2.decode(0x0003_1234_5678_9000 | 0x200 | 3, "pte").address == 0xB_1234_5678_9000
    assert format_named("arm64-64k-48").decode(0x0000_1234_5670_B003, "pte").address == 0x1234_5670_0000
    assert lpa2.address_high_parts == ((0x300, 42),) and lpa.address_high_parts == ((0xF000, 36),)


def test_formats_are_values() -> None:
    """Equal arguments give equal formats, also after a trip through pickle."""
    for name in FORMAT_NAMES:
        fmt = format_named(name, "6.14")
        assert fmt == format_named(name, "6.14.0") and fmt != format_named(name, "6.1")
        copy = pickle.loads(pickle.dumps(fmt))
        assert copy == fmt and hash(copy) == hash(fmt) and copy.walk_plan == fmt.walk_plan


def test_spellings() -> None:
    """A format is also found as a capture's folder or a person spells it."""
    for spelled, name in (
        ("x86_64-5level-6.12", "x86-64-5level"),
        ("4level", "x86-64-4level"),
        ("aarch64-16k-47bit-6.12.117+deb12", "arm64-16k-47"),
        ("ARM64-4KB-52", "arm64-4k-52"),
        ("64k-42bit", "arm64-64k-42"),
    ):
        assert format_named(spelled).name == name
    for unknown in ("16k", "arm64-4k-47", "6level", "", 5):
        with pytest.raises(BadFormat, match="no format is called"):
            format_named(unknown)  # type: ignore[arg-type]


def test_mistakes_are_answered_in_words() -> None:
    """Unknown names say what there is; combinations that no machine has say why."""
    with pytest.raises(BadFormat, match="did you mean 'x86-64-4level'"):
        format_named("x86-64-4levels")
    with pytest.raises(BadFormat, match="need LPA2"):
        format_named("arm64-4k-52", lpa2=False)
    with pytest.raises(BadFormat, match="pa_bits=52 instead"):
        format_named("arm64-64k-48", lpa2=True)
    with pytest.raises(BadFormat, match="32 to 48 bits"):
        format_named("arm64-4k-48", pa_bits=52)
    with pytest.raises(BadFormat, match="32 to 52 bits"):
        format_named("x86-64-4level", pa_bits=60)
    with pytest.raises(BadFormat, match="'user' or 'kernel'"):
        format_named("arm64-4k-48", half="lower")
    with pytest.raises(BadFormat, match="config may hold"):
        format_named("x86-64-4level", config={"numa"})
    fmt = format_named("x86-64-4level")
    with pytest.raises(BadFormat, match="'p4d' is folded away"):
        fmt.level("p4d")
    with pytest.raises(BadFormat, match="'pxd' does not exist"):
        fmt.level("pxd")
    with pytest.raises(BadValue, match="index 512"):
        fmt.va_from_indices([512])
    with pytest.raises(BadValue, match="4 levels"):
        fmt.va_from_indices([0] * 5)
    assert format_named("arm64-4k-48", lpa2=True).pa_bits == 52
