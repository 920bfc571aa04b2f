"""Every arm64 granule and width against an emulator: tables made at random, and what QEMU's gva2gpa said of them.

`granules/ask.py` made the tables and asked, without anything of ptwalk; here they become a core and its sidecar.
"""

import json
import lzma
import struct
from pathlib import Path

import pytest

from ptwalk.capture import open_capture

MACHINES = json.loads(lzma.decompress((Path(__file__).parent / "granules" / "answers.json.xz").read_bytes()))
NO_FRAME = 2**64 - 1


def named(machine: dict) -> str:
    return f"{machine['page_size'] >> 10}k-{machine['va_bits']}{'-ds' * machine['ds']}"


@pytest.mark.parametrize("machine", MACHINES, ids=named)
def test_every_granule_as_the_emulator_walks_it(machine, write_core, record_property):
    """Both halves, one by one and at once; the sidecar tells no more than registers."""
    size = machine["page_size"]
    pages: dict[int, bytearray] = {}
    for half in machine["halves"].values():
        for pa, raw in half["words"].items():
            page, offset = divmod(int(pa, 16), size)
            struct.pack_into("<Q", pages.setdefault(page * size, bytearray(size)), offset, int(raw, 16))
    registers = {
        "tcr_el1": machine["tcr_el1"],
        "ttbr0_el1": machine["halves"]["user"]["root"],
        "ttbr1_el1": machine["halves"]["kernel"]["root"],
    }
    core = write_core(sorted(pages.items()), machine=183, sidecar={"registers": registers})
    capture = open_capture(core)
    assert (capture.format.page_size, capture.format.va_bits) == (size, machine["va_bits"])
    asked = [int(va, 16) for va, _ in machine["gva2gpa"]]
    told = [None if pa is None else int(pa, 16) for _, pa in machine["gva2gpa"]]
    assert [capture.walk(va).physical for va in asked] == told
    many = capture.translate_many(asked)
    assert many.physical.tolist() == [NO_FRAME if pa is None else pa for pa in told]
    mapped = sum(pa is not None for pa in told)
    assert 0 < mapped < len(told)
    record_property("compared", f"{len(told)} addresses, {mapped} of them mapped")


def test_there_are_all_granules():
    """All formats of arm64 are among them, with and without LPA and LPA2."""
    assert {named(machine).removesuffix("-ds") for machine in MACHINES} == {
        "4k-39", "4k-48", "4k-52", "16k-36", "16k-47", "16k-48", "16k-52", "64k-42", "64k-48", "64k-52",
    }  # fmt: skip
