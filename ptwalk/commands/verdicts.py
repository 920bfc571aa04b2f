"""How marks are said on a terminal, and written into the learner's record.

Part of `cli`; knows marks and exercises, judges nothing.
"""

from __future__ import annotations

import argparse
import shutil
import textwrap

from ptwalk.checks.mark import STATES, Mark, Marked
from ptwalk.checks.progress import Progress
from ptwalk.checks.registry import exercises
from ptwalk.checks.sandbox import WALLS, Limits
from ptwalk.commands.options import BadArgument

SIGNS = {"passed": "✓", "partly": "½", "not yet": "✗", "stopped": "!", "open": "·", "missing": "-"}


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say how much a learner's code may use."""
    parser.add_argument(
        "--seconds", type=float, default=20.0, metavar="N", help="how long one cell may run (20)"
    )
    parser.add_argument(
        "--memory", type=int, default=2048, metavar="MB", help="how much memory the code may use (2048)"
    )


def limits(args: argparse.Namespace) -> Limits:
    """The limits that the arguments say; raises `BadArgument` for those no run can keep."""
    if not 0 < args.seconds <= 3600:
        raise BadArgument(f"--seconds {args.seconds:g} makes no sense; give 1 to 3600")
    if args.memory < 256:
        raise BadArgument(f"--memory {args.memory} is too little for Python and the checks; give 256 or more")
    return Limits(memory=args.memory << 20)


def lines(marked: Marked) -> list[str]:
    """A file's marks as lines of text, folded to the terminal."""
    found = [marked.file]
    if marked.unreadable:
        return [*found, *_folded(f"  ! {marked.unreadable}", 4)]
    for mark in marked.marks:
        found += said(mark)
    for remark in marked.remarks:
        found += _folded(f"  - {remark}", 4)
    return found


def said(mark: Mark, brief: bool = False) -> list[str]:
    """One mark as lines of text; `brief` leaves out the words."""
    exercise = exercises()[mark.exercise]
    head = f"  {SIGNS[mark.state]} {mark.exercise} {exercise.title}: {STATES[mark.state]}"
    if mark.state == "partly":
        head += f", {sum(holds for _, holds in mark.parts)} of {len(mark.parts)} parts"
    found = [head]
    if not brief and mark.state not in ("open", "missing"):
        found += _folded(f"      {mark.words}", 6)
        found += [f"      {'✓' if holds else '✗'} {name}" for name, holds in mark.parts]
        if mark.state in ("partly", "not yet"):
            found.append(f'      Stuck? In the notebook: ptwalk.hint("{mark.exercise}")')
    return found


def _folded(text: str, indent: int) -> list[str]:
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    return textwrap.wrap(
        text, max(width, 40), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def walls_said(walls: tuple[str, ...]) -> str:
    """One sentence on the limits that stood round the learner's code, and those this system does not give."""
    lacking = [wall for wall in WALLS if wall not in walls]
    text = f"Run in a process of its own, with limits on {', '.join(('time', 'output', *walls))}."
    return text + (f" This system gives no limit on {', '.join(lacking)}." if lacking else "")


def write_down(mark: Mark) -> None:
    """Write one mark into the learner's own record: a try, and a pass if it is one."""
    if mark.tried:
        progress = Progress()
        before = progress.of(mark.exercise)
        passed = before.passed or mark.state == "passed"
        progress.record(mark.exercise, tries=before.tries + 1, passed=passed)
