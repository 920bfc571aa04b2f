"""A class: everybody graded, two at a time, each file once, whatever is among them."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptwalk.checks import grading
from ptwalk.checks.grading import Graded, grade, learners_in, parts_table, points, table
from ptwalk.checks.mark import Mark, Marked
from ptwalk.checks.registry import exercises, solution_code
from ptwalk.errors import PtwalkError

from .papers import NAMES, paper

WRONG = {"01.2": "def translate(read, root, va):\n    return 0"}


def a_class(folder: Path) -> Path:
    """Five learners: one done, one stuck, one who crashes, one with a damaged file, one with nothing."""
    paper(folder / "ada")
    paper(folder / "ben" / "week 1", WRONG, solved=NAMES[:1])
    paper(folder / "cy", {"01.2": "import os\nos._exit(0)"})
    (folder / "dee").mkdir()
    (folder / "dee" / "01_page_tables.ipynb").write_text('{"cells": [')
    (folder / "eli").mkdir()
    (folder / "_grades").mkdir()
    (folder / ".hidden").mkdir()
    return folder


def by_name(graded: tuple[Graded, ...]) -> dict[str, Graded]:
    """The class by learner."""
    return {learner.name: learner for learner in graded}


def test_a_class_is_graded_whatever_is_in_it(tmp_path: Path) -> None:
    """Nobody is lost, nobody costs another."""
    told: list[tuple[int, int]] = []
    found = by_name(grade(a_class(tmp_path), seconds=2, told=lambda done, total: told.append((done, total))))
    assert list(found) == ["ada", "ben", "cy", "dee", "eli"]
    assert {mark.state for mark in found["ada"].marks.values()} == {"passed"}
    assert [mark.state for mark in found["ben"].marks.values()] == [
        "passed",
        "not yet",
        "open",
        "open",
        "open",
    ]
    assert found["cy"].marks["01.2"].state == "stopped" and found["cy"].marks["01.5"].state == "passed"
    assert "damaged" in found["dee"].remarks[0] and not found["dee"].marks
    assert found["eli"].files == ()
    assert told[0] == (0, 4) and told[-1] == (4, 4) and len(told) == 5


def test_the_table_has_credit_points_and_words(tmp_path: Path) -> None:
    """One line a learner, blank where nothing was handed in."""
    graded = grade(a_class(tmp_path), seconds=2)
    rows = {row["learner"]: row for row in csv.DictReader(io.StringIO(table(graded)))}
    whole = sum(points(name) for name in NAMES)
    assert rows["ada"]["percent"] == "100" and rows["ada"]["points"] == rows["ada"]["of"] == str(whole)
    assert rows["ben"]["01.1"] == "1" and rows["ben"]["01.2"] == "0"
    assert rows["eli"]["01.1"] == "" and rows["eli"]["percent"] == "0"
    lines = list(csv.DictReader(io.StringIO(parts_table(graded))))
    assert len(lines) == 15
    stopped = next(line for line in lines if line["learner"] == "cy" and line["exercise"] == "01.2")
    assert stopped["state"] == "stopped" and "exit code 0" in stopped["words"]


def test_partial_credit_comes_from_named_parts() -> None:
    """Two of four parts are half the credit, and their names are in the table."""
    parts = (("holes", True), ("dirty", True), ("exit", False), ("budget", False))
    mark = Mark("01.1", "partly", "Two hold.", parts)
    learner = Graded("ada", (Marked("a.ipynb", (mark,)),), {"01.1": mark})
    assert mark.credit == 0.5 and learner.points == 0.5 * points("01.1")
    (row,) = csv.DictReader(io.StringIO(parts_table((learner,))))
    assert (row["credit"], row["holds"], row["does not hold"]) == ("0.5", "holes; dirty", "exit; budget")


def test_what_did_not_change_is_not_judged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run reads what is kept; a changed file, and a result broken off in the middle, are judged again."""
    folder = a_class(tmp_path)
    first = grade(folder, seconds=2)
    kept = sorted((folder / "_grades" / "judged").glob("*.json"))
    assert len(kept) == 4
    counted: list[int] = []
    assert grade(folder, seconds=2, told=lambda done, total: counted.append(done)) == first
    assert counted == [4]
    crashed = next(file for file in kept if "exit code 0" in file.read_text("utf-8"))
    crashed.write_text(crashed.read_text("utf-8")[:20], "utf-8")
    paper(folder / "ben" / "week 1", {"01.1": solution_code(exercises()["01.1"]) + "\n# mine"})
    counted.clear()
    again = by_name(grade(folder, seconds=2, told=lambda done, total: counted.append(done)))
    assert counted[0] == 2 and again["ben"].marks["01.2"].state == "passed"
    monkeypatch.setattr(grading, "_library", lambda: "a newer one")
    counted.clear()
    (folder / "cy" / "01_page_tables.ipynb").unlink()
    grade(folder, seconds=2, told=lambda done, total: counted.append(done))
    assert counted[0] == 0


def test_one_file_a_learner(tmp_path: Path) -> None:
    """Files beside each other are learners too, and none can import its neighbour."""
    paper(tmp_path, name="ada.ipynb")
    (tmp_path / "walking.py").write_text(solution_code(exercises()["01.2"]))
    paper(tmp_path, {"01.2": "from walking import translate"}, name="ben.ipynb")
    found = by_name(grade(tmp_path))
    assert list(found) == ["ada", "ben", "walking"]
    assert found["ben"].marks["01.2"].state == "stopped"
    assert found["ada"].marks["01.2"].state == "passed"


def test_the_best_of_several_files_counts(tmp_path: Path) -> None:
    """A copy that JupyterLab made, and an older try."""
    paper(tmp_path / "ada", WRONG)
    paper(tmp_path / "ada", name="01_page_tables-Copy1.ipynb")
    (learner,) = grade(tmp_path)
    assert learner.marks["01.2"].state == "passed" and len(learner.files) == 2


def test_a_spreadsheet_takes_no_name_for_a_formula(tmp_path: Path) -> None:
    """A folder may be called anything."""
    (tmp_path / '=HYPERLINK("x")').mkdir()
    assert "'=HYPERLINK" in table(grade(tmp_path))


def test_folders_that_are_none_are_told(tmp_path: Path) -> None:
    """A sentence, and what to give instead."""
    with pytest.raises(PtwalkError, match="is no folder"):
        learners_in(tmp_path / "nowhere")
    with pytest.raises(PtwalkError, match="holds no learner"):
        learners_in(tmp_path)


RUN = "import sys; from ptwalk.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_ends_the_grading_at_once(tmp_path: Path) -> None:
    """One line, exit code 130, and what was judged is kept."""
    paper(tmp_path / "ada")
    paper(tmp_path / "ben", {"01.2": "while True:\n    pass"})
    command = [sys.executable, "-c", RUN, "grade", str(tmp_path), "--seconds", "3000", "--jobs", "1"]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list((tmp_path / "_grades" / "judged").glob("*.json")):
        assert running.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, "", "ptwalk: interrupted\n")


def class_of_thirty(folder: Path) -> Path:
    """Thirty learners, each with every exercise; some are stuck, some do harm."""
    for number in range(30):
        answers = {"01.5": f"# {number}"}
        if number % 3 == 1:
            answers |= WRONG
        elif number % 10 == 2:
            answers |= {"01.2": "import os\nos._exit(0)"}
        elif number % 10 == 5:
            answers |= {"01.2": "while True:\n    pass"}
        paper(
            folder / f"learner {number:02}",
            answers,
            solved=tuple(NAMES[: 1 + number % 5]) if number % 4 else None,
        )
    return folder


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_thirty_learners_and_a_run_that_was_killed(tmp_path: Path) -> None:
    """Killed in the middle, it goes on where it was; at the end everybody is there, and nothing is left running."""
    folder = class_of_thirty(tmp_path)
    command = [sys.executable, "-c", RUN, "grade", str(folder), "--seconds", "3"]
    judged = folder / "_grades" / "judged"
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while len(list(judged.glob("*.json"))) < 6:
        assert running.poll() is None
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    kept = {file.name: file.stat().st_mtime_ns for file in judged.glob("*.json")}
    assert 6 <= len(kept) < 30
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("30 learners")
    after = {file.name: file.stat().st_mtime_ns for file in judged.glob("*.json")}
    assert len(after) == 30 and kept.items() <= after.items()
    assert len((folder / "_grades" / "grades.csv").read_text().splitlines()) == 31
