"""`ptwalk walk CORE ADDRESS`: one address, table by table, in a captured machine."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ptwalk.commands.options import add_capture, add_output, number, open_capture, print_json, write_svg
from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "walk",
        help="walk one address of a captured machine, table by table",
        description="Walks virtual addresses through the page tables of a captured process, as the hardware "
        "would, and shows every entry on the way. A walk that finds no page is an answer, not an error.",
        epilog="Example: ptwalk walk x86_64-4level-6.1 0x400000",
    )
    add_capture(parser)
    parser.add_argument(
        "address", nargs="+", metavar="ADDRESS", help="virtual address, such as 0x7f1234567000"
    )
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Walks the addresses and prints each walk."""
    from ptwalk.views import walk as view

    addresses = [number(text) for text in args.address]
    if args.svg and len(addresses) > 1:
        raise PtwalkError("--svg draws one walk; give one address")
    capture = open_capture(args)
    records = [capture.walk(va) for va in addresses]
    if args.svg:
        write_svg(args.svg, view.svg(records[0]))
    if args.json:
        found = [record.to_json() for record in records]
        print_json(found[0] if len(found) == 1 else found)
    else:
        print("\n\n".join(view.text(record) for record in records))
    strange = [record.fault for record in records if record.fault and record.fault.reason == "not canonical"]
    for fault in strange:
        print(f"ptwalk walk: {fault.sentence}", file=sys.stderr)
    return 2 if strange else 0
