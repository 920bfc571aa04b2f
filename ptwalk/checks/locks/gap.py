"""Exercise 03.2: find the moment in which a reader holds the mmap lock, finds no VMA, and the table is still there."""

from __future__ import annotations

from functools import cache

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.explore.replay import Replay
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import is_table, mm_find_pmd
from ptwalk.kernel.vma import find_vma
from ptwalk.scenarios import CHANGERS, pair
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore

GOAL = "mmap_lock is held, there is no VMA, and the table is still linked: the gap."


async def reader(mm: Mm, addr: int) -> None:
    """Takes the lock for reading, looks for the VMA, then at the pmd; ends in the gap if it finds one."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is None or addr not in vma:
            pmd = await mm_find_pmd(mm, addr)
            if pmd is not None and is_table(await pmd.read()):
                await race.Result(GOAL)


READER = pair("munmap-vs-reader-in-the-gap", reader, CHANGERS["munmap"], release="5.15.0")
"""The race: CPU 0 reads, CPU 1 is munmap."""
BELOW_STACK = pair("munmap-stack-vs-reader-in-the-gap", reader, CHANGERS["munmap-stack"], release="5.15.0")
"""The same with a stack VMA above the range."""


@cache
def below_a_stack() -> Verdict:
    """What the explorer says of the gap below a stack VMA."""
    return explore(BELOW_STACK)


def check(answer: object, seed: int) -> str:
    """The schedule must lead into the gap; what is claimed of the stack must be what the search found."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise NotYet("Hand in two things: the schedule, and True or False for the munmap below a stack.")
    line, below_stack = answer
    replay = race.played(READER, line)
    if not reaches(replay):
        raise NotYet(_why(replay))
    if not isinstance(below_stack, bool):
        raise NotYet("The schedule is right. Can the same happen below a stack? Answer True or False.")
    verdict = below_a_stack()
    if below_stack is (verdict.outcome == "safe"):
        raise NotYet(
            "The schedule is right. Below a stack you claim that the gap can be reached: all "
            f"{verdict.executions} executions were searched, and CPU 0 was never in it. Which lock does CPU 1 hold?"
        )
    switches = replay.schedule.switches
    turns = "one switch" if switches == 1 else f"{switches} switches"
    return f"Your schedule reaches the gap with {turns}; below a stack no execution does."


def reaches(replay: Replay) -> bool:
    """Whether a run ended in the gap."""
    return replay.report is not None and GOAL in str(replay.report)


def _why(replay: Replay) -> str:
    mine = [step for step in replay.steps if step.cpu == 0]
    looked = [step for step in mine if step.kind == "find_vma"]
    if "CPU 0" in replay.diverged and "no step at all" in replay.diverged:
        return "CPU 0 is blocked there: CPU 1 holds mmap_lock for writing, and a reader waits."
    if not mine:
        return "CPU 0 never moves in your schedule."
    if not looked:
        return "CPU 0 has not looked for the VMA yet when your schedule ends."
    detached = next((step.number for step in replay.steps if step.kind == "detach"), len(replay.steps) + 1)
    if looked[0].number < detached:
        return "CPU 0 found the VMA: it was still attached. Which step of CPU 1 takes it away?"
    last = mine[-1]
    if last.kind == "up_read":
        return "CPU 0 found no VMA, and then the pmd was empty: the table was cut off already."
    return "CPU 0 found no VMA, but your schedule ends before it has looked at the pmd. Let it go on."


EXERCISE = Exercise(
    name="03.2",
    title="A reader in the gap",
    notebook="03_locks",
    kind="find the schedule",
    difficulty=2,
    minutes=10,
    hints=(
        "When does munmap let readers in?",
        "The downgrade is a step of CPU 1, after the VMA is detached. Count CPU 1's steps up to it.",
        "Run CPU 1 up to and with the downgrade, then CPU 0 to its end: two turns.",
    ),
    why="Detach, downgrade, then free: between the second and the third anybody may read-lock the mmap lock, and finds "
    "tables of no VMA. Below a stack, 5.15 does not downgrade, because a stack may grow under the read lock.",
    check=check,
)
