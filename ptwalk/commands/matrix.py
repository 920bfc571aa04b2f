"""`ptwalk matrix`: every walker against everybody who changes page tables, release by release."""

from __future__ import annotations

import argparse
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from ptwalk.commands.explore import add_axis, axes_said
from ptwalk.commands.options import print_json
from ptwalk.commands.progress_bar import ProgressBar
from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "matrix",
        help="walker × changer × release: a proof or a counterexample in each cell",
        description="Tries every walker against everybody who changes page tables, on every release preset. A cell "
        "says safe (all executions were explored), which oracle found a bug, or - where that kernel has no such "
        "changer.",
        epilog="Example: ptwalk matrix --release 6.1 --walker read --walker irqs-off",
    )
    parser.add_argument(
        "--walker", action="append", metavar="W", help="only this walker (may be given again)"
    )
    parser.add_argument(
        "--changer", action="append", metavar="C", help="only this changer (may be given again)"
    )
    parser.add_argument(
        "--release", action="append", metavar="R", help="only this release (may be given again)"
    )
    parser.add_argument("--arch", default="x86-64", metavar="A", help="x86-64 or arm64")
    add_axis(parser)
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="so many processes (default: one for each core, or 1 for a few cells)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=run)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run(args: argparse.Namespace) -> int:
    """Fills the matrix and prints it."""
    from ptwalk.trials.matrix import matrix

    if args.jobs is not None and args.jobs < 1:
        raise PtwalkError(f"--jobs {args.jobs}: give a positive number")
    chosen = (args.walker, args.changer, args.release)
    few = bool(args.walker and args.changer)
    jobs = args.jobs or (1 if few else os.cpu_count() or 1)
    with ProgressBar("filling the matrix") as bar:
        if jobs == 1:
            found = matrix(*chosen, arch=args.arch, axes=axes_said(args), progress=bar.update)
        else:
            with ProcessPoolExecutor(jobs, initializer=_leave_interrupts_to_the_parent) as executor:
                found = matrix(
                    *chosen, arch=args.arch, axes=axes_said(args), executor=executor, progress=bar.update
                )
    if args.json:
        print_json(found.to_json())
    else:
        print(found)
    return 0
