"""The course's verbs on the command line: check, watch, progress, reset, grade, doctor."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ptwalk.checks.mark import Mark, Marked
from ptwalk.checks.progress import Progress
from ptwalk.checks.registry import exercises
from ptwalk.checks.sheet import sheet_text
from ptwalk.cli import main
from ptwalk.commands import doctor, rehearsal
from ptwalk.commands.rehearsal import Finding, within
from ptwalk.commands.watch import Watcher, found_here

_spec = importlib.util.spec_from_file_location("papers", Path(__file__).parent / "checks" / "papers.py")
assert _spec is not None and _spec.loader is not None
papers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(papers)

STEM = papers.STEM
WRONG = {"01.2": "def translate(read, root, va):\n    return 0"}
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def own_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course's folder with its exercises, and a record, of this test's own."""
    course = tmp_path / "course"
    (course / "notebooks").mkdir(parents=True)
    papers.paper(course / "exercises", solved=())
    monkeypatch.delenv("PTWALK_HOME", raising=False)
    monkeypatch.chdir(course)
    return course


def run(capsys: Capture, *arguments: str, code: int = 0) -> str:
    """Run a command that ends with this code; what it printed."""
    got = main(arguments)
    out, err = capsys.readouterr()
    assert got == code, (out, err)
    assert "Traceback" not in out + err
    return out


def refusal(capsys: Capture, *arguments: str) -> str:
    """Run a command that is refused; its one sentence."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


def test_check_says_what_holds_and_writes_it_down(capsys: Capture, own_course: Path) -> None:
    """Every exercise with its words; passes go into the record, and the file stays as it is."""
    file = papers.paper(own_course / "exercises", WRONG)
    before = file.read_bytes()
    out = run(capsys, "check", str(file), code=1)
    assert "✓ 01.1 By hand: passed" in out and "✗ 01.2 translate(): not yet" in out
    assert 'ptwalk.hint("01.2")' in out
    assert Progress().of("01.1").passed and not Progress().of("01.2").passed
    assert Progress().of("01.2").tries == 1
    assert file.read_bytes() == before
    papers.paper(own_course / "exercises")
    run(capsys, "check", str(file), "--no-record")
    assert not Progress().of("01.2").passed


def test_check_json(capsys: Capture, own_course: Path) -> None:
    """The marks as they are kept."""
    file = papers.paper(own_course / "exercises")
    (one,) = json.loads(run(capsys, "check", "--json", str(file)))
    assert [mark.state for mark in Marked.from_json(one).marks] == ["passed"] * len(papers.NAMES)


def test_check_goes_on_after_a_file_that_cannot_be_read(capsys: Capture, own_course: Path) -> None:
    """Its sentence, then the next file; exit code 2."""
    bad = own_course / "bad.ipynb"
    bad.write_text("{")
    out = run(capsys, "check", str(bad), str(papers.paper(own_course / "exercises")), code=2)
    assert "damaged notebook" in out and "✓ 01.1" in out
    assert "--memory 1 is too little" in refusal(capsys, "check", "x.py", "--memory", "1")
    assert "makes no sense" in refusal(capsys, "check", "x.py", "--seconds", "0")


def mark(state: str, name: str = "01.2", words: str = "Saw it.") -> Mark:
    """A mark for a watcher to tell."""
    return Mark(name, state, words)


def test_watch_tells_each_save_once(capsys: Capture, own_course: Path) -> None:
    """A change of code is judged; the same file saved again, with other outputs, is not."""
    file = own_course / "exercises" / f"{STEM}.ipynb"
    answers = iter([Marked("a", (mark("not yet"),)), Marked("a", (mark("passed"), mark("open", "01.3")))])
    watcher = Watcher([file], lambda path: next(answers), at_once=True)
    assert watcher.look() and not watcher.look()
    assert "✗ 01.2 translate(): not yet\n      Saw it." in capsys.readouterr().out
    data = json.loads(file.read_text("utf-8"))
    data["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
    file.write_text(json.dumps(data))
    assert not watcher.look()
    papers.paper(own_course / "exercises", WRONG)
    assert watcher.look()
    out = capsys.readouterr().out
    assert f"Why it works: {exercises()['01.2'].why}" in out
    assert out.rstrip().endswith(f"Next: 01.3 {exercises()['01.3'].title} (●● needs thought, 15 minutes).")
    assert Progress().of("01.2").passed and Progress().of("01.2").tries == 2


def test_watch_survives_a_file_in_the_middle_of_being_saved(capsys: Capture, own_course: Path) -> None:
    """Gone for a moment, then half there, then whole."""
    file = own_course / "exercises" / f"{STEM}.ipynb"
    whole = file.read_text("utf-8")
    said = [Marked("a", unreadable="it is a damaged notebook."), Marked("a", (mark("passed"),))]
    answers = iter(said)
    watcher = Watcher([file], lambda path: next(answers), at_once=True)
    file.unlink()
    assert not watcher.look()
    file.write_text(whole[:100])
    assert watcher.look()
    file.write_text(whole)
    assert watcher.look()
    assert "Everything in this file holds." in capsys.readouterr().out


def test_watch_finds_the_files(own_course: Path, tmp_path: Path, capsys: Capture) -> None:
    """Those in exercises/; a sentence where there are none."""
    assert [file.name for file in found_here(own_course)] == [f"{STEM}.ipynb"]
    os.chdir(tmp_path)
    assert "no exercise to watch" in refusal(capsys, "watch")
    assert "there is no file" in refusal(capsys, "watch", "nowhere.ipynb")


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_watch_ends_cleanly_at_ctrl_c(own_course: Path) -> None:
    """A line, no traceback, exit code 0."""
    code = "import sys; from ptwalk.cli import main; sys.exit(main(['watch']))"
    running = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert running.stdout is not None
    assert running.stdout.readline().startswith(f"Watching {STEM}.ipynb")
    papers.paper(own_course / "exercises", WRONG)
    lines = [running.stdout.readline() for _ in range(4)]
    assert any("01.1 By hand: passed" in line for line in lines), lines
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0 and err == ""
    assert "No longer watching." in out and "(self-assessed)" in out


def test_progress_is_text_and_a_local_page(capsys: Capture, own_course: Path) -> None:
    """The same twice; the page has no script, asks nobody for anything, and says that it is self-assessed."""
    before = list(exercises())[: list(exercises()).index("01.2")]
    for name in before:
        Progress().record(name, tries=2, passed=True)
    out = run(capsys, "progress")
    assert "✓ 01.1 By hand" in out and "Next: 01.2 translate()" in out
    page = (own_course / ".ptwalk" / "progress.html").read_text("utf-8")
    assert "Self-assessed" in page and "01.2 translate()" in page
    assert "<script" not in page and "src=" not in page and "@import" not in page
    data = json.loads(run(capsys, "progress", "--json"))
    assert data["passed"] == len(before) and data["self_assessed"] is True
    assert "cannot write" in refused_after_text(capsys, "progress", "--html", "nowhere/x.html")


def refused_after_text(capsys: Capture, *arguments: str) -> str:
    """A command that prints, and is refused at its end."""
    assert main(arguments) == 2
    return capsys.readouterr().err


def test_reset_puts_one_exercise_back_and_keeps_the_old(capsys: Capture, own_course: Path) -> None:
    """Only its two cells change; the copy is the whole file as it was."""
    file = papers.paper(own_course / "exercises", WRONG)
    before = file.read_bytes()
    Progress().record("01.2", tries=3, passed=True)
    out = run(capsys, "reset", "1.2")
    kept = Path(next(line for line in out.splitlines() if line.startswith("What you had: "))[14:])
    assert kept.read_bytes() == before and kept.parent == own_course / ".ptwalk" / "kept"
    (one,) = json.loads(run(capsys, "check", "--json", "--no-record", str(file)))
    states = {m["exercise"]: m["state"] for m in one["marks"]}
    assert states["01.2"] == "open" and set(states.values()) == {"open", "passed"}
    assert not Progress().of("01.2").passed and Progress().of("01.2").tries == 3
    run(capsys, "reset", "01.2")
    assert len(list(kept.parent.iterdir())) == 2


def test_reset_brings_back_what_was_deleted(capsys: Capture, own_course: Path) -> None:
    """The two cells return to their place; a notebook that is gone, or damaged, comes back whole."""

    def edit(cells: list[dict[str, object]]) -> None:
        for name in ("01-2-answer", "01-2-check"):
            cells.remove(papers.cell(cells, name))

    file = papers.paper(own_course / "exercises", edit=edit)
    run(capsys, "reset", "01.2")
    names = [cell["id"] for cell in json.loads(file.read_text("utf-8"))["cells"]]
    assert names == [cell["id"] for cell in json.loads(sheet_text(STEM))["cells"]]
    file.write_text("{")
    assert "'ptwalk reset 01'" in refusal(capsys, "reset", "01.2")
    assert file.read_text() == "{"
    run(capsys, "reset", "01")
    assert file.read_text("utf-8") == sheet_text(STEM)
    file.unlink()
    assert "What you had" not in run(capsys, "reset", "01.2")
    assert file.read_text("utf-8") == sheet_text(STEM)


def test_reset_is_refused_in_words(capsys: Capture, tmp_path: Path) -> None:
    """An exercise that is none, a place where nothing is."""
    assert "there is no exercise '09.9'" in refusal(capsys, "reset", "09.9")
    os.chdir(tmp_path)
    assert "no folder exercises/ here" in refusal(capsys, "reset", "01.2")


def test_grade_writes_two_tables_and_a_page(capsys: Capture, tmp_path: Path) -> None:
    """The page has a picture with words for it, the same as a table, and escapes what learners are called."""
    folder = tmp_path / "class"
    papers.paper(folder / "ada")
    papers.paper(folder / "<b>ben</b>", WRONG)
    out = run(capsys, "grade", str(folder))
    assert out.startswith("2 learners") and "01.2 translate(): 1 passed, 1 stuck" in out
    results = folder / "_grades"
    assert (results / "grades.csv").read_text("utf-8").count("\n") == 3
    assert (results / "marks.csv").exists()
    page = (results / "grades.html").read_text("utf-8")
    assert "<script" not in page and "src=" not in page and "<b>ben" not in page
    svg = page[page.index("<svg") : page.index("</svg>") + 6]
    picture = ElementTree.fromstring(svg)
    assert picture.get("role") == "img" and "Most are stuck at 01.2: 1." in str(picture.get("aria-label"))
    assert "Where people are stuck" in page and page.count('scope="row"') == 2
    assert run(capsys, "grade", str(folder), "--json", "--into", str(tmp_path / "out")).startswith("[")
    assert "is no folder" in refusal(capsys, "grade", str(tmp_path / "nowhere"))
    assert "--jobs 0" in refusal(capsys, "grade", str(folder), "--jobs", "0")


def test_doctor_is_well_here(capsys: Capture) -> None:
    """Quick questions only; nothing to mend, and each finding has words."""
    found = json.loads(run(capsys, "doctor", "--quick", "--json"))
    assert {"Python", "packages", "widgets", "disk"} <= {each["name"] for each in found}
    assert all(each["words"] for each in found)
    assert "The course runs here." in run(capsys, "doctor", "--quick")


@pytest.mark.slow
def test_doctor_starts_a_kernel_and_judges_an_answer(capsys: Capture) -> None:
    """The whole examination."""
    found = {each["name"]: each for each in json.loads(run(capsys, "doctor", "--json"))}
    assert found["kernel"]["state"] in ("good", "odd")
    assert "process of its own" in found["checks"]["words"]


def test_doctor_says_the_mend(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is bad has a mend and costs the exit code; a question that breaks is itself an answer."""

    def broken() -> list[Finding]:
        raise RuntimeError("oh")

    monkeypatch.setattr(rehearsal, "widgets", lambda: [Finding("widgets", "bad", "none", "put them in")])
    monkeypatch.setattr(rehearsal, "browser", broken)
    out = run(capsys, "doctor", "--quick", code=1)
    assert "✗ widgets: none\n    mend: put them in" in out
    assert "could not be asked: RuntimeError: oh" in out
    assert "1 to mend" in out
    assert doctor.SIGNS["bad"] == "✗"


def test_doctor_knows_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """As pyproject.toml writes them."""
    assert within("4.6.6", ">=4.2,<5") and not within("5.0", ">=4.2,<5") and not within("4.1.9", ">=4.2")
    assert within("3.11.7", ">=3.11") and within("1.0", "") and within("2.0", "~=2.0")
    monkeypatch.setattr(
        rehearsal.metadata, "requires", lambda name: ["numpy>=99", "nowhere<2", "x>1; extra == 'y'"]
    )
    words = {each.name: each.words for each in rehearsal.versions()}
    assert words["packages"].endswith("and >=99 is needed; nowhere is missing")
