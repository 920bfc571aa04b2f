"""The explorers as Python objects: what they show, what they send, what they save, and what stands in for them."""

import json
import sys
from pathlib import Path

import pytest

from ptwalk.arch import BadFormat, format_named
from ptwalk.capture import Capture, Root, Roots, open_capture
from ptwalk.errors import PtwalkError
from ptwalk.machine.physmem import WordMemory
from ptwalk.views.explorers import Still, entry_explorer, walk_explorer

from .conftest import X86


def test_entry_explorer() -> None:
    """Made from a number or an entry, it says what it shows, and follows what the browser sets."""
    from ptwalk.views.entry_widget import EntryExplorer

    widget = entry_explorer(X86.decode(0x8000000140A65067, "pte"))
    assert isinstance(widget, EntryExplorer)
    assert repr(widget) == "<EntryExplorer 0x8000000140a65067, pte of x86-64-4level, Linux 6.1: leaf>"
    widget.raw = "0x0"
    assert widget.entry.state == "none"
    assert "pte (PTE)" in widget._repr_mimebundle_()[0]["text/plain"]


def test_entry_explorer_takes_the_nearest_release() -> None:
    """A release between two of the shipped ones means the older of the two."""
    widget = entry_explorer(0x67, release="6.1.0-50-amd64")
    assert not isinstance(widget, Still) and widget.release == "6.1"
    newer = entry_explorer(0x67, release="6.14")
    assert not isinstance(newer, Still) and newer.release == "6.12"
    with pytest.raises(BadFormat):
        entry_explorer(0, format="x86-64-4level", level="p4d")


@pytest.mark.parametrize("name", ["x86_64-4level-6.1", "aarch64-4k-48bit-6.1"])
def test_walk_explorer(name: str) -> None:
    """A capture's tables go to the browser once, only the entries in use, with places to begin at."""
    from ptwalk.views.walk_widget import WalkExplorer

    capture = open_capture(name)
    widget = walk_explorer(capture, 0x10000, name=name)
    assert isinstance(widget, WalkExplorer)
    assert repr(widget) == f"<WalkExplorer {capture.walk(0x10000)}>"
    space = json.loads(widget.space)
    assert len(space["spaces"]) == (1 if name.startswith("x86") else 2)
    assert len(space["places"]) == len(capture.vmas)
    assert len(widget.space) < 100_000 and len(widget.tables) < 100_000
    for tables in space["spaces"]:
        for table, runs in tables["tables"].items():
            entries = {
                first + i: int(raw, 16) + i * int(step, 16)
                for first, count, raw, step in runs
                for i in range(count)
            }
            memory = capture.memory
            read = [memory.read_u64(int(table, 16) + 8 * index) for index in range(512)]
            assert entries == {index: raw for index, raw in enumerate(read) if raw}


def test_a_map_of_all_memory_is_a_few_runs() -> None:
    """The kernel maps each page of a machine's memory; what is sent does not grow with the machine."""
    from ptwalk.views.walk_widget import WalkExplorer

    fmt = format_named("arm64-4k-48", "6.12", half="kernel")
    memory = WordMemory({0x1000: fmt.make_table(0x2000, "pgd"), 0x2000: fmt.make_table(0x3000, "pud")})
    for number in range(512):
        memory.write_u64(0x3000 + 8 * number, fmt.make_table((0x10 + number) << 12, "pmd"))
        for index in range(512):
            entry = fmt.make_leaf((number << 9 | index) << 12, "pte", user=False)
            memory.write_u64(((0x10 + number) << 12) + 8 * index, entry)
    roots = Roots(None, Root(0x1000, fmt), Root(0x1000, fmt))
    widget = walk_explorer(Capture(Path("made"), memory, roots))
    assert isinstance(widget, WalkExplorer) and len(widget.space) < 50_000


def test_saved_pages_stand_alone(tmp_path: Path) -> None:
    """A saved page names no other file or host, and holds words for where scripts are off."""
    widgets = (entry_explorer(0x67), walk_explorer(open_capture("x86_64-4level-6.1"), 0x10000))
    for number, widget in enumerate(widgets):
        assert not isinstance(widget, Still)
        text = widget.save(tmp_path / f"{number}.html").read_text(encoding="utf-8")
        assert " src=" not in text and "<link" not in text and "http" not in text.replace("http-equiv", "")
        assert "<noscript><pre>" in text
        with pytest.raises(PtwalkError, match="cannot write"):
            widget.save(tmp_path / "no" / "such" / "folder.html")


def test_a_still_picture_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where anywidget is not installed, the same calls give a picture and its words."""
    monkeypatch.setitem(sys.modules, "ptwalk.views.entry_widget", None)
    monkeypatch.setitem(sys.modules, "ptwalk.views.walk_widget", None)
    entry = entry_explorer(0x67)
    walk = walk_explorer(open_capture("x86_64-4level-6.1"), 0x10000)
    assert isinstance(entry, Still) and isinstance(walk, Still)
    assert 'role="img"' in entry._repr_html_() and "pte (PTE)" in repr(entry)
    assert "Reaches physical" in repr(walk)
