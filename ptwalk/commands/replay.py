"""`ptwalk replay WHAT SCHEDULE`: one run of a race, step by step."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from ptwalk.commands.explore import add_kernel, kernel
from ptwalk.commands.options import print_json
from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "replay",
        help="run a race along one schedule, step by step",
        description="Runs a scenario along one schedule and shows every step, with its source line, and what it broke.",
        epilog="Example: ptwalk replay munmap-vs-damon-v34 '0x5 1x28 0x1'",
    )
    parser.add_argument("what", metavar="WHAT", help="a scenario; or FILE.py:FUNCTION, a walker of yours")
    parser.add_argument("schedule", metavar="SCHEDULE", help="the line that explore printed, in quotes")
    parser.add_argument(
        "--against", metavar="CHANGER", default="munmap", help="for a walker of yours: against whom"
    )
    parser.add_argument("--own", action="store_true", help="the walker walks its own process's page tables")
    add_kernel(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--html", metavar="FILE", help="also write the run as a page to step through, complete in itself"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replays and prints the steps."""
    from ptwalk.trials.explore import replay
    from ptwalk.trials.own_walker import own_scenario
    from ptwalk.trials.story import replay_json
    from ptwalk.trials.walker_file import walker_in

    said = kernel(args)
    if ".py:" in args.what or args.what.endswith(".py"):
        walker = walker_in(args.what)
        what: object = own_scenario(walker, args.against, said.pop("release", "6.1"), own=args.own, **said)
        said = {}
    else:
        what = args.what
    done = replay(what, args.schedule, **said)
    if args.json:
        print_json(replay_json(done))
    else:
        print(done)
    if args.html:
        _save(args.html, what, str(done.schedule), said)
    return 0 if done.report is None else 1


def _save(path: str, what: object, schedule: str, said: dict[str, Any]) -> None:
    from ptwalk.trials.playing import play
    from ptwalk.views.stepper_page import save

    timeline, session = play(what, schedule, **said)
    try:
        written = save(path, timeline, tree=session.branches(timeline))
    except OSError as error:
        raise PtwalkError(
            f"{path} cannot be written: {error.strerror}; give another file after --html"
        ) from None
    print(f"wrote {written}: open it in a browser, it needs no network", file=sys.stderr)
