"""`ptwalk maps CORE`: what the page tables of a captured process map, like /proc/PID/maps seen from the hardware."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ptwalk.commands.options import add_capture, add_output, open_capture, print_json, write_svg
from ptwalk.commands.progress_bar import ProgressBar

if TYPE_CHECKING:
    from ptwalk.trace.space import MappedRange

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "maps",
        help="list what the page tables of a captured process map",
        description="Lists the mapped ranges of a captured process as its page tables have them: addresses, "
        "rights, how many pages of which size, and the first frame; or, with --tables, the tables themselves.",
        epilog="Example: ptwalk maps x86_64-4level-6.1 --tables",
    )
    add_capture(parser)
    parser.add_argument("--half", choices=("user", "kernel"), help="one half of the address space only")
    parser.add_argument("--tables", action="store_true", help="draw the tree of tables instead of the list")
    parser.add_argument("--rows", type=int, default=64, metavar="N", help="fold the tree to about N rows")
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Enumerates the address space and prints it."""
    from ptwalk.views import space

    capture = open_capture(args)
    with ProgressBar("reading the page tables"):
        ranges = capture.mapped_ranges(args.half)
        tables = list(capture.tables(args.half))
    name = f"{args.core}, process {args.process}"
    limit = max(args.rows, 1)
    fmt = capture.graph(args.half).format
    if args.svg:
        write_svg(args.svg, space.svg(fmt, ranges, tables, name=name, limit=limit))
    if args.json:
        print_json([range_json(run) for run in ranges])
    elif args.tables:
        print(space.text(fmt, ranges, tables, name=name, limit=limit))
    else:
        print("\n".join([*space.summary(fmt, ranges, tables), "", space.listing(ranges)]))
    return 0


def range_json(run: MappedRange) -> dict[str, Any]:
    """A mapped range as plain values, addresses as hexadecimal text."""
    return {
        "start": hex(run.start),
        "end": hex(run.end),
        "physical": hex(run.physical),
        "page_size": run.page_size,
        "pages": run.pages,
        "rights": str(run.rights),
        "kind": run.kind,
    }
