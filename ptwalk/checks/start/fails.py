"""Exercise 00.3: eight schedule lines of DAMON v34 against munmap: which break a rule?"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.explore.replay import Step
from ptwalk.trials import replay

SCENARIO = "munmap-vs-damon-v34"

# Kinds of lines: what CPU 0 and CPU 1 do, and what to say to somebody who judged one wrongly.
FINISHED, FIRST, EARLY, FREED, NOT_FREED, LOCKED, LATE_LOCK, UNUSED = range(8)
WORDS = {
    FINISHED: "it ran to the end, and CPU 0 was through before CPU 1 began.",
    FIRST: "CPU 0 read 'none' in the pmd, and left.",
    EARLY: "CPU 0 stopped before it had read the pmd. When it went on it found 'none' there.",
    FREED: "CPU 0 used the table after it was freed. A freed page is not yours, reused or not.",
    NOT_FREED: "the table was unlinked and not yet freed when CPU 0 used it.",
    LOCKED: "CPU 0 had the lock before CPU 1 cleared the entries, so CPU 1 had to wait.",
    LATE_LOCK: "the lock was taken after the entries were cleared. Who waits for that lock then?",
    UNUSED: "the table was freed, and CPU 0 took no further step.",
}


@dataclass(frozen=True)
class Lines:
    """Eight schedule lines, and the steps of each CPU when it runs alone; the kinds are not shown."""

    seed: int
    steps: tuple[str, ...]
    lines: tuple[str, ...]
    kinds: tuple[int, ...]

    def __repr__(self) -> str:
        """The steps of both, then the lines."""
        rows = [f"line {number}:  {line}" for number, line in enumerate(self.lines)]
        return "\n".join((*self.steps, "", *rows, f"(seed {self.seed})"))


@dataclass(frozen=True)
class Marks:
    """How many steps each CPU has taken, alone, when something has happened."""

    loaded: int  # CPU 0 has loaded the pmd for the last time; its next step takes the lock
    finished: int
    before_lock: int  # CPU 1 is about to take the lock
    zapped: int  # CPU 1 has cleared the entries and dropped the lock
    cut: int
    freed: int
    left: int


@cache
def _alone(cpu: int) -> tuple[Step, ...]:
    return replay(SCENARIO, f"{cpu}x60").steps


@cache
def marks() -> Marks:
    """Where the two CPUs do what matters."""

    def at(cpu: int, kind: str) -> int:
        return next(number for number, step in enumerate(_alone(cpu), 1) if step.kind == kind)

    return Marks(
        loaded=at(0, "lock") - 1,
        finished=len(_alone(0)),
        before_lock=at(1, "lock") - 1,
        zapped=at(1, "unlock"),
        cut=at(1, "clear"),
        freed=at(1, "free"),
        left=len(_alone(1)),
    )


def _line(kind: int, dice: random.Random) -> str:
    at = marks()
    if kind == FINISHED:
        return f"0x{at.finished} 1x{dice.randint(at.freed - 2, at.left)}"
    if kind == FIRST:
        return f"1x{dice.randint(at.cut, at.left)} 0x3"
    if kind == EARLY:
        return f"0x{dice.randint(1, 2)} 1x{dice.randint(at.freed, at.left)} 0x1"
    if kind == FREED:
        return f"0x{at.loaded} 1x{dice.randint(at.freed, at.left)} 0x1"
    if kind == NOT_FREED:
        return f"0x{at.loaded} 1x{dice.randint(at.cut, at.freed - 1)} 0x3"
    if kind == LOCKED:
        return f"0x{dice.randint(at.loaded + 1, at.finished - 2)} 1x{at.before_lock} 0x2"
    if kind == LATE_LOCK:
        zapped = dice.randint(at.zapped, at.cut - 1)
        return f"0x{at.loaded} 1x{zapped} 0x1 1x{at.freed - zapped} 0x1"
    return f"0x{at.loaded} 1x{dice.randint(at.freed, at.left)}"


def _shown() -> tuple[str, ...]:
    rows = []
    for cpu in (0, 1):
        rows.append(f"CPU {cpu} alone:")
        rows += [f"  {number:2}  {step.text}" for number, step in enumerate(_alone(cpu), 1)]
    return tuple(rows)


@cache
def truth(seed: int) -> tuple[bool, ...]:
    """Which lines break a rule, by replay."""
    return tuple(replay(SCENARIO, line).report is not None for line in draw(seed).lines)


@cache
def draw(seed: int) -> Lines:
    """Eight lines, of at least seven kinds; the same for the same seed."""
    for attempt in range(50):
        dice = random.Random(f"fails {seed} {attempt}")
        kinds = [FREED, LATE_LOCK, *dice.sample(range(8), 6)]
        if len(set(kinds)) < 6:
            continue
        dice.shuffle(kinds)
        if seed == 1 or [kind in (FREED, LATE_LOCK) for kind in kinds] != [
            kind in (FREED, LATE_LOCK) for kind in draw(1).kinds
        ]:
            return Lines(seed, _shown(), tuple(_line(kind, dice) for kind in kinds), tuple(kinds))
    raise AssertionError(f"seed {seed} gives no set of lines of its own")


def check(answer: object, seed: int) -> str:
    """Each line is replayed, and compared with what the learner says of it."""
    if not isinstance(answer, list | tuple) or len(answer) != 8:
        raise NotYet("Give a list of eight: True where the line breaks a rule, False where it does not.")
    odd = next((n for n, value in enumerate(answer) if value not in (True, False) or value is None), None)
    if odd is not None:
        raise NotYet(f"Line {odd}: {shown(answer[odd])} is neither True nor False.")
    given, right = tuple(map(bool, answer)), truth(seed)
    if all(given):
        raise NotYet("You say that every line breaks a rule. In one of them CPU 0 never meets CPU 1 at all.")
    if not any(given):
        raise NotYet("You say that no line breaks a rule. In at least one, a freed table is used.")
    wrong = [n for n in range(8) if given[n] != right[n]]
    if not wrong:
        return "All eight lines replayed, and each is as you say."
    kinds = draw(seed).kinds
    if len(wrong) > 5:
        raise NotYet(f"{len(wrong)} of eight are the other way round. True means: this line breaks a rule.")
    first = wrong[0]
    claim = "breaks a rule" if given[first] else "is fine"
    raise NotYet(f"Line {first}, {draw(seed).lines[first]}: you say it {claim}. Look: {WORDS[kinds[first]]}")


EXERCISE = Exercise(
    name="00.3",
    title="Fails or not?",
    notebook="00_start_here",
    kind="predict",
    difficulty=1,
    minutes=5,
    hints=(
        "Ask only: what was the table when CPU 0 used it?",
        "Write beside each line: in the tree, cut off, or freed. CPU 1 cuts it off where it clears the pmd, and frees "
        "it five steps later.",
        "The surprise is a lock taken late. CPU 1 takes that lock once, to clear the entries, and never again.",
    ),
    why="Not the lock and not luck decide, but what the table was when it was used.",
    check=check,
    problem=draw,
)
