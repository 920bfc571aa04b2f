"""The learner's record survives crashes, damage and folders that can't be written."""

import json
import os
from pathlib import Path

import pytest

from ptwalk.checks.progress import Done, Progress, home


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    """A second reader of the same folder sees what the first wrote."""
    Progress(tmp_path).record("01.1", tries=2)
    Progress(tmp_path).record("01.1", passed=True)
    assert Progress(tmp_path).all() == {"01.1": Done(tries=2, passed=True)}


DAMAGED = (
    "",
    "{",
    "[]",
    "null",
    '{"version": 1}',
    '{"version": 99, "exercises": {}}',
    '{"version": 1, "exercises": {"01.1": 3}}',
    '{"version": 1, "exercises": {"01.1": {"tries": "many"}}}',
    "[" * 100_000,
    "\udce9",
)


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_kept_and_begun_afresh(tmp_path: Path, text: str) -> None:
    """Whatever stands in the file, the learner can go on, and the old file is still there."""
    (tmp_path / "progress.json").write_text(text, "utf-8", errors="surrogateescape")
    assert Progress(tmp_path).all() == {}
    Progress(tmp_path).record("01.1", tries=1)
    assert Progress(tmp_path).of("01.1").tries == 1
    kept = (tmp_path / "progress.damaged-1.json").read_bytes()
    assert kept == text.encode("utf-8", "surrogateescape")


def test_a_second_damaged_file_does_not_replace_the_first(tmp_path: Path) -> None:
    """Every damaged file keeps a name of its own."""
    for text in ("one", "two"):
        (tmp_path / "progress.json").write_text(text)
        Progress(tmp_path).all()
    assert [(tmp_path / f"progress.damaged-{n}.json").read_text() for n in (1, 2)] == ["one", "two"]


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is swapped in at once; if that fails, the old one is whole and the session goes on."""
    Progress(tmp_path).record("01.1", tries=1)

    def fail(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(os, "replace", fail)
    record = Progress(tmp_path)
    record.record("01.1", tries=2)
    assert record.of("01.1").tries == 2
    monkeypatch.undo()
    assert Progress(tmp_path).of("01.1").tries == 1
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_a_folder_that_can_not_be_made_does_not_stop_anyone(tmp_path: Path) -> None:
    """Where nothing can be written, progress lasts as long as the session."""
    (tmp_path / "file").write_text("")
    record = Progress(tmp_path / "file" / "below")
    assert record.record("01.1", passed=True).passed
    assert record.of("01.1").passed


def test_nothing_but_counts_is_written(tmp_path: Path) -> None:
    """No time, no name of a person or machine: the record is the learner's own affair."""
    Progress(tmp_path).record("01.1", hints=1)
    written = json.loads((tmp_path / "progress.json").read_text())
    assert written["exercises"] == {"01.1": {"tries": 0, "passed": False, "hints": 1, "solution_asked": 0}}


def test_inside_the_course_the_record_lies_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the course's folder it is .ptwalk; elsewhere the user's data folder; a variable overrides both."""
    for folder in ("course/notebooks", "course/exercises", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.delenv("PTWALK_HOME")
    monkeypatch.chdir(tmp_path / "course" / "exercises")
    assert home() == tmp_path / "course" / ".ptwalk"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert home().name == "ptwalk"
    monkeypatch.setenv("PTWALK_HOME", "there")
    assert home() == Path("there")
