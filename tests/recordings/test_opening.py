"""Recordings open by name or from a file; what is damaged is told in one sentence; the copy that ships is small."""

import json
from pathlib import Path
from typing import Any

import pytest

import ptwalk.recordings
from ptwalk.errors import PtwalkError
from ptwalk.recordings import BrokenRecording, load, names, open_recording, read_recording

DATA = Path(ptwalk.recordings.__file__).parent / "data"


def test_what_ships() -> None:
    """31 recordings in well below 1 MB, with their provenance beside them."""
    assert len(names()) == 31
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 600_000
    provenance = (DATA / "README.md").read_text(encoding="utf-8")
    assert "6.1.176" in provenance and "QEMU" in provenance
    for name in names():
        recording = open_recording(name)
        assert recording is load(name)
        assert recording.kernel == "6.1.176" and recording.words and recording.setup["region"]


def test_a_file_of_a_recorder(tmp_path: Path) -> None:
    """The recorder's own JSON opens as it is; its words are kept, known or not."""
    data: dict[str, Any] = {
        "kernel": "6.12.1", "op": "munmap_new", "setup": {"region": ["0x1000", "0x2000"]},
        "events": [{"seq": 7, "kind": "call", "cpu": 1, "fn": "f", "callers": ["~a < b", "c"]}],
        "normalized": ["something:new", "irq:on(inferred)"], "normalized_from": [7, None],
    }  # fmt: skip
    path = tmp_path / "munmap_new.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    found = open_recording(path)
    assert found.words == ("something:new", "irq:on(inferred)")
    assert found.operation == "munmap_new" and found.name == "munmap_new"
    assert found.steps[0].cpu == 1 and found.steps[0].chain == ("c", "b", "a", "f")
    assert open_recording(str(path)).words == found.words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"kernel": "6.1", "setup": {}, "events": 3, "normalized": [], "normalized_from": []}',
        '{"kernel": "6.1", "setup": {}, "events": [], "normalized": ["a"], "normalized_from": []}',
        "\xff",
    ],
)
def test_damaged_files(tmp_path: Path, text: str) -> None:
    """Whatever is wrong with a file is one sentence."""
    path = tmp_path / "damaged.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BrokenRecording) as told:
        open_recording(path)
    assert "\n" not in str(told.value)


def test_names_that_do_not_ship(tmp_path: Path) -> None:
    """A name that is not there lists those that are; a file that is not there is named."""
    with pytest.raises(PtwalkError, match="munmap_tables"):
        open_recording("munmap_everything")
    with pytest.raises(BrokenRecording, match="cannot be read"):
        open_recording(tmp_path / "none.json")
    with pytest.raises(BrokenRecording, match="one JSON object"):
        read_recording([1, 2])
