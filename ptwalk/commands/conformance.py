"""`ptwalk conformance`: the simulated kernel beside recordings of a real one, step by step."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ptwalk.commands.explore import add_axis, axes_said
from ptwalk.commands.options import print_json
from ptwalk.commands.progress_bar import ProgressBar

if TYPE_CHECKING:
    from ptwalk.conformance import Comparison

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "conformance",
        help="does the simulated kernel do what a recorded one did?",
        description="Runs the operations of recordings in the simulator and lays the two runs side by side. Every "
        "step must be in both, in the same order, or a table says why not (docs/conformance.md). Without a name: all "
        "recordings that ship, a line each; with names or files: every step. Exit code 1 if a difference is not "
        "explained.",
        epilog="Example: ptwalk conformance munmap_tables",
    )
    parser.add_argument(
        "what", nargs="*", metavar="NAME|FILE", help="a recording that ships, or a file of your own"
    )
    parser.add_argument(
        "--release",
        metavar="R",
        help="the preset to simulate (default: the newest that is not newer than the recorded kernel)",
    )
    add_axis(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compares and prints; 1 if a difference is not explained."""
    from ptwalk.conformance import compare
    from ptwalk.recordings import names

    wanted, axes = args.what or names(), axes_said(args)
    found: list[Comparison] = []
    with ProgressBar("comparing") as bar:
        for number, what in enumerate(wanted):
            bar.update(number, len(wanted))
            found.append(compare(what, release=args.release, **axes))
    if args.json:
        print_json([comparison.to_json() for comparison in found])
    else:
        print("\n".join(comparison.listing if args.what else str(comparison) for comparison in found))
    return 0 if all(comparison.agrees for comparison in found) else 1
