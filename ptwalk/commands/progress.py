"""`ptwalk progress`: what is done and what comes next, here and as a local page."""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from ptwalk.commands.options import print_json
from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    from ptwalk.views.progress_page import Chapter, Line

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "progress",
        help="what you have done, and what comes next",
        description="Lists every exercise with what you did about it, and writes the same as a page. It is your "
        "own record, in one file on this machine; nothing is sent anywhere.",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write the page here, not beside the record"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--json", action="store_true", help="print JSON, and write no page")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the record and writes the page."""
    from ptwalk.checks import verbs
    from ptwalk.checks.progress import home
    from ptwalk.views.page import write
    from ptwalk.views.progress_page import page

    chapters = chapters_of()
    words = verbs.progress()
    following = next_up(chapters)
    if args.json:
        print_json(
            {
                "passed": sum(line.state == "passed" for chapter in chapters for line in chapter.lines),
                "self_assessed": True,
                "next": following,
                "exercises": [
                    {"name": line.name, "title": line.title, "state": line.state, "tries": line.tries}
                    | {"hints": line.hints}
                    for chapter in chapters
                    for line in chapter.lines
                ],
            }
        )
        return 0
    print(f"{words}\n{following}")
    place = args.html or home() / "progress.html"
    try:
        if args.html is None:
            place.parent.mkdir(parents=True, exist_ok=True)
        write(place, page(chapters, words.heading, following))
    except (OSError, PtwalkError) as error:
        if args.html is not None:
            raise
        print(f"There is no page this time: {error}")
        return 0
    print(f"As a page: {place}")
    if args.open and not webbrowser.open(place.resolve().as_uri()):
        print("No browser could be opened; open that file in yours.")
    return 0


def chapters_of() -> tuple[Chapter, ...]:
    """The course as chapters, each exercise with what the record says of it."""
    from ptwalk.checks.progress import Progress
    from ptwalk.checks.registry import NOTEBOOKS, exercises
    from ptwalk.views.progress_page import Chapter

    record = Progress()
    done = {name: record.of(name) for name in exercises()}

    def line(name: str) -> Line:
        from ptwalk.views.progress_page import Line

        exercise, entry = exercises()[name], done[name]
        state = "passed" if entry.passed else "begun" if entry.tries or entry.hints else "to do"
        return Line(name, exercise.title, state, exercise.stars, exercise.minutes, entry.tries, entry.hints)

    return tuple(
        Chapter(
            book.number,
            book.title,
            book.minutes,
            tuple(line(name) for name, exercise in exercises().items() if exercise.notebook == book.stem),
        )
        for book in NOTEBOOKS
    )


def next_up(chapters: tuple[Chapter, ...]) -> str:
    """One sentence on the next exercise that is not passed."""
    for chapter in chapters:
        for line in chapter.lines:
            if line.state != "passed":
                return (
                    f"Next: {line.name} {line.title} ({line.stars}, {line.minutes} minutes), "
                    f"after the notebook {chapter.number} {chapter.title}."
                )
    return "Every exercise is passed. Next: check a walker of your own."
