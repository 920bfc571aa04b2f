"""Exercise 00.1: break DAMON v34 by hand, with a schedule line."""

from __future__ import annotations

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.explore.replay import Replay, Step
from ptwalk.trace.report import Report
from ptwalk.trials import explore

SCENARIO = "munmap-vs-damon-v34"


def check(answer: object, seed: int) -> str:
    """Any broken rule counts; then the learner hears how the shortest schedule compares."""
    done = race.played(SCENARIO, answer)
    if not isinstance(done.report, Report):
        raise NotYet(_unharmed(done))
    shortest = explore(SCENARIO)
    mine = (done.schedule.switches, len(done.steps))
    least = (shortest.switches or 0, shortest.steps or 0)
    said = f"Step {len(done.steps)}: {done.report.title}. Your schedule has {mine[0]} switches."
    if mine == least:
        return f"{said} There is no shorter one."
    return f"{said} The shortest has {least[0]} switches and {least[1]} steps, yours has {mine[1]} steps."


def _unharmed(done: Replay) -> str:
    """Why this run broke nothing, by what was done in which order."""
    walker = [step for step in done.steps if step.cpu == 0]
    other = [step for step in done.steps if step.cpu == 1]
    if not walker or not other:
        return f"Only CPU {1 if other else 0} took a step. One CPU alone does nothing wrong here."
    cut, freed, zap = (_first(other, kind) for kind in ("clear", "free", "xchg"))
    lock = _first(walker, "lock")
    pmd = walker[2].number if len(walker) > 2 else None
    if lock is not None and walker[-1].number < other[0].number:
        return "CPU 0 finished while the table was live. Stop it while it still holds a pointer."
    if pmd is None or (cut is not None and cut < pmd):
        before = sum(step.number < other[0].number for step in walker)
        if cut is None:
            return f"CPU 0 has read {len(walker)} entries, and your line ends. No table was freed yet."
        if not before:
            return "CPU 0 read 'none' in the pmd and left. It must have read the pmd before CPU 1 clears it."
        return (
            f"Too early: CPU 0 had taken {before} of its steps when CPU 1 began. "
            "The read that matters was still to come."
        )
    if lock is not None and (zap is None or lock < zap):
        return "CPU 1 waits for the lock you hold, and you finish unharmed."
    if freed is not None and walker[-1].number < freed:
        return f"The table was freed in step {freed}. CPU 0 took no step after it, so nobody touched the freed table."
    if cut is not None and freed is None and walker[-1].number > cut:
        return (
            f"Unlinked in step {cut}, not freed: the memory is still a table, its entries already zero. "
            "Let CPU 1 go further."
        )
    last = done.steps[-1]
    return (
        f"No rule was broken. The last step was: CPU {last.cpu} {last.text}. "
        "What was the table then, and who used it?"
    )


def _first(steps: list[Step], kind: str) -> int | None:
    return next((step.number for step in steps if step.kind == kind), None)


EXERCISE = Exercise(
    name="00.1",
    title="Break it by hand",
    notebook="00_start_here",
    kind="find the schedule",
    difficulty=1,
    minutes=4,
    hints=(
        "When does CPU 0 start to hold a pointer to the table?",
        "Two switches are enough; the first is right after a read.",
        "Let CPU 0 read pgd, pud, pmd, pmd, pmd; then CPU 1 until it frees; then one step of CPU 0.",
    ),
    why="CPU 0 read where the table is, and then believed it. Nothing kept the table alive in between.",
    check=check,
)
