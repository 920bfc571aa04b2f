"""`ptwalk reset EXERCISE`: an exercise as it was handed out; what you had is kept."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "reset",
        help="begin an exercise afresh; what you had is kept",
        description="Puts the answer and check cells of one exercise (01.2), or a whole notebook of exercises (01), "
        "back as they were handed out. A copy of your file, with date and time, goes beside your record first.",
        epilog="Example: ptwalk reset 01.2",
    )
    parser.add_argument(
        "exercise", metavar="EXERCISE", help="an exercise such as 01.2, or a notebook such as 01"
    )
    parser.add_argument(
        "--file", type=Path, metavar="NOTEBOOK", help="your notebook, if not the one in exercises/"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Resets, and says where everything is."""
    from ptwalk.checks.progress import Progress
    from ptwalk.checks.registry import exercise_named
    from ptwalk.checks.reset import reset

    place, kept = reset(args.exercise, args.file)
    if "." in args.exercise:
        name = exercise_named(args.exercise).name
        if Progress().of(name).passed:
            Progress().record(name, passed=False)
        print(f"{name} is as it was handed out, in {place}.")
    else:
        print(f"{place} is as it was handed out.")
    if kept is not None:
        print(f"What you had: {kept}")
    print("If it is open in JupyterLab: File, Reload Notebook from Disk.")
    return 0
