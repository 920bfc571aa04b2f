"""Faults: x86-64 error codes and arm64 fault status codes for what stops a walk or forbids an access."""

from dataclasses import dataclass

import pytest

from ptwalk.arch import Access, BadValue, Entry, Rights, format_named

X86 = format_named("x86-64-4level", pa_bits=40)
ARM = format_named("arm64-4k-48")
FIVE = format_named("arm64-4k-52")


@dataclass
class Stop:
    """Stands for a walk's fault."""

    reason: str
    level: str | None = None


@dataclass
class Step:
    """Stands for one step of a walk."""

    entry: Entry


@dataclass
class Record:
    """Stands for a walk record."""

    fault: Stop | None
    rights: Rights | None = None
    levels: tuple[Step, ...] = ()


@pytest.mark.parametrize(
    ("raw", "access", "code", "bits"),
    [
        (0, "read", 0b100, "U"),
        (0, "kernel read", 0, ""),
        (0, "write", 0b110, "W U"),
        (0, "execute", 0b10100, "U I"),
        (1 << 40 | 1, "write", 0b1111, "P W U RSVD"),
        (0x5005, "write", 0b111, "P W U"),
        (0x5003, "read", 0b101, "P U"),
        (1 << 63 | 0x5005, "execute", 0b10101, "P U I"),
        (1 << 63 | 0x5001, "kernel execute", 0b10001, "P I"),
    ],
)
def test_x86_error_codes(raw: int, access: str, code: int, bits: str) -> None:
    """P, W, U, RSVD and I, for one last-level entry."""
    fault = X86.access_fault(X86.decode(raw, "pte"), access)
    assert fault is not None and (fault.name, fault.code, " ".join(fault.bits)) == ("#PF", code, bits)
    assert f"{code:#x}" in fault.sentence and fault.level == "pte"


def test_x86_keys_and_shadow_stacks() -> None:
    """PK comes with P when only the key forbids; SS tells a shadow-stack access."""
    entry = X86.decode(0x5007, "pte")
    fault = X86.access_fault(entry, Access("write", key_denies=True))
    assert fault is not None and fault.bits == ("P", "W", "U", "PK")
    fault = X86.access_fault(X86.decode(0, "pte"), Access("write", shadow_stack=True))
    assert fault is not None and fault.bits == ("W", "U", "SS")
    assert X86.access_fault(entry, "write") is None


def test_rights_of_the_path_decide() -> None:
    """The leaf allows, a table above does not."""
    leaf = X86.decode(0x5007, "pte")
    path = X86.combine(X86.combine(None, X86.decode(0x6005, "pmd")), leaf)
    fault = X86.access_fault(leaf, "write", rights=path)
    assert fault is not None and fault.code == 7
    assert X86.access_fault(path, "read") is None
    fault = X86.access_fault(path, "write")
    assert fault is not None and fault.kind == "permission"


@pytest.mark.parametrize(
    "fmt", [ARM, FIVE, format_named("arm64-16k-36"), format_named("arm64-64k-48")], ids=repr
)
def test_arm64_translation_faults_tell_the_level(fmt: object) -> None:
    """0b0001LL, and 0b101011 for level -1."""
    from ptwalk.arch import Format

    assert isinstance(fmt, Format)
    for level in fmt.levels:
        number = int(level.hardware.removeprefix("level "))
        fault = fmt.access_fault(fmt.decode(0, level), "read")
        assert fault is not None and fault.code == (0x2B if number < 0 else 4 + number)
        assert (fault.name, fault.kind, fault.level) == ("abort", "translation", level.name)


def test_arm64_codes() -> None:
    """Address size, access flag and permission faults, and a reserved type as a translation fault."""
    leaf = ARM.make_leaf(0x5000, "pte", write=True)
    cases = [
        (ARM, ARM.mkold(leaf, "pte"), "pte", "read", 0x0B),
        (ARM, leaf, "pte", "write", 0x0F),
        (ARM, leaf, "pte", "execute", 0x0F),
        (ARM, ARM.make_leaf(0x20_0000, "pmd"), "pmd", "write", 0x0E),
        (ARM, 0x5001, "pte", "read", 0x07),
        (format_named("arm64-4k-48", pa_bits=40), 1 << 40 | 3, "pud", "read", 0x01),
        (format_named("arm64-4k-52", pa_bits=48), 1 << 48 | 3, "pgd", "read", 0x29),
    ]
    for fmt, raw, level, access, code in cases:
        fault = fmt.access_fault(fmt.decode(raw, level), access)
        assert fault is not None and fault.code == code, (raw, level, access)
    assert ARM.access_fault(ARM.decode(leaf, "pte"), "read") is None


def test_arm64_hardware_management() -> None:
    """A processor that manages the access flag and dirty state takes neither fault."""
    leaf = ARM.decode(ARM.mkold(ARM.make_leaf(0x5000, "pte", write=True), "pte"), "pte")
    assert ARM.access_fault(leaf, "read", hardware_access_flag=True) is None
    fault = ARM.access_fault(leaf, "write", hardware_access_flag=True)
    assert fault is not None and fault.kind == "permission"
    assert ARM.access_fault(leaf, "write", hardware_access_flag=True, hardware_dirty=True) is None
    kernel = ARM.decode(ARM.make_leaf(0x5000, "pte", write=True, user=False), "pte")
    assert ARM.access_fault(kernel, "write", hardware_dirty=True) is not None
    assert ARM.access_fault(kernel, "kernel write", hardware_dirty=True) is None


def test_walk_records() -> None:
    """What a record says about its end is enough: not canonical, missing memory, an entry, or success."""
    fault = X86.access_fault(Record(Stop("not canonical")), "read")
    assert fault is not None and (fault.name, fault.code) == ("#GP", 0)
    fault = ARM.access_fault(Record(Stop("not canonical")), "read")
    assert fault is not None and fault.code == 4
    fault = ARM.access_fault(Record(Stop("missing memory", "pmd")), "read")
    assert fault is not None and (fault.code, fault.level) == (None, "pmd")
    empty = X86.decode(0, "pmd")
    fault = X86.access_fault(Record(Stop("not present", "pmd"), None, (Step(empty),)), "write")
    assert fault is not None and (fault.code, fault.level) == (6, "pmd")
    leaf = X86.decode(0x5007, "pte")
    assert X86.access_fault(Record(None, leaf.rights, (Step(leaf),)), "write") is None
    assert fault.to_json()["bits"] == ["W", "U"]


def test_accesses_are_read_from_words() -> None:
    """User mode unless said otherwise."""
    assert Access.parse("kernel-write") == Access("write", user=False)
    assert Access.parse(Access("read")) == Access("read") and str(Access("execute")) == "user execute"
    for wrong in ("", "look", "root read"):
        with pytest.raises(BadValue, match="kernel write"):
            Access.parse(wrong)
    with pytest.raises(BadValue, match="level of the leaf"):
        ARM.access_fault(Rights(), "read")
    assert ARM.access_fault(Rights(), "read", level="pte") is None
