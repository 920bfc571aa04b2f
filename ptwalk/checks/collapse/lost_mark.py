"""Exercise 06.1: a schedule in which the store of DAMON v34 goes into a table that khugepaged has cut off."""

from __future__ import annotations

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.explore.replay import Replay, Step
from ptwalk.machine.entries import ChangeEntry
from ptwalk.trace.report import Report

SCENARIO = "collapse-anon-vs-damon-v34"


def check(answer: object, seed: int) -> str:
    """Replays the line; the store must land in a table that is cut off and not freed."""
    if isinstance(answer, str) and answer.strip().lower() in ("none", "cannot", "safe"):
        raise NotYet("You say that there is none. The search found one, with two switches.")
    if isinstance(answer, str) and "munmap-vs" in answer:
        raise NotYet(f"That line is of munmap, which frees the table: notebook 05. Here it is {SCENARIO}.")
    done = race.played(SCENARIO, answer)
    report = done.report
    if isinstance(report, Report) and report.sanitizer == "detached":
        turns = "switch" if done.schedule.switches == 1 else "switches"
        return f"The store went into a table that was cut off and never freed ({done.schedule.switches} {turns})."
    raise NotYet(_what_happened(done))


def _what_happened(done: Replay) -> str:
    walker = [step for step in done.steps if step.cpu == 0]
    if not walker:
        return "In your line CPU 0 takes no step at all."
    store = next((step for step in walker if isinstance(step.operation, ChangeEntry)), None)
    cut = _number(done, 1, "xchg", "pmd")
    if cut is None:
        told = (
            f" ({_turn(done).capitalize()} of your line does not fit: that CPU was blocked or done.)"
            if done.diverged
            else ""
        )
        if store is None:
            return f"In your line nothing was cut off, and CPU 0 wrote nothing.{told}"
        return f"In your line nothing was cut off before it ended.{told}"
    if store is None:
        return _no_store(done, walker, cut)
    if store.number < cut:
        return (
            f"CPU 0 wrote in step {store.number}, and the table was cut off in step {cut}. At the store it was still "
            "linked: an ordinary update."
        )
    return (
        f"CPU 0 wrote in step {store.number} into the new huge entry, which hangs in the tree: an ordinary update. "
        "It had read the pmd after the collapse was through."
    )


def _no_store(done: Replay, walker: list[Step], cut: int) -> str:
    pmd = next((step.number for step in walker if _level(step) == "pmd"), None)
    if pmd is None or pmd > cut:
        return f"CPU 0 read the pmd after step {cut}, in which it was cleared. It saw none, and left."
    zapped = _number(done, 1, "xchg", "pte")
    read = [step for step in walker if _level(step) == "pte"]
    if read and zapped is not None and read[0].number > zapped:
        return (
            f"CPU 0 read the pte in step {read[0].number}. It was cleared in step {zapped}, so it was "
            f"not present, and "
            "CPU 0 wrote nothing."
        )
    if done.diverged:
        return (
            f"{_turn(done).capitalize()} of your line can't be played: that CPU waits for a lock there, or is done. "
            "CPU 0 wrote nothing."
        )
    last = walker[-1]
    return f"In your line CPU 0 stops before its store. The last thing it did, in step {last.number}: it {last.text}."


def _turn(done: Replay) -> str:
    words = done.diverged.split("turn ")
    return f"turn {words[1].split(' ')[0]}" if len(words) > 1 else "the end"


def _level(step: Step) -> str:
    pointer = getattr(step.operation, "pointer", None)
    return "" if pointer is None else str(pointer.level.name)


def _number(done: Replay, cpu: int, kind: str, level: str) -> int | None:
    found = (s.number for s in done.steps if s.cpu == cpu and s.kind == kind and _level(s) == level)
    return next(found, None)


EXERCISE = Exercise(
    name="06.1",
    title="The lost mark",
    notebook="06_race_collapse",
    kind="find the schedule",
    difficulty=2,
    minutes=10,
    hints=(
        "khugepaged cuts the pmd in one step, and takes the lock of the pte table only later. What fits in between?",
        "The cut is made under the lock of the PMD table. Your lock, in the pte table, does not stop it.",
        "CPU 0: read the pmd for the last time. CPU 1: to the step that clears the pmd. CPU 0: lock, read, write.",
    ),
    why=(
        "The table is memory, and its lock is a lock. But nobody will walk to it again: khugepaged has what it "
        "read, or reads it once more and copies. The mark is in no place that anybody looks at."
    ),
    check=check,
    seconds=10.0,
)
