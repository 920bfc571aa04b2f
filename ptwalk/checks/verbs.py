"""The words a notebook uses: start, problem, check, hint, solution, progress.

Ties together the registry, the learner's record and the time limit. Seeds live as long as the session: the
same seed gives a neighbour the same problem.
"""

from __future__ import annotations

import io
import random
from contextlib import redirect_stdout

from ptwalk.checks.exercise import Exercise
from ptwalk.checks.failed import latest
from ptwalk.checks.notyet import NotYet, Passed, Words
from ptwalk.checks.preflight import line_of
from ptwalk.checks.progress import Done, Progress
from ptwalk.checks.registry import NOTEBOOKS, exercise_named, exercises, notebook_named, solution_code
from ptwalk.checks.timelimit import OutOfTime, time_limit
from ptwalk.errors import PtwalkError

FIRST_SEED = 1
"""The seed that everyone begins with, so that a room has the same numbers on the screen."""

PRINTED_LINES = 10
"""How many lines of what a learner's function prints are shown; it may be called thousands of times."""

_seeds: dict[str, int] = {}


def start(number: str) -> None:
    """Begin notebook `number`: print its title and how long it and its exercises take."""
    book = notebook_named(number)
    mine = sum(exercise.minutes for exercise in exercises().values() if exercise.notebook == book.stem)
    then = f", {mine} for the exercises" if mine else ""
    print(f"{book.number} {book.title} · about {book.minutes} minutes alone{then}")


def problem(name: str, seed: int | str | None = None) -> object:
    """The data of exercise `name`. A number as `seed` gives a neighbour the same problem, "new" a fresh one."""
    exercise = exercise_named(name)
    if exercise.problem is None:
        raise PtwalkError(f"exercise {exercise.name} is the same for everyone: it has no problem to draw")
    if seed == "new":
        seed = random.SystemRandom().randrange(2, 10_000)
        print(f'New problem. For a neighbour: ptwalk.problem("{exercise.name}", seed={seed})')
    if seed is not None:
        if not isinstance(seed, int):
            raise PtwalkError(f'seed is a whole number, or "new"; got {seed!r}')
        _seeds[exercise.name] = seed
    return exercise.problem(_seeds.get(exercise.name, FIRST_SEED))


def check(name: str, answer: object = None, *, seed: int | None = None) -> Passed:
    """Check an answer to exercise `name`: `Passed`, or raise `NotYet` with one kind line.

    `seed` says which problem the answer belongs to; without it, the one last drawn in this session.
    """
    exercise = exercise_named(name)
    record = Progress()
    before = record.of(exercise.name)
    chosen = _seeds.get(exercise.name, FIRST_SEED) if seed is None else seed
    printed = _Printed()
    shown = latest()
    try:
        with redirect_stdout(printed):
            compared = compare(exercise, answer, chosen)
    except NotYet as not_yet:
        record.record(exercise.name, tries=before.tries + 1)
        race = latest()
        raise NotYet(
            not_yet.observed, exercise.name, not_yet.parts, race if race is not shown else None
        ) from None
    finally:
        printed.show()
    record.record(exercise.name, tries=before.tries + 1, passed=True)
    return Passed(f"✓ {exercise.name} passed: {exercise.title}", f"{compared}\nWhy it works: {exercise.why}")


def compare(exercise: Exercise, answer: object, seed: int) -> str:
    """Hold an answer against its exercise, within its time: what was compared, or raise `NotYet`. Records nothing."""
    try:
        with time_limit(exercise.seconds):
            return exercise.check(answer, seed)
    except OutOfTime as out:
        raise NotYet(
            f"After {exercise.seconds:g} seconds your code was still running{line_of(out.__traceback__)}. "
            "Does each turn of your loop come nearer to its end?"
        ) from None
    except NotYet:
        raise
    except Exception as error:
        # An answer of a form that nobody thought of: it is not right, and its author gets a sentence all the same.
        said = " ".join(str(error).split())[:120]
        raise NotYet(
            f"The check can't make sense of what you handed in. It came upon {type(error).__name__}: {said}"
            f"{line_of(error.__traceback__)}. Is it of the form that the exercise asks for?"
        ) from error


def hint(name: str, level: int | None = None) -> Words:
    """The next hint for exercise `name` (there are three), or the one of `level` 1 to 3."""
    exercise = exercise_named(name)
    record = Progress()
    seen = record.of(exercise.name).hints
    if level is None:
        level = min(seen + 1, 3)
    if level not in (1, 2, 3):
        raise PtwalkError(f"hints have level 1, 2 or 3, not {level!r}")
    record.record(exercise.name, hints=max(seen, level))
    then = (
        f'Next: ptwalk.hint("{exercise.name}")' if level < 3 else f'Next: ptwalk.solution("{exercise.name}")'
    )
    return Words(f"Hint {level} of 3 for {exercise.name}", f"{exercise.hints[level - 1]}\n{then}")


def solution(name: str) -> Words:
    """The solution of exercise `name`: after a pass, or when asked for the second time."""
    exercise = exercise_named(name)
    record = Progress()
    done = record.of(exercise.name)
    record.record(exercise.name, solution_asked=done.solution_asked + 1)
    if not done.passed and not done.solution_asked:
        return Words(
            f"{exercise.name} is still open",
            "Ask once more and you get the solution. "
            f'Or take a hint first: ptwalk.hint("{exercise.name}"), {max(0, 3 - done.hints)} not seen yet.',
        )
    return Words(f"One solution of {exercise.name}", f"Why it works: {exercise.why}", solution_code(exercise))


def progress() -> Words:
    """What is done and what comes next. Self-assessed; nothing leaves this machine."""
    done = Progress().all()
    lines = []
    for book in NOTEBOOKS:
        for exercise in (e for e in exercises().values() if e.notebook == book.stem):
            entry = done.get(exercise.name, Done())
            mark = "✓" if entry.passed else "…" if entry.tries else "·"
            tries = f", {entry.tries} tries" if entry.tries > 1 else ""
            lines.append(f"{mark} {exercise.name} {exercise.title} ({exercise.stars}{tries})")
    passed = sum(entry.passed for name, entry in done.items() if name in exercises())
    return Words(f"{passed} of {len(exercises())} exercises passed (self-assessed)", "\n".join(lines))


class _Printed(io.TextIOBase):
    """Keeps the first lines of what a learner's function prints and counts the rest."""

    def __init__(self) -> None:
        self._text = ""
        self._more = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = self._text.count("\n") < PRINTED_LINES and len(self._text) < 2000
        if room:
            self._text += text[:2000]
        else:
            self._more += text.count("\n")
        return len(text)

    def show(self) -> None:
        if self._text.strip():
            print("Your code printed:", self._text.rstrip("\n"), sep="\n")
        if self._more:
            print(f"… and {self._more} more lines.")
