"""The solutions taken to nbgrader itself: it makes assignments of them, and grades a solved and an unsolved one.

nbgrader gets an environment of its own, for it brings a great deal along. Where it cannot be installed (no network),
the test is skipped and says so.
"""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ptwalk.checks import registry

ROOT = Path(__file__).resolve().parent.parent.parent
SHEET = "ps1"


@pytest.fixture(scope="module")
def nbgrader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with nbgrader."""
    place = tmp_path_factory.mktemp("nbgrader") / "venv"
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(place)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no environment for nbgrader can be made: {made.stderr.strip()[-200:]}")
    programs = place / ("Scripts" if os.name == "nt" else "bin")
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "nbgrader>=0.9"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nbgrader cannot be installed here: {done.stderr.strip()[-200:]}")
    return programs


@pytest.mark.slow
def test_solutions_are_assignments(nbgrader: Path, tmp_path: Path) -> None:
    """Every solution becomes an assignment without its solutions; of two, the answers are graded: all points, none."""
    solutions = sorted(ROOT.glob("solutions/*.ipynb"))
    (tmp_path / "source" / SHEET).mkdir(parents=True)
    for path in solutions:
        (tmp_path / "source" / SHEET / path.name).write_text(path.read_text("utf-8"), "utf-8")
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PTWALK_HOME=str(tmp_path / "record"))
    environment["PATH"] = f"{nbgrader}{os.pathsep}{environment['PATH']}"

    def run(*words: str) -> None:
        command = [str(nbgrader / "nbgrader"), *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]

    run("generate_assignment", SHEET, "--create")
    for path in solutions:
        released = (tmp_path / "release" / SHEET / path.name).read_text("utf-8")
        assert "SOLUTION" not in released
        assert released.count("NotImplementedError") == path.read_text("utf-8").count("### BEGIN SOLUTION")

    first = solutions[0].stem
    for learner, folder in (("solved", "source"), ("unsolved", "release")):
        target = tmp_path / "submitted" / learner / SHEET
        target.mkdir(parents=True)
        there = tmp_path / folder / SHEET / f"{first}.ipynb"
        (target / there.name).write_text(there.read_text("utf-8"), "utf-8")
    run("autograde", SHEET, "--notebook", first)
    run("export")
    with (tmp_path / "grades.csv").open(newline="") as file:
        scores = {row["student_id"]: float(row["raw_score"]) for row in csv.DictReader(file)}
    points = sum(1 for exercise in registry.exercises().values() if exercise.notebook == first)
    assert scores == {"solved": points, "unsolved": 0}
