"""Special swap types: their numbers, counted down from 32, in each release and configuration."""

import pytest

from ptwalk.arch import format_named

# include/linux/swap.h: first the special types, then how many are left for swap areas.
NUMBERS = {
    "5.15": "25 hwpoison, 26 migration read, 27 migration write, 28 device-private write, "
    "29 device-private read, 30 device-exclusive write, 31 device-exclusive read",
    "6.1": "22 hwpoison, 23 migration read, 24 migration read-exclusive, 25 migration write, "
    "26 device-private write, 27 device-private read, 28 device-exclusive write, 29 device-exclusive read, "
    "30 marker, 31 swapin error",
    "6.6": "23 hwpoison, 24 migration read, 25 migration read-exclusive, 26 migration write, "
    "27 device-private write, 28 device-private read, 29 device-exclusive write, 30 device-exclusive read, "
    "31 marker",
    "7.1": "24 hwpoison, 25 migration read, 26 migration read-exclusive, 27 migration write, "
    "28 device-private write, 29 device-private read, 30 device-exclusive, 31 marker",
}


@pytest.mark.parametrize("release", [*NUMBERS, "6.14"])
def test_numbers_of_the_special_types(release: str) -> None:
    """A kernel with every option; 6.14 numbers as 6.6 does."""
    types = format_named("x86-64-4level", release).special_types
    found = ", ".join(f"{number} {kind}" for number, (_, kind) in types.meanings.items())
    assert found == NUMBERS["6.6" if release == "6.14" else release]
    assert types.max_swapfiles == min(types.meanings)


def test_options_shift_the_numbers() -> None:
    """Without device-private memory the others move up; arm64 had no markers before 6.2."""
    plain = format_named("x86-64-4level", "6.14", config={"migration", "memory-failure"})
    assert plain.special_types.number_of("migration write") == 30 and plain.max_swapfiles == 27
    assert plain.special_types.number_of("device-private read") is None
    bare = format_named("x86-64-4level", "5.15", config=())
    assert bare.max_swapfiles == 32 and bare.decode(bare.make_swap(31, 1), "pte").state == "swap"
    arm = format_named("arm64-4k-48", "6.1")
    assert arm.special_types.number_of("marker") is None and arm.max_swapfiles == 23
    assert format_named("arm64-4k-48", "6.2").special_types.number_of("marker") == 31


@pytest.mark.parametrize(
    ("arch", "release"),
    [("arm64-16k-47", "6.12.117+deb12-arm64-16k"), ("x86-64-5level", "6.12.117+deb12-amd64")],
)
def test_a_kernel_of_debian(arch: str, release: str) -> None:
    """A page that such a guest had poisoned (MADV_HWPOISON) was found with type 27, its userfaultfd marks with 31."""
    types = format_named(arch, release).special_types
    assert types.number_of("hwpoison") == 27 and types.number_of("marker") == 31
    assert types.number_of("device-private read") is None
    assert format_named("arm64-4k-48", "6.1.0-50-arm64").special_types.number_of("hwpoison") == 27
    assert format_named(arch, "6.12.9-200.fc41.x86_64").special_types.number_of("hwpoison") == 23


def test_types_that_do_not_exist_are_bad() -> None:
    """arm64 of 5.15 has six bits of type and only 32 types."""
    old = format_named("arm64-4k-48", "5.15")
    entry = old.decode(40 << 2 | 1 << 8, "pte")
    assert entry.state == "reserved" and "swap type 40" in entry.sentence


def test_migration_keeps_young_and_dirty_from_6_1() -> None:
    """Above the frame number, which is as wide as the physical address of the kernel."""
    for name, low in (
        ("x86-64-4level", 34),
        ("x86-64-5level", 40),
        ("arm64-4k-48", 36),
        ("arm64-64k-52", 36),
    ):
        fmt = format_named(name, "6.1")
        entry = fmt.decode(fmt.make_migration(fmt.page_size, young=True, dirty=True), "pte")
        assert entry.address == fmt.page_size and entry.swap_offset == 1 | 3 << low


def test_exclusive_migration() -> None:
    """A third migration type from 5.19."""
    fmt = format_named("x86-64-4level", "6.6")
    assert fmt.decode(fmt.make_migration(0x1000, exclusive=True), "pte").kind == "migration read-exclusive"


def test_markers() -> None:
    """The offset of a marker is its bits."""
    fmt = format_named("x86-64-4level", "6.14")
    assert fmt.decode(fmt.make_marker("uffd-wp"), "pte").note == "marker: uffd-wp"
    assert fmt.decode(fmt.swap_layout.encode(31, 5), "pte").note == "marker: uffd-wp and guard"
    assert fmt.decode(fmt.swap_layout.encode(31, 0), "pte").note == "marker: no known bit"
    old = format_named("x86-64-4level", "6.1")
    assert old.decode(old.swap_layout.encode(31, 0), "pte").note == "swapin error"
