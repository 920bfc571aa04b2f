"""`ptwalk scenarios`: the races that ship, and what is expected of each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ptwalk.commands.options import print_json
from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "scenarios",
        help="list the races that can be explored",
        description="Lists the scenarios: name, kernel, whether a rule is broken never or sometimes, and the story.",
        epilog="Example: ptwalk scenarios collapse",
    )
    parser.add_argument(
        "word", nargs="?", default="", metavar="WORD", help="only those whose name or story has the word"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Lists the scenarios."""
    from ptwalk.trials.listing import scenarios

    found = scenarios(args.word)
    if not found:
        raise PtwalkError(f"no scenario has {args.word!r} in its name or story; ptwalk scenarios lists all")
    if args.json:
        print_json(found.to_json())
    else:
        print(found)
    return 0
