"""The command line: finds the verb, runs it, and turns every mistake into one sentence.

May import everything; does little. Each verb is a module of `ptwalk.commands`, whose list is `MODULES`
there. Exit codes: 0 done, 1 done and the answer is no, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from ptwalk.commands import MODULES
from ptwalk.errors import PtwalkError


class _Parser(argparse.ArgumentParser):
    """An argument parser that answers a mistake with one sentence and where to read more."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line, each verb added by its own module."""
    top = _Parser(
        prog="ptwalk",
        description="Walk page tables: of a captured machine, of a number you have, of a race.",
        epilog="Each verb explains itself: ptwalk walk --help.",
    )
    verbs = top.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    for name in MODULES:
        import_module(f"ptwalk.commands.{name}").register(verbs)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    A `PtwalkError` becomes its sentence on stderr and exit code 2. A reader that closes the pipe early
    (`ptwalk maps … | head`) ends the command quietly.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✓ shows ? and goes on
    try:
        args = parser().parse_args(arguments)
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except PtwalkError as error:
        print(f"ptwalk: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Python would flush stdout once more at exit and complain; give it something to flush into.
        _hush()
        return 0
    except KeyboardInterrupt:
        print("ptwalk: interrupted", file=sys.stderr)
        return 130


def _hush() -> None:
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


if __name__ == "__main__":
    raise SystemExit(main())
