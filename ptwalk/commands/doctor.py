"""`ptwalk doctor`: will the course run here? Each answer in plain words, with the mend."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from ptwalk.commands.options import print_json
from ptwalk.commands.progress_bar import ProgressBar

if TYPE_CHECKING:
    from ptwalk.commands.rehearsal import Finding

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

SIGNS = {"good": "✓", "odd": "!", "bad": "✗"}


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "doctor",
        help="will the course run here? with the mend if not",
        description="Looks at Python, packages, kernel, widgets, browser, settings, room on disk, and the checks. "
        "Run it on the machine of the class, the day before.",
        epilog="Exit code 0: the course runs; 1: something must be mended first.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="leave out what starts a kernel or judges an answer"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Asks every question and prints the answers."""
    with ProgressBar("looking round"):
        found = list(findings(args.quick))
    bad = sum(finding.state == "bad" for finding in found)
    odd = sum(finding.state == "odd" for finding in found)
    if args.json:
        print_json([asdict(finding) for finding in found])
        return int(bool(bad))
    for finding in found:
        print(f"{SIGNS[finding.state]} {finding.name}: {finding.words}")
        if finding.mend:
            print(f"    mend: {finding.mend}" if finding.state == "bad" else f"    {finding.mend}")
    if bad:
        print(f"The course will not run well yet: {bad} to mend, marked ✗.")
    else:
        print(f"The course runs here.{f' {odd} to know, marked !.' if odd else ''}")
    return int(bool(bad))


def findings(quick: bool) -> Iterator[Finding]:
    """Every answer; one that goes wrong by itself is an answer as well."""
    from ptwalk.commands import rehearsal

    questions = [
        rehearsal.versions,
        rehearsal.kernel,
        rehearsal.widgets,
        rehearsal.jupyter_settings,
        rehearsal.browser,
        rehearsal.room,
        rehearsal.terminal,
        rehearsal.judging,
    ]
    for question in questions:
        if quick and question in (rehearsal.kernel, rehearsal.judging):
            continue
        try:
            yield from question()
        except Exception as error:
            name = question.__name__.replace("_", " ")
            words = f"this question could not be asked: {type(error).__name__}: {error}"
            yield rehearsal.Finding(name, "odd", words, "tell the course's authors")
