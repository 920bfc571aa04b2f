"""What stands beside a core in truth.json: much of it may be missing, and what is wrong is told in one sentence."""

import json
import shutil

import pytest

from ptwalk.arch import format_named
from ptwalk.capture import open_capture

X86, ARM = "x86_64-4level-6.1", "aarch64-4k-48bit-6.1"
PAGE = bytes(4096)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"arch": "riscv64"}, "riscv64"),
        ({"arch": "aarch64"}, "sidecar beside its own core"),
        ({"root": "zero"}, "root is 'zero'"),
        ({"root": "-0x1000"}, "no physical address"),
        ({"root": [1]}, "no physical address"),
        ({"root": "0x123000"}, "outside the memory"),
        ({"levels": 3}, "no known format"),
        ({"levels": 5, "va_bits": 57}, "CR4.LA57"),
        ({"levels": "four"}, "levels is 'four'"),
        ({"va_bits": 39}, "no known format"),
        ({"page_size": 16384}, "no known format"),
        ({"kernel_release": "new"}, "no known format"),
        ({"registers": {"cr4": "x"}}, "register cr4"),
        ({"registers": {"cr4": "0x1000"}}, "5 levels"),
    ],
)
def test_sidecars_that_are_wrong(shipped, tmp_path, change, word, refused):
    """Each key of a sidecar that cannot be right is named."""
    folder, data = shipped
    (tmp_path / "memory.elf").write_bytes(data)
    truth = json.loads((folder / "truth.json").read_text()) | change
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    refused(tmp_path, word)


def test_sidecars_that_say_little(shipped, tmp_path):
    """What a sidecar leaves out is taken from its registers, then from the core; a register's value is a root too."""
    folder, data = shipped
    (tmp_path / "memory.elf").write_bytes(data)
    whole = json.loads((folder / "truth.json").read_text())
    register = whole["registers"]["cr3"]
    for truth in (
        {},
        {"root": whole["root"]},
        {"root": int(whole["root"], 16) | 0x801},
        {"registers": whole["registers"]},
        {"cr3": register},
        {"registers": {"CR3": int(register, 16)}, "levels": "4", "arch": None, "kernel_release": None},
    ):
        (tmp_path / "truth.json").write_text(json.dumps(truth))
        capture = open_capture(tmp_path)
        assert (hex(capture.root), capture.format) == (whole["root"], open_capture(folder).format)


def test_arm64_sidecars_that_say_little(tmp_path):
    """TCR_EL1, TTBR0_EL1 and TTBR1_EL1 are as good as everything that is read off them."""
    whole = open_capture(ARM)
    shutil.copy(whole.path, tmp_path)
    registers = whole.truth["registers"]
    for truth in (
        {"registers": registers},
        {"registers": {"ttbr0_el1": registers["ttbr0_el1"]}, "kernel_root": hex(whole.kernel_root)},
        {"root": registers["ttbr0_el1"], "registers": {"ttbr1_el1": registers["ttbr1_el1"]}},
    ):
        (tmp_path / "truth.json").write_text(json.dumps(truth))
        capture = open_capture(tmp_path)
        assert (capture.root, capture.kernel_root) == (whole.root, whole.kernel_root)
        assert (capture.format, capture.kernel_format) == (whole.format, whole.kernel_format)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_sidecars_that_are_no_json(shipped, tmp_path, content, refused):
    """A sidecar that is damaged is named, and no library's error comes out."""
    (tmp_path / "memory.elf").write_bytes(shipped[1])
    (tmp_path / "truth.json").write_bytes(content)
    refused(tmp_path, "truth.json", "copy the capture again")


def test_arm64_sidecars_that_are_wrong(made, write_core, refused):
    """arm64: levels that the address width does not have, widths that do not exist, DS where it cannot be."""
    fmt = format_named("arm64-4k-48")
    space = made.random_space(fmt)
    good = {"arch": "aarch64", "page_size": 4096, "levels": 4, "va_bits": 48, "root": hex(space.root)}
    for change, word in (
        ({"levels": 3}, "has 4 levels and not 3"),
        ({"va_bits": 45}, "arm64-4k-45"),
        ({"va_bits": None}, "va_bits is missing"),
        ({"va_bits": 52, "levels": 5, "ds": False}, "need LPA2"),
        ({"registers": {"tcr_el1": "0x500074b5507510"}}, "does not fit"),
    ):
        refused(write_core(space.segments(), machine=183, sidecar=good | change), word)
    wide = open_capture(write_core(space.segments(), machine=183, sidecar=good | {"ds": True}))
    assert (wide.format.name, wide.format.pa_bits) == ("arm64-4k-48", 52)
