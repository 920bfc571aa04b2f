"""Answers to 03.2: schedules that reach the gap, and those that come too early or too late."""

import ptwalk
from ptwalk.checks.locks.gap import READER


def after(kind, more=0):
    """How many steps munmap has taken with its first step of that kind, and `more`."""
    steps = ptwalk.replay(READER, "1x99").steps
    return next(step.number for step in steps if step.kind == kind) + more


RIGHT = {
    "right after the downgrade": lambda: (f"1x{after('downgrade_write')} 0x6", False),
    "after the zap, before the cut": lambda: (f"1x{after('clear', -1)} 0x6", False),
    "as the machine finds it": lambda: (ptwalk.explore(READER).schedule, False),
    "the reader waits in the middle": lambda: (f"1x{after('downgrade_write')} 0x2 1x3 0x4", False),
}
WRONG = {
    "as shipped": (lambda: (None, None), "still empty"),
    "one thing": (lambda: "1x5 0x6", "Hand in two things"),
    "the reader first": (lambda: ("0x2 1x1", False), "it was still attached"),
    "between detach and downgrade": (lambda: (f"1x{after('detach')} 0x6", False), "CPU 0 is blocked there"),
    "after the end": (lambda: ("1x99 0x6", False), "cut off already"),
    "stops too early": (
        lambda: (f"1x{after('downgrade_write')} 0x2", False),
        "ends before it has looked at the pmd",
    ),
    "has not looked": (
        lambda: (f"1x{after('downgrade_write')} 0x1", False),
        "has not looked for the VMA yet",
    ),
    "munmap alone": (lambda: ("1x99", False), "CPU 0 never moves"),
    "possible below a stack too": (
        lambda: (f"1x{after('downgrade_write')} 0x6", True),
        "CPU 0 was never in it",
    ),
    "no claim": (lambda: (f"1x{after('downgrade_write')} 0x6", None), "Can the same happen below a stack?"),
    "no line": (lambda: ("CPU 1, then CPU 0", False), "can't be read"),
}
