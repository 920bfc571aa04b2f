"""`ptwalk grade FOLDER`: a whole class, as a table and as a page that shows who is stuck where."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ptwalk.commands.options import BadArgument, print_json
from ptwalk.commands.progress_bar import ProgressBar
from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    from ptwalk.checks.grading import Graded

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    from ptwalk.commands.verdicts import add_limits

    parser = verbs.add_parser(
        "grade",
        help="grade a class: a table, and a page of who is stuck where",
        description="Judges what each learner handed in: one subfolder a learner, or one file. Writes grades.csv "
        "(credit for each exercise), marks.csv (every verdict and part) and grades.html into FOLDER/_grades. "
        "Stopped, it goes on where it was: what did not change is not judged again.",
        epilog="Points are credit times difficulty (1 to 3). Example: ptwalk grade submitted/",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder with what was handed in")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where results go (FOLDER/_grades)")
    parser.add_argument(
        "--jobs", type=int, default=min(2, os.cpu_count() or 1), metavar="N", help="files at once"
    )
    add_limits(parser)
    parser.add_argument("--json", action="store_true", help="print the marks as JSON as well")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Grades the class, writes the results, and says where they are."""
    from ptwalk.checks import grading
    from ptwalk.commands import verdicts

    limits = verdicts.limits(args)
    if not 1 <= args.jobs <= 64:
        raise BadArgument(f"--jobs {args.jobs} makes no sense; give 1 to 64")
    results = args.into or args.folder / grading.RESULTS
    with ProgressBar("grading", delay=0.3) as bar:
        graded = grading.grade(
            args.folder, results=results, jobs=args.jobs, limits=limits, seconds=args.seconds, told=bar.update
        )
    walls = next((file.walls for learner in graded for file in learner.files if file.walls), ())
    said = verdicts.walls_said(walls) if walls else ""
    try:
        (results / "grades.csv").write_text(grading.table(graded), "utf-8", newline="")
        (results / "marks.csv").write_text(grading.parts_table(graded), "utf-8", newline="")
        (results / "grades.html").write_text(page_of(graded, args.folder.resolve().name, said), "utf-8")
    except OSError as error:
        raise PtwalkError(f"cannot write into {results}: {error.strerror}; say --into FOLDER") from None
    if args.json:
        print_json([{"learner": g.name, "files": [file.to_json() for file in g.files]} for g in graded])
    else:
        print("\n".join(summary(graded)))
        for name in ("grades.html", "grades.csv", "marks.csv"):
            print(f"  {results / name}")
    if said:
        print(said, file=sys.stderr)
    return 0


def page_of(graded: tuple[Graded, ...], name: str, said: str) -> str:
    """The class as a page."""
    from ptwalk.checks.grading import asked
    from ptwalk.checks.registry import exercises
    from ptwalk.views.class_page import Row, Square, page

    names = asked(graded)
    rows = []
    for learner in graded:
        marks = [learner.marks.get(exercise) for exercise in names]
        squares = tuple(Square(mark.state, mark.words) if mark else Square("missing") for mark in marks)
        rows.append(Row(learner.name, squares, f"{learner.points:g}", learner.remarks))
    titles = tuple((exercise, exercises()[exercise].title) for exercise in names)
    return page(f"Class {name}", titles, tuple(rows), said)


def summary(graded: tuple[Graded, ...]) -> list[str]:
    """The class in a few lines: how many, and where most are stuck."""
    from ptwalk.checks.grading import asked
    from ptwalk.checks.registry import exercises

    found = [f"{len(graded)} learner{'s' if len(graded) != 1 else ''}"]
    for name in asked(graded):
        marks = [learner.marks[name] for learner in graded if name in learner.marks]
        passed = sum(mark.state == "passed" for mark in marks)
        stuck = sum(mark.tried and mark.state != "passed" for mark in marks)
        found.append(f"  {name} {exercises()[name].title}: {passed} passed, {stuck} stuck")
    empty = [learner.name for learner in graded if not learner.files]
    if empty:
        found.append(f"  nothing handed in: {', '.join(empty)}")
    broken = [learner.name for learner in graded if any(file.unreadable for file in learner.files)]
    if broken:
        found.append(f"  with a file that can't be read: {', '.join(broken)}")
    return found
