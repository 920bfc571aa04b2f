"""Walk records as values: they compare, print on one line, and survive JSON; the JSON uses the documented words."""

import json

import pytest

from ptwalk.arch import FORMAT_NAMES, format_named
from ptwalk.capture import open_capture
from ptwalk.trace.walk import REASONS, BadWalkRecord, WalkRecord

X86, ARM = "x86_64-4level-6.1", "aarch64-4k-48bit-6.1"


def record_of(name, label):
    capture = open_capture(name)
    start = next(vma.start for vma in capture.vmas if label in vma.labels)
    return capture.walk(start)


def test_records_are_values():
    """Two walks of the same address are equal; records can be kept in sets."""
    capture = open_capture(X86)
    one, two, other = capture.walk(0x10000), capture.walk(0x10000), capture.walk(0x10001)
    assert one == two
    assert one != other
    assert one != "walk"
    assert {one, two, other} == {one, other}


@pytest.mark.parametrize(
    ("name", "label", "line"),
    [
        (X86, "lowest", "0x10000 -> 0x1428d0000, page of 4,096 bytes, u r--"),
        (ARM, "lowest", "0x10000 -> 0x41e5c000, page of 4,096 bytes, u r--"),
    ],
)
def test_one_line(name, label, line):
    """A record prints on one line."""
    assert str(record_of(name, label)) == line
    assert line in repr(record_of(name, label))


def test_faults_on_one_line():
    """A fault's line says reason, level and state; its sentence says all."""
    record = record_of(X86, "none-touched")
    assert str(record).endswith("no frame: not present at pte (prot-none)")
    assert "bit 0 is clear" in record.fault.sentence
    assert str(record.fault) == record.fault.sentence
    assert "not canonical" in str(open_capture(X86).walk(1 << 63))


@pytest.mark.parametrize("name", [X86, ARM])
def test_json_both_ways(name):
    """What to_json wrote, from_json reads: every kind of end, in both halves."""
    capture = open_capture(name)
    addresses = [int(va, 16) for va, _ in capture.truth["qemu_gva2gpa"][::5]]
    addresses += [int(va, 16) for va, _ in capture.truth["qemu_gva2gpa_kernel"][::50]]
    reasons = set()
    for va in [*addresses, 1 << 63, 5, *(vma.start for vma in capture.vmas)]:
        record = capture.walk(va)
        text = json.dumps(record.to_json())
        assert WalkRecord.from_json(json.loads(text)) == record
        reasons.add(record.reason)
    assert reasons <= {None, *REASONS}
    assert {None, "not present", "not canonical"} <= reasons


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_json_keeps_the_format(name):
    """Name, release, physical bits, half and LPA2 of a format are all in the JSON."""
    for half in ("user", "kernel"):
        fmt = format_named(name, "5.15", half=half)
        record = WalkRecord(1 << 63, fmt, 0x1000, (), None, None, "not canonical")
        assert WalkRecord.from_json(record.to_json()).format == fmt


def test_the_words_of_the_json():
    """The keys that others rely on."""
    value = record_of(X86, "none-touched").to_json()
    assert set(value) == {
        "va",
        "format",
        "root",
        "physical",
        "page_size",
        "run_size",
        "rights",
        "fault",
        "levels",
    }
    assert set(value["fault"]) == {"reason", "level", "entry_state", "bit", "sentence"}
    assert set(value["levels"][0]) == {
        "level", "table", "index", "entry_address", "raw", "state", "address", "rights"
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"va": "0x20000"},
        {"physical": None},
        {"physical": "0x1"},
        {"page_size": 5},
        {"levels": None},
        {"levels": []},
        {"fault": {"reason": "not present"}},
        {"format": {}},
        {"root": "0x1000"},
        {"va": "-0x1"},
        {"rights": "u rwx"},
    ],
)
def test_json_that_is_no_record(change):
    """Anything else, or a record that contradicts itself, is refused."""
    with pytest.raises(BadWalkRecord):
        WalkRecord.from_json(open_capture(X86).walk(0x10000).to_json() | change)
    with pytest.raises(BadWalkRecord):
        WalkRecord.from_json({})
