"""A class: every file of every learner judged, two at a time, each once.

Knows folders, the judge and the marks; draws nothing.  A file that was judged is kept under the hash of its bytes and
of the library that judged it, so that a run that was broken off goes on where it was, and a changed file or a newer
library is judged afresh.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from multiprocessing import active_children, get_context
from pathlib import Path

from ptwalk.checks.judge import CELL_SECONDS, judge_file
from ptwalk.checks.mark import STATES, Mark, Marked
from ptwalk.checks.registry import exercises
from ptwalk.checks.sandbox import Limits
from ptwalk.errors import PtwalkError

RESULTS = "_grades"
"""The folder inside the class's own where results go; names that begin with _ or . are no learner's."""


@dataclass(frozen=True)
class Learner:
    """One learner: a name, and the files handed in."""

    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Graded:
    """A learner's files judged, and the best mark for each exercise of the class."""

    name: str
    files: tuple[Marked, ...]
    marks: dict[str, Mark]

    @property
    def points(self) -> float:
        """Credit times difficulty, added up."""
        return sum(mark.credit * points(name) for name, mark in self.marks.items())

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was seen in the files, each sentence with its file."""
        found = []
        for file in self.files:
            found += [f"{file.file}: {remark}" for remark in (file.unreadable, *file.remarks) if remark]
        return tuple(found)


def points(exercise: str) -> int:
    """What an exercise is worth: its difficulty, 1 to 3."""
    return exercises()[exercise].difficulty


def learners_in(folder: Path) -> tuple[Learner, ...]:
    """The learners of a class: one for each subfolder, and one for each notebook or .py file beside them.

    Raises `PtwalkError` when there is no such folder, or nobody in it.
    """
    if not folder.is_dir():
        raise PtwalkError(
            f"{folder} is no folder; give the one that holds a subfolder or a file for each learner"
        )
    found = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            found.append(Learner(entry.name, tuple(_files(entry))))
        elif entry.suffix in (".ipynb", ".py"):
            found.append(Learner(entry.stem, (entry,)))
    if not found:
        raise PtwalkError(f"{folder} holds no learner: neither a subfolder nor a notebook or .py file")
    return tuple(found)


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "_")))
        for name in sorted(names):
            if name.endswith((".ipynb", ".py")) and not name.startswith((".", "_")):
                found.append(Path(place) / name)
    return found[:200]


def grade(
    folder: Path,
    *,
    results: Path | None = None,
    jobs: int = 2,
    limits: Limits | None = None,
    seconds: float = CELL_SECONDS,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Graded, ...]:
    """Judge the whole class; `told` hears how many of how many files are done.

    What is judged is kept in `results`/judged, one file each, so that the same call goes on after it was stopped.
    """
    learners = learners_in(folder)
    kept = (results or folder / RESULTS) / "judged"
    limits = limits or Limits()
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PtwalkError(f"cannot write {kept}: {error.strerror}; say --into FOLDER") from None
    every = [file for learner in learners for file in learner.files]
    flat = {file for file in every if file.parent == folder}
    marked: dict[Path, Marked] = {}
    places = {file: kept / f"{_hash(file, limits, seconds, file not in flat)}.json" for file in every}
    for file in every:
        known = _kept(places[file])
        if known is not None:
            marked[file] = replace(known, file=_shown(file, folder))
    waiting = [file for file in every if file not in marked]
    told(len(marked), len(every))
    while waiting:
        # "spawn": a forked child would inherit locks that a thread of ours may hold.
        with ProcessPoolExecutor(
            max(1, min(jobs, len(waiting))), get_context("spawn"), _leave_ctrl_c
        ) as pool:
            futures = {
                pool.submit(judge_file, file, limits=limits, seconds=seconds, beside=file not in flat): file
                for file in waiting
            }
            try:
                for future in as_completed(futures):
                    file = futures[future]
                    result = future.result()
                    _keep(places[file], result)
                    marked[file] = replace(result, file=_shown(file, folder))
                    told(len(marked), len(every))
            except BrokenProcessPool:
                pass  # somebody ended a worker; what is left is begun afresh
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in active_children():
                    worker.terminate()
                raise
        left = [file for file in waiting if file not in marked]
        if len(left) == len(waiting):
            raise PtwalkError("the judging processes end before they judge anything; see ptwalk doctor")
        waiting = left
    return tuple(_graded(learner, marked) for learner in learners)


def _leave_ctrl_c() -> None:
    # Ctrl-C reaches every process of a terminal; ours alone answers it, and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _shown(file: Path, folder: Path) -> str:
    parts = file.relative_to(folder).parts
    return "/".join(parts[1:] or parts)


def _graded(learner: Learner, marked: dict[Path, Marked]) -> Graded:
    files = tuple(marked[file] for file in learner.files)
    best: dict[str, Mark] = {}
    order = list(STATES)
    for file in files:
        for mark in file.marks:
            now = best.get(mark.exercise)
            if now is None or (-mark.credit, order.index(mark.state)) < (-now.credit, order.index(now.state)):
                best[mark.exercise] = mark
    return Graded(learner.name, files, {name: best[name] for name in exercises() if name in best})


def _kept(place: Path) -> Marked | None:
    try:
        return Marked.from_json(json.loads(place.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not there, or broken off in the middle: judge again


def _keep(place: Path, marked: Marked) -> None:
    scratch = place.with_suffix(".new")
    scratch.write_text(json.dumps(marked.to_json(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    scratch.replace(place)


def _hash(file: Path, limits: Limits, seconds: float, beside: bool) -> str:
    digest = hashlib.sha256(_library().encode() + repr((file.name, limits, seconds)).encode())
    for each in [file, *(sorted(file.parent.glob("*.py")) if beside else [])]:
        try:
            digest.update(each.read_bytes())
        except OSError:
            digest.update(b"unreadable")
    return digest.hexdigest()[:32]


@cache
def _library() -> str:
    """A hash of all of ptwalk that can change a verdict."""
    digest = hashlib.sha256()
    root = Path(str(resources.files("ptwalk")))
    for file in sorted([*root.rglob("*.py"), *(root / "checks").rglob("*.ipynb")]):
        if "views" not in file.parts and "commands" not in file.parts:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def asked(graded: tuple[Graded, ...]) -> tuple[str, ...]:
    """The exercises that somebody in the class handed in or had before them, in the order of the course."""
    return tuple(name for name in exercises() if any(name in learner.marks for learner in graded))


def table(graded: tuple[Graded, ...]) -> str:
    """The class as CSV: a line for each learner, the credit for each exercise from 0 to 1, points, remarks."""
    names = asked(graded)
    whole = sum(points(name) for name in names)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["learner", *names, "points", "of", "percent", "remarks"])
    for learner in graded:
        row: list[str] = [_cell(learner.name)]
        for name in names:
            mark = learner.marks.get(name)
            row.append("" if mark is None or mark.state == "missing" else f"{mark.credit:g}")
        percent = 100 * learner.points / whole if whole else 0
        row += [f"{learner.points:g}", str(whole), f"{percent:.0f}", _cell(" ".join(learner.remarks))]
        writer.writerow(row)
    return text.getvalue()


def parts_table(graded: tuple[Graded, ...]) -> str:
    """Every mark as CSV, a line each: learner, exercise, state, credit, the parts that hold and do not, words."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["learner", "exercise", "state", "credit", "holds", "does not hold", "words"])
    for learner in graded:
        for name, mark in learner.marks.items():
            holds = "; ".join(part for part, yes in mark.parts if yes)
            fails = "; ".join(part for part, yes in mark.parts if not yes)
            words = [_cell(each) for each in (holds, fails, mark.words)]
            writer.writerow([_cell(learner.name), name, STATES[mark.state], f"{mark.credit:g}", *words])
    return text.getvalue()


def _cell(text: str) -> str:
    # A spreadsheet takes a text that begins like this for a formula.
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
