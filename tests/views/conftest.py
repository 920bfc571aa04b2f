"""What the tests of pictures share: node, some entries and walks, and the rules every SVG keeps."""

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ptwalk.arch import Entry, Format, format_named
from ptwalk.trace.walk import WalkRecord

WEB_TESTS = Path(__file__).parent / "web"
X86 = format_named("x86-64-4level", release="6.1")
ROOT = 0x140A65000
VA = 0x7F1234567ABC


@pytest.fixture(scope="session")
def node() -> str:
    """Path of node; skips the test where there is none."""
    found = shutil.which("node")
    if not found:
        pytest.skip(
            "no node on this machine: install it (Debian: apt install nodejs) to run the browser's code"
        )
    return str(found)


def run_node(node: str, *arguments: str, given: str = "") -> str:
    """Runs node and returns what it printed; its complaints are the assertion's text."""
    done = subprocess.run(
        [node, *arguments], input=given, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def entries(fmt: Format = X86) -> list[Entry]:
    """One entry of many kinds, at every level that can hold it."""
    found = []
    for level in fmt.levels:
        raws = [0, (1 << 64) - 1]
        if level.leaf_allowed:
            frame = 5 << max(level.shift, 21)
            raws += [fmt.make_leaf(frame, level, write=True, dirty=True), fmt.make_prot_none(frame, level)]
            raws += [fmt.make_swap(1, 0x1234, level), fmt.make_migration(frame, level, write=True)]
        if level.depth < len(fmt.levels) - 1:
            raws.append(fmt.make_table(ROOT & -fmt.page_size, level))
        found += [fmt.decode(raw, level) for raw in raws]
    return found


def walks() -> dict[str, WalkRecord]:
    """A walk of every end: to a small page, to a huge one, and stopped for each reason."""
    tables = [
        X86.make_table(ROOT + 0x1000 * depth, depth_name)
        for depth, depth_name in enumerate(("pgd", "pud", "pmd"), 1)
    ]
    leaf = X86.make_leaf(0x1424D5000, "pte", write=True, dirty=True)
    huge = X86.make_leaf(0x40000000, "pmd", write=True)
    return {
        "page": WalkRecord(VA, X86, ROOT, (*tables, leaf), 0x1424D5ABC, 4096),
        "huge page": WalkRecord(VA, X86, ROOT, (*tables[:2], huge), 0x40000000 + (VA & 0x1FFFFF), 1 << 21),
        "swapped": WalkRecord(VA, X86, ROOT, (*tables, X86.make_swap(0, 0x1B7)), None, None, "not present"),
        "reserved": WalkRecord(VA, X86, ROOT, (tables[0] | 1 << 7,), None, None, "reserved bit"),
        "missing": WalkRecord(VA, X86, ROOT, tuple(tables[:2]), None, None, "missing memory"),
        "not canonical": WalkRecord(1 << 50, X86, ROOT, (), None, None, "not canonical"),
    }


def check_svg(svg: str) -> ElementTree.Element:
    """Holds one SVG to the rules of all: valid, worded, nothing under 12 pixels, inside its own box."""
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.attrib["role"] == "img"
    assert len(root.attrib["aria-label"]) > 20
    assert [child.tag for child in root][:2] == [f"{space}title", f"{space}desc"]
    assert root[0].text and root[1].text
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    for element in root.iter():
        assert "id" not in element.attrib, "two pictures of one page would share it"
    for text in root.iter(f"{space}text"):
        assert float(text.attrib["font-size"]) >= 12, text.text
        assert 0 <= float(text.attrib["x"]) <= width and 0 <= float(text.attrib["y"]) <= height, text.text
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", re.sub(r"<style>.*?</style>", "", svg).split("</desc>")[1])
    return root
