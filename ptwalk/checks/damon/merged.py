"""Exercise 09.2: damon_mkold() as it should be, on both kernels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from ptwalk.actors.user import touch
from ptwalk.arch import EntryState
from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.solo import Habits, Solo, alone, leaves_the_rest, sound
from ptwalk.machine.entries import ChangeEntry
from ptwalk.machine.folio import GetPageUnlessZero
from ptwalk.scenarios.changers import CHANGER
from ptwalk.scenarios.ground import Ground, anonymous, span
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Finding, Verdict

CHANGERS = (
    "munmap munmap-neighbour munmap-last munmap-everything munmap-stack exit collapse-anon retract "
    "collapse-pte-mapped dontneed reclaim mremap-ptes mremap-table thp-split fault fault-huge user-access"
)
KERNELS = ("5.15.0", "7.1")
Walk = Callable[[Any, int], Awaitable[Any]]


def huge(stage: Stage, threads: Sequence[str]) -> Ground:
    """One huge page of 2 MiB."""
    return anonymous(stage, threads, huge=True)


def hole(stage: Stage, threads: Sequence[str]) -> Ground:
    """An address in no VMA, whose pte table exists."""
    ground = anonymous(stage, threads)
    at = ground.addr + span(ground.mm) // 2
    ground.mm.watch(at)
    return Ground(ground.mm, None, at, ground.page)


def migrating(stage: Stage, threads: Sequence[str]) -> Ground:
    """A huge page that is just being moved: its pmd is not present, and holds a migration entry."""
    ground = anonymous(stage, threads, populate=False, whole=True)
    mm, addr = ground.mm, ground.addr
    moving = stage.machine.new_frame("huge", "page")
    raw = mm.format.make_migration(moving.pa, mm.pmd_level.name, write=True)
    mm.initial_table(addr, mm.pmd_level.name).contents[mm.format.index(addr, mm.pmd_level)] = raw
    return ground


def check(answer: object, seed: int) -> str:
    """Four kinds of place alone; then every changer on both kernels, and a program that writes to a huge page."""
    sound(answer, *KERNELS)
    walker = cast(Walk, answer)
    for release in KERNELS:
        _does_its_work(walker, release)
    steps = alone(walker).steps
    habits = Habits(steps)
    store = max((step.number for step in steps if isinstance(step.operation, ChangeEntry)), default=0)

    def words(trial: race.Trial, verdict: Verdict) -> str:
        return _words(habits, store, trial, verdict)

    said = race.safe_against(walker, race.trials(CHANGERS, *KERNELS), words=words)
    race.safe_against(walker, race.trials("munmap", "5.15.0"), words=words, walkers=2)
    _huge_and_written(walker)
    for release in KERNELS:
        _leaves_a_moving_page_alone(walker, release)
    if habits.mmap_mode == "write":
        said += (
            " You took mmap_lock for writing. That is larger than needed: every page fault of the process waits for "
            "you. Inside a VMA, for reading is enough."
        )
    return said


def _does_its_work(walker: Walk, release: str) -> None:
    small = alone(walker, release)
    before = _young(small, "pte")
    if small.word(small.ground.addr).raw != small.ground.mm.format.mkold(before, "pte"):
        at = small.word(small.ground.addr)
        if at.raw == before:
            raise NotYet(
                f"With nobody else there, kernel {release}: the 4 KiB page is still marked accessed."
            )
        raise NotYet(
            f"With nobody else there, kernel {release}: the entry went from {before:#x} to {at.raw:#x}. Only the "
            "accessed bit was to go."
        )
    if small.ground.page is not None and small.references(small.ground.page) != 1:
        raise NotYet(
            f"With nobody else there, kernel {release}: the page keeps a reference that you took on it."
        )
    leaves_the_rest(walker, release)
    for what, ground in (("a huge page", huge), ("a hole", hole)):
        _sound_on(walker, what, ground, release)
    big = alone(walker, release, ground=huge)
    before = _young(big, "pmd")
    now = big.word(big.ground.addr, "pmd")
    if now.state is EntryState.TABLE:
        raise NotYet(
            f"With nobody else there, kernel {release}: the walk split the huge page. You wanted to measure it, and "
            "now it is gone."
        )
    if now.raw != big.ground.mm.format.mkold(before, "pmd"):
        raise NotYet(f"With nobody else there, kernel {release}: the huge page is still marked accessed.")


def _leaves_a_moving_page_alone(walker: Walk, release: str) -> None:
    for step in alone(walker, release, ground=migrating).steps:
        if isinstance(step.operation, ChangeEntry):
            raise NotYet(
                f"With nobody else there, kernel {release}: the huge page is being moved, its pmd is not present, and "
                "you changed that word. Its bits mean other things there."
            )
        if isinstance(step.operation, GetPageUnlessZero):
            raise NotYet(
                f"With nobody else there, kernel {release}: the huge page is being moved, its pmd is not present, and "
                "you took a frame out of that word. By its form it is a swap entry."
            )


def _young(solo: Solo, level: str) -> int:
    """The entry as it was at the start."""
    mm, addr = solo.ground.mm, solo.ground.addr
    raw: int = mm.initial_table(addr, level).contents[mm.format.index(addr, level)]
    return raw


def _sound_on(
    walker: Walk, what: str, ground: Callable[[Stage, Sequence[str]], Ground], release: str
) -> None:
    def lay_out(stage: Stage) -> None:
        laid = ground(stage, ())
        stage.run(WALKER, walker, laid.mm, laid.addr)

    try:
        scenes.sound(scenes.scene("alone", lay_out, release, alone=True), "")
    except NotYet as wrong:
        said = str(wrong).split("there: ", 1)[-1].removeprefix("Not yet. ")
        raise NotYet(f"With nobody else there, at {what}, kernel {release}: {said}") from None


def _huge_and_written(walker: Walk) -> None:
    def lay_out(stage: Stage) -> None:
        ground = anonymous(stage, (CHANGER,), huge=True)
        stage.run(WALKER, walker, ground.mm, ground.addr)
        stage.run(CHANGER, touch, ground.mm, ground.addr)

    scenario = scenes.scene("user-access to a huge page", lay_out, "5.15.0", user=(CHANGER,))

    def words(verdict: Verdict) -> str:
        return PLAIN if race.oracle(verdict) == "dirty" else ""

    scenes.Searched().search(scenario, words, "Against a program that writes to a huge page, kernel 5.15.0: ")


PLAIN = (
    "The program wrote to the page between your load and your store. Hardware had set the dirty bit, and your store "
    "took it away again."
)


def _words(habits: Habits, store: int, trial: race.Trial, verdict: Verdict) -> str:
    report = verdict.report
    if isinstance(report, Finding) and report.kind == "exception" and "NoneType" in report.text:
        return "No table came back, and you used it. From 6.5 on pte_offset_map_lock may find none."
    if race.oracle(verdict) == "dirty":
        return PLAIN
    if race.oracle(verdict) not in ("lifetime", "wild", "detached", "unlocked"):
        return ""
    if habits.mmap_lock is None:
        return "You hold the lock of the page table, and nothing that keeps the table. This is T1."
    if habits.mmap_unlock is not None and habits.mmap_unlock < store:
        if race.oracle(verdict) == "detached":
            return (
                "You had dropped mmap_lock, and held the page-table lock. munmap would wait for that one; this "
                "changer cuts the table first."
            )
        return "You had dropped mmap_lock before you were done. Nothing kept the table then."
    if habits.mmap_mode == "read" and trial.changer in ("munmap-everything", "munmap-last", "munmap"):
        return (
            "You read tables where no VMA is. A munmap that has downgraded holds mmap_lock for reading, as you do, "
            "and is just freeing them."
        )
    return ""


EXERCISE = Exercise(
    name="09.2",
    title="Your merged version",
    notebook="09_mending_damon",
    kind="repair",
    difficulty=3,
    minutes=25,
    hints=(
        "Which of your lines need a VMA that stays? And until which line?",
        "All of them need it. So do the work inside the walk: walk_page_range calls you back under its conditions.",
        "mmap_read_lock; walk_page_range(mm, addr, addr + 1, MmWalkOps(pmd_entry=…)); unlock. In it: "
        "pmd_trans_huge_lock gives a lock or None; else pte_offset_map_lock, which may give None; then "
        "test_and_clear_young().",
    ),
    why=(
        "The walk goes down only inside VMAs, and you stay under mmap_lock until the last use. The table may be gone "
        "on a new kernel: then there is nothing to do. The bit is cleared in one step: hardware knows no lock."
    ),
    check=check,
    seconds=90.0,
)
