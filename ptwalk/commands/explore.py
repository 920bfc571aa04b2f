"""`ptwalk explore WHAT`: every interleaving of a race, and the verdict."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ptwalk.commands.options import print_json
from ptwalk.commands.progress_bar import ProgressBar
from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

ENGINES = ("dpor", "states", "brute", "pct")


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "explore",
        help="search every interleaving of a race: bug, safe or incomplete",
        description="Searches every interleaving of a scenario, or of a walker of yours against somebody who changes "
        "page tables, and gives the verdict. Exit code 0: safe; 1: a bug was found, or a limit was hit.",
        epilog="Examples: ptwalk explore munmap-vs-damon-v34; ptwalk explore my_walker.py:walker --against munmap",
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="a scenario (ptwalk scenarios lists them), perhaps with its kernel as in munmap-vs-damon-v34@7.1; or "
        "FILE.py:FUNCTION, a walker of yours",
    )
    parser.add_argument(
        "--against",
        action="append",
        metavar="CHANGER",
        help="for a walker of yours: munmap, collapse-anon, ..., or all (may be given again)",
    )
    parser.add_argument("--own", action="store_true", help="the walker walks its own process's page tables")
    parser.add_argument("--engine", choices=ENGINES, default="dpor", help="how to search (default: dpor)")
    parser.add_argument("--all", action="store_true", help="run on after the first bug and count everything")
    parser.add_argument("--limit", type=int, metavar="N", help="give up after N executions or states")
    add_kernel(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run)


def add_kernel(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which kernel."""
    parser.add_argument("--release", metavar="R", help="kernel release preset, such as 5.15.0, 6.1 or 7.1")
    parser.add_argument("--arch", metavar="A", help="x86-64 or arm64")
    add_axis(parser)


def add_axis(parser: argparse.ArgumentParser) -> None:
    """Adds `--axis`, which changes single choices of the kernel."""
    parser.add_argument(
        "--axis",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one choice of the kernel, such as preemptible=false",
    )


def kernel(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_kernel` as keyword arguments."""
    said: dict[str, Any] = {name: getattr(args, name) for name in ("release", "arch") if getattr(args, name)}
    return said | axes_said(args)


def axes_said(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_axis` as keyword arguments."""
    from ptwalk.trials.subject import value_of_axis

    said: dict[str, Any] = {}
    for text in args.axis:
        name, given, value = text.partition("=")
        if not given:
            raise PtwalkError(f"--axis {text}: write NAME=VALUE, such as preemptible=false")
        said[name] = value_of_axis(name, value)
    return said


def run(args: argparse.Namespace) -> int:
    """Explores and prints the verdict."""
    from ptwalk.trials.explore import explore

    if args.limit is not None and args.limit <= 0:
        raise PtwalkError(f"--limit {args.limit}: give a positive number")
    if ".py:" in args.what or args.what.endswith(".py"):
        return _own(args)
    if args.against:
        raise PtwalkError(
            "--against is for a walker of yours: ptwalk explore my_walker.py:walker --against munmap"
        )
    with ProgressBar(f"exploring {args.what}"):
        verdict = explore(
            args.what, args.engine, stop_at_first=not args.all, limit=args.limit, **kernel(args)
        )
    if args.json:
        print_json(verdict.to_json())
    else:
        print(verdict.text())
    return 0 if verdict.outcome == "safe" else 1


def _own(args: argparse.Namespace) -> int:
    from ptwalk.trials.own_walker import Row, check_walker
    from ptwalk.trials.walker_file import walker_in

    walker = walker_in(args.what)
    said = kernel(args)
    named = args.against or ["munmap"]
    against = named[0] if len(named) == 1 else named
    with ProgressBar(f"exploring {', '.join(named)} against {args.what}"):
        found = check_walker(
            walker,
            against,
            said.pop("release", "6.1"),
            own=args.own,
            engine=args.engine,
            limit=args.limit,
            **said,
        )
    if args.json:
        print_json(found.to_json())
    else:
        print(found if isinstance(found, Row) else found.text())
    return 0 if found.outcome == "safe" else 1
