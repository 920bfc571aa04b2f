"""`ptwalk check FILE…`: the answers in a notebook or .py file, judged by the course's own checks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ptwalk.commands.options import print_json
from ptwalk.commands.progress_bar import ProgressBar

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    from ptwalk.commands.verdicts import add_limits

    parser = verbs.add_parser(
        "check",
        help="check the answers in notebooks or .py files",
        description="Runs each file in a process of its own and judges every answer in it by the course's own "
        "checks, whatever the check cells in the file say. Answers that hold are written into your record.",
        epilog="Exit code 0: all that was tried holds; 1: something does not; 2: a file can't be read. "
        "Example: ptwalk check exercises/01_page_tables.ipynb",
    )
    parser.add_argument(
        "file", nargs="+", type=Path, metavar="FILE", help="a notebook, or a .py file with answers"
    )
    add_limits(parser)
    parser.add_argument("--no-record", action="store_true", help="leave your record as it is")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Judges the files and prints what came out."""
    from ptwalk.checks.judge import judge_file
    from ptwalk.commands import verdicts

    limits = verdicts.limits(args)
    found = []
    for file in args.file:
        with ProgressBar(f"checking {file.name}"):
            marked = judge_file(file, limits=limits, seconds=args.seconds)
        found.append(marked)
        if not args.no_record:
            for mark in marked.marks:
                verdicts.write_down(mark)
        if not args.json:
            print("\n".join(verdicts.lines(marked)), flush=True)
    if args.json:
        print_json([marked.to_json() for marked in found])
    elif any(marked.walls for marked in found):
        print(verdicts.walls_said(next(marked.walls for marked in found if marked.walls)), file=sys.stderr)
    if any(marked.unreadable for marked in found):
        return 2
    return int(any(mark.tried and mark.state != "passed" for marked in found for mark in marked.marks))
