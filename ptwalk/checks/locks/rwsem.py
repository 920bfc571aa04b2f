"""Exercise 03.1: who may enter a reader/writer lock with a downgrade, held against the machine's own."""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement, permutations

from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import Learner, shown
from ptwalk.machine.machine import Machine
from ptwalk.machine.operation import Memory, Operation
from ptwalk.machine.rwsem import DownRead, DownWriteSlow, RwSemaphore, downgrade_write

HOLDS = ("R", "W", "downgraded")
WANTS = ("R", "W", "downgrade")
MOST = 3


@cache
def reachable() -> tuple[tuple[str, ...], ...]:
    """Which holders there can be together: none to three, as the machine lets them in, sorted."""
    found: set[tuple[str, ...]] = {()}
    for count in range(1, MOST + 1):
        for holders in combinations_with_replacement(HOLDS, count):
            if any(_enter(order) is not None for order in permutations(holders)):
                found.add(holders)
    return tuple(sorted(found, key=lambda held: (len(held), held)))


def _enter(holders: tuple[str, ...]) -> tuple[RwSemaphore, Memory] | None:
    """The lock with these holders, CPU 0 first; None if one of them would have to wait."""
    machine = Machine("x86-64-4level", MOST + 1)
    sem = RwSemaphore(machine, "lock", "mmap_lock")
    memory: Memory = machine.cells.memory()
    for cpu, holder in enumerate(holders):
        take: Operation = DownRead(sem) if holder == "R" else DownWriteSlow(sem)
        memory[sem.waiting] += holder != "R"  # the slow way strikes itself off the queue
        free = take.enabled(memory, cpu) if holder != "R" else not memory[sem.writer]
        if not free:
            return None
        take.execute(memory, cpu)
        if holder == "downgraded":
            downgrade_write(sem).execute(memory, cpu)
    return sem, memory


@cache
def enters(held: tuple[str, ...], wanted: str) -> bool:
    """What the machine's own lock does: does a newcomer get in, or one of the holders get its downgrade?"""
    for order in permutations(held):
        state = _enter(order)
        if state is None:
            continue
        sem, memory = state
        if wanted == "downgrade":
            return bool(memory[sem.writer])
        newcomer = len(held)
        if wanted == "R":
            return DownRead(sem).enabled(memory, newcomer)
        memory[sem.waiting] += 1
        return DownWriteSlow(sem).enabled(memory, newcomer)
    raise AssertionError(f"{held} never hold it together")


def check(answer: object, seed: int) -> str:
    """Every set of up to three holders that can be, and each of three wishes."""
    may_enter = Learner(answer, "may_enter", ("held", "wanted"))
    for held in reachable():
        for wanted in WANTS:
            given = may_enter([*held], wanted)
            if not isinstance(given, bool):
                raise NotYet(f"may_enter({[*held]}, {wanted!r}) gave {shown(given)}. Give True or False.")
            if given != enters(held, wanted):
                raise NotYet(f"may_enter({[*held]}, {wanted!r}) gave {given}. {_why(held, wanted, given)}")
    return f"Compared with the machine's own lock: {len(reachable())} sets of holders, three wishes each."


def _why(held: tuple[str, ...], wanted: str, given: bool) -> str:
    if wanted == "downgrade":
        if given and "W" not in held:
            who = "Nobody holds the lock" if not held else "Nobody of the holders holds W"
            return f"{who}: only a writer has something to give up."
        return "A writer may always give up its sole right."
    if not held:
        return "Nobody holds the lock."
    if given and "downgraded" in held and wanted == "W":
        return "A writer would come in while munmap, downgraded, still frees tables."
    if given and wanted == "W":
        return "A writer would be in beside somebody else."
    if given:
        return "A reader would see the writer's work half done."
    if "downgraded" in held:
        return "The machine lets a reader in beside a downgraded holder: that is what munmap does it for."
    return "The machine lets readers in beside readers."


EXERCISE = Exercise(
    name="03.1",
    title="Who with whom",
    notebook="03_locks",
    kind="compute",
    difficulty=2,
    minutes=12,
    hints=(
        "What is left of a writer's right after the downgrade?",
        "From then on a downgraded holder is a reader like others.",
        "R: no W is held. W: nothing is held. downgrade: one of the holders holds W.",
    ),
    why="A downgrade leaves a reader behind, and there is no moment in which nobody holds the lock. So readers come "
    "in while munmap frees tables; writers do not.",
    check=check,
)
