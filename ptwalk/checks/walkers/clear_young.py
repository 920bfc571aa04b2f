"""Exercise 04.2: clear the accessed bit of one pte and lose nothing that hardware or other software writes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ptwalk.actors.user import touch
from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.preflight import shown
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import is_table
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.operation import Footprint, Memory, Operation, Violation
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.changers import CHANGER
from ptwalk.scenarios.ground import anonymous
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore
from ptwalk.walk.pagewalk import MmWalk, MmWalkOps, walk_page_range

CHANGERS = "user-access fault dontneed mremap-ptes thp-split munmap reclaim"
KERNELS = ("5.15.0", "7.1")
CALLBACK = ("mm", "pmd", "addr")


def walking(clear_young: Any) -> Any:
    """The walk that calls the learner's function for a pmd that leads to a table; the mmap lock is held for reading."""

    async def clear_young_walk(mm: Mm, addr: int) -> Any:
        result = False

        async def pmd_entry(pmd: EntryPointer, at: int, end: int, walk: MmWalk) -> int:
            nonlocal result
            if is_table(await pmd.read()):
                result = await clear_young(mm, pmd, addr)
            return 0

        async with mm.mmap_lock.read():
            await walk_page_range(mm, addr, addr + 1, MmWalkOps(pmd_entry=pmd_entry))
        return result

    return clear_young_walk


def alone(clear_young: Any) -> Scenario:
    """Nobody else there: called twice, it must say young, then old; and the page must be old at the end."""
    walk = walking(clear_young)

    async def clear_young_twice(mm: Mm, addr: int) -> None:
        first = await walk(mm, addr)
        second = await walk(mm, addr)
        entry = await mm.initial_table(addr, "pte").entry(mm.format.index(addr, "pte"), "pte").read()
        await race.Result(_alone(first, second, entry.accessed, entry.dirty))

    def lay_out(stage: Stage) -> None:
        ground = anonymous(stage, (), dirty=True)
        stage.run("walker", clear_young_twice, ground.mm, ground.addr)

    return Scenario(
        "clear_young-alone", "nobody else there", lay_out, Never(), cpus=("walker",), release="5.15.0"
    )


def _alone(first: Any, second: Any, accessed: bool, dirty: bool) -> str:
    if not dirty:
        return "The page was dirty before, and its D is gone. It would be dropped unsaved."
    for given in (first, second):
        if not isinstance(given, bool):
            return f"clear_young() gave {shown(given)}. Give True or False: was A set?"
    if not first:
        return "A was set, and clear_young() gave False."
    if accessed:
        return "clear_young() said young, and A is still set, with nobody else there."
    if second:
        return "At the second call A was clear, and clear_young() gave True."
    return ""


class YoungKept(Operation):
    """The end of a walk over a page that was old at first: a mark that the hardware set is told, or still there."""

    __slots__ = ("pte", "user", "told")
    kind = "result"

    def __init__(self, pte: EntryPointer, user: int, told: Any) -> None:
        self.pte, self.user, self.told = pte, pte.machine.cpus[user], told

    def footprint(self, cpu: int) -> Footprint:
        return (self.pte.cell, self.user.tlb), ()

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        raw: Any = memory[self.pte.cell]
        accessed = self.pte.machine.format.decode(raw, "pte").accessed
        touched = any(entry.level == "pte" for entry in memory[self.user.tlb])  # it walked, and so it set A
        if touched and not accessed and not self.told:
            raise Violation("The program used the page, A was set and is gone, and clear_young() gave False.")
        if self.told and not touched and not accessed:
            raise Violation("A was clear, nobody had used the page yet, and clear_young() gave True.")
        return None

    def text(self) -> str:
        return "gives its result"


def used_meanwhile(clear_young: Any) -> Scenario:
    """An old page, which the program on the other CPU uses for the first time."""
    walk = walking(clear_young)

    async def clear_young_once(mm: Mm, addr: int) -> None:
        pte = mm.initial_table(addr, "pte").entry(mm.format.index(addr, "pte"), "pte")
        await YoungKept(pte, 1, await walk(mm, addr))

    def lay_out(stage: Stage) -> None:
        ground = anonymous(stage, (CHANGER,))
        mm, addr = ground.mm, ground.addr
        table, index = mm.initial_table(addr, "pte"), mm.format.index(addr, "pte")
        table.contents[index] = mm.format.mkold(table.contents[index], "pte")
        stage.run(WALKER, clear_young_once, mm, addr)
        stage.run(CHANGER, touch, mm, addr)

    return scenes.scene("clear_young-vs-first-use", lay_out, "5.15.0", user=(CHANGER,))


def check(answer: Any, seed: int) -> str:
    """Right with nobody there; then nothing lost against hardware and everybody who writes ptes."""
    clear_young = scenes.handed_in(answer, "clear_young", CALLBACK)
    for scenario, where in (
        (alone(clear_young), "With nobody else there: "),
        (used_meanwhile(clear_young), "Against a program that uses an old page: "),
    ):
        verdict = explore(scenario, limit=race.LIMITS)
        if verdict.outcome != "safe":
            race.refuse(scenario, verdict, "", where)
    tries = race.trials(CHANGERS, *KERNELS)
    return race.safe_against(walking(clear_young), tries, words=_words, accept=_true)


def _true(trial: race.Trial, result: Any) -> str:
    if not isinstance(result, bool):
        return f"clear_young() gave {shown(result)}. Give True or False: was A set?"
    if trial.changer == "user-access" and not result:
        return "A was set from the first step on, and clear_young() gave False."
    return ""


def _words(trial: race.Trial, verdict: Verdict) -> str:
    report = race.observed(verdict)
    if race.oracle(verdict) == "dirty":
        return (
            "CPU 1 wrote to the page and the hardware set D; now D is 0 and nobody was told. The page would be dropped "
            f"unsaved. {report}"
        )
    if race.oracle(verdict) == "exception" and "None" in report:
        return f"On this kernel pte_offset_map_lock may find no table, and gives None. {report}"
    return ""


EXERCISE = Exercise(
    name="04.2",
    title="Clear young, lose nothing",
    notebook="04_walkers",
    kind="write a walker",
    difficulty=2,
    minutes=15,
    hints=(
        "You hold the lock of the table. Who writes this word without asking for a lock?",
        "Between your load and your store the word may change. One step must both read and write.",
        "pte.test_and_clear_young() clears A and nothing else, in one step, and gives the old entry.",
    ),
    why="The page-table lock keeps software out, and the hardware takes no lock. So a live entry is changed by one "
    "atomic step, under the lock.",
    check=check,
)
