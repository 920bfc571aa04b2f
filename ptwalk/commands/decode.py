"""`ptwalk decode --arch … --level … ENTRY`: one entry, bit by bit, from the number alone."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ptwalk.arch import FORMAT_NAMES, BadFormat, format_name, format_named
from ptwalk.commands.options import BadArgument, add_output, number, print_json, write_svg
from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

# What people write when they do not care about the address width: the widest use of each kernel's default.
_SHORT = {
    "x86-64": "x86-64-4level",
    "x86_64": "x86-64-4level",
    "arm64": "arm64-4k-48",
    "aarch64": "arm64-4k-48",
}


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "decode",
        help="decode one page-table entry, bit by bit",
        description="Says what 64 bits mean as an entry at one level of one format: every field with its "
        "value and meaning, what the hardware would do, and what Linux would say.",
        epilog=f"Formats: {', '.join(FORMAT_NAMES)}. "
        "Example: ptwalk decode --arch x86-64 --level pte 0x8000000140a65067",
    )
    parser.add_argument(
        "entry", nargs="+", metavar="ENTRY", help="the entry's 64 bits, such as 0x8000000140a65067"
    )
    parser.add_argument(
        "--arch", required=True, metavar="NAME", help="x86-64, arm64, or a format's full name"
    )
    parser.add_argument("--level", required=True, metavar="LEVEL", help="pgd, p4d, pud, pmd or pte")
    parser.add_argument(
        "--release", default="6.1", metavar="X.Y", help="kernel release whose encodings apply (6.1)"
    )
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Decodes the entries and prints each."""
    from ptwalk.views import entry as view

    raws = [number(text, "entry") for text in args.entry]
    if args.svg and len(raws) > 1:
        raise PtwalkError("--svg draws one entry; give one")
    try:
        name = format_name(_SHORT.get(args.arch.lower(), args.arch))
    except BadFormat as error:
        raise BadArgument(
            f"{args.arch!r} is no format; use x86-64, arm64 or one of {', '.join(FORMAT_NAMES)}"
        ) from error
    fmt = format_named(name, release=args.release)
    level = fmt.level(args.level.lower())
    entries = [fmt.decode(raw, level) for raw in raws]
    if args.svg:
        write_svg(args.svg, view.svg(entries[0]))
    if args.json:
        found = [entry.to_json() for entry in entries]
        print_json(found[0] if len(found) == 1 else found)
    else:
        print("\n\n".join(view.text(entry) for entry in entries))
    return 0
