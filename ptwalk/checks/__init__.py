"""Checks: did the learner get it, and how do we say so?

Storey 6, the top: may use every room below except `views`.  What a notebook needs is in `verbs`; an exercise is
one value (`exercise.Exercise`), listed by `registry`.  A check raises `NotYet` with one kind line, or returns a
`Passed`.  Nothing here draws, and nothing leaves the learner's machine.
"""

from ptwalk.checks.notyet import NotYet
from ptwalk.checks.verbs import check, hint, problem, progress, solution, start

__all__ = ["NotYet", "check", "hint", "problem", "progress", "solution", "start"]
