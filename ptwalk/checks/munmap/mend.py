"""Exercise 05.2: mend the walker of the review, against every munmap there is, an exit and a collapse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.solo import Habits, Solo, alone, sound
from ptwalk.scenarios.ground import Ground, anonymous
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Verdict

CHANGERS = "munmap munmap-everything munmap-neighbour munmap-last munmap-stack exit"
Walk = Callable[[Any, int], Awaitable[Any]]


def check(answer: object, seed: int) -> str:
    """The walker does its work alone, and survives every munmap, on kernels that free in three ways."""
    sound(answer)
    walker = cast(Walk, answer)
    solo = alone(walker, ground=_two_pages)
    _does_its_work(solo)
    habits = Habits(solo.steps)

    def words(trial: race.Trial, verdict: Verdict) -> str:
        return _words(habits, trial, verdict)

    tries = race.trials(CHANGERS, "5.15.0")
    tries += race.trials(CHANGERS, "5.15.0", table_free="rcu")
    tries += race.trials("munmap munmap-last", "5.15.0", table_free="rcu", batch_allocation_fails=True)
    # Nobody maps the range anew here, so only a file collapse shows a pmd that was read before the lock.
    tries += race.trials("retract", "5.15.0")
    said = race.safe_against(walker, tries, words=words)
    race.safe_against(walker, race.trials("munmap munmap-last", "5.15.0"), words=words, walkers=2)
    if habits.mmap_mode == "write":
        said += " You took mmap_lock for writing. A reader's lock is enough, and page faults need not wait for it."
    return said


def _two_pages(stage: Stage, threads: Sequence[str]) -> Ground:
    """The page at addr, and another young one beside it, which is nobody's business."""
    return anonymous(stage, threads, pages=2)


def _does_its_work(solo: Solo) -> None:
    addr, page = solo.ground.addr, solo.ground.page
    entry = solo.word(addr)
    if entry.accessed:
        raise NotYet(
            "With nobody else there, the page at addr is still marked accessed after mkold. "
            "A walker that does nothing is safe, and of no use."
        )
    before = solo.ground.mm.initial_table(addr, "pte").contents[solo.ground.mm.format.index(addr, "pte")]
    if entry.raw != solo.ground.mm.format.mkold(before, "pte"):
        raise NotYet(
            f"With nobody else there, the entry went from {before:#x} to {entry.raw:#x}. "
            "Only the accessed bit was to go."
        )
    if not solo.word(addr + solo.ground.mm.format.page_size).accessed:
        raise NotYet(
            "With nobody else there, the next page lost its accessed bit too. Only the page at addr is asked for."
        )
    if page is not None and solo.references(page) != 1:
        raise NotYet("With nobody else there, the page keeps a reference that mkold took on it.")


def _words(habits: Habits, trial: race.Trial, verdict: Verdict) -> str:
    if race.oracle(verdict) == "":
        return ""
    if habits.mmap_lock is None:
        if habits.pml is not None:
            return (
                "You held the lock of the PMD table. munmap cleared the pmd all the same: it takes no "
                "page-table lock to cut a table off."
            )
        if habits.pmd_after_ptl:
            return "You took the lock of a table that was freed, to find out that it was freed."
        return "Your walker took no lock before it read the tables, and munmap freed one under it."
    if habits.read is not None and habits.read < habits.mmap_lock:
        return "You read a table, then took mmap_lock. What you read is older than your lock."
    if habits.find_vma is not None and habits.find_vma < habits.mmap_lock:
        return "The VMA was detached between your look at it and your lock."
    if habits.mmap_unlock is not None and habits.ptl is not None and habits.mmap_unlock < habits.ptl:
        return "You dropped mmap_lock and took the page-table lock then. In between, munmap freed the table."
    if habits.find_vma is None:
        return (
            "You held mmap_lock and asked for no VMA. A munmap that has downgraded holds it too, for "
            "reading, and was "
            "just freeing the tables of this hole."
        )
    if race.oracle(verdict) != "lifetime":
        return ""
    return (
        "Your address was in no VMA, and you walked. What find_vma gave you was the next VMA above "
        "it, which does not "
        "hold the address."
    )


EXERCISE = Exercise(
    name="05.2",
    title="Mend it",
    notebook="05_race_munmap",
    kind="repair",
    difficulty=3,
    minutes=25,
    hints=(
        "What could stop munmap from beginning on your VMA while you are inside? Not a lock that lies in a table.",
        "First lock, then look, then read tables. Look means: is there a VMA that holds this address?",
        "mmap_read_lock; v = await find_vma(mm, addr); if v is None or addr not in v: out; walk; "
        "unlock on every path. "
        "Or mmap_read_lock, walk_page_range with a pmd_entry or pte_entry, unlock: it looks for the VMA itself.",
    ),
    why=(
        "munmap detaches the VMA under mmap_lock for writing. You hold it for reading and have seen the VMA, so "
        "munmap has not begun on it, and cannot begin until you let go."
    ),
    check=check,
    seconds=60.0,
)
