"""Exercise 03.3: an actor that takes two locks in the wrong order; mend it without losing the cut."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from ptwalk.actors.collapse_file import retract_page_tables
from ptwalk.actors.fault import page_fault
from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import (
    is_table,
    mm_find_pmd,
    none,
    pmd_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
)
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.frames import Frame
from ptwalk.machine.locks import SpinLock, spin_lock, spin_trylock, spin_unlock
from ptwalk.machine.rcu import call_rcu
from ptwalk.sanitizers import ALL, LockRules
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import Ground, anonymous, file_mapping, span
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.observation import Observation
from ptwalk.trace.report import Report
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore

EMPTIER, OTHER = "emptier", "other"
RELEASE = "7.1"
OTHERS = ("nobody", "fault", "retract", "neighbour", "itself")
ONE_LOCK_OTHERS = tuple(other for other in OTHERS if other != "neighbour")
"""Where one lock serves all tables, nobody next door holds another one."""
CUT = "the table is cut off"


class KeptLocks(LockRules):
    """Only what is kept at the end: that two CPUs wait for each other shall be seen, not forbidden beforehand."""

    def observe(self, seen: Observation) -> Report | None:
        """Nothing."""
        return None


ORACLES = (*(oracle for oracle in ALL if not isinstance(oracle, LockRules)), KeptLocks())


class Kernel:
    """What the emptier works with: one table that may be empty, its lock, and the lock of the pmd that names it."""

    def __init__(self, mm: Mm, addr: int, pmd: EntryPointer, table: Frame) -> None:
        self.same_lock = not mm.kernel.config.split_ptlocks
        self._mm, self._addr, self._pmd, self._table = mm, addr, pmd, table
        self._slot = table.entry(mm.format.index(addr, "pte"), "pte")
        self._ptl: SpinLock | None = None
        self._pml: SpinLock | None = None

    async def lock_table(self) -> bool:
        """Takes the table's lock (pte_offset_map_lock); False, and no lock, if the table is gone."""
        slot, self._ptl = await pte_offset_map_lock(self._mm, self._pmd, self._addr)
        if slot is not None:  # after a cut and a fault another table hangs there
            self._slot, self._table = slot, slot.frame
        return self._ptl is not None

    async def unlock_table(self) -> None:
        """Drops the table's lock."""
        if self._ptl is None:
            await race.Result("unlock_table() without the table's lock.")
            return
        await pte_unmap_unlock(self._mm, self._ptl)
        self._ptl = None

    async def lock_pmd(self) -> None:
        """Takes the lock of the PMD table that the pmd lies in."""
        lock = pmd_lockptr(self._mm, self._pmd)
        await spin_lock(lock)
        self._pml = lock

    async def trylock_pmd(self) -> bool:
        """Takes it if it is free; False if not."""
        lock = pmd_lockptr(self._mm, self._pmd)
        if await spin_trylock(lock):
            self._pml = lock
        return self._pml is not None

    async def unlock_pmd(self) -> None:
        """Drops it."""
        if self._pml is None:
            await race.Result("unlock_pmd() without the pmd's lock.")
            return
        await spin_unlock(self._pml)
        self._pml = None

    async def linked(self) -> bool:
        """Whether the pmd still leads to a table."""
        return is_table(await self._pmd.read())

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no helper k.{name}; the exercise has a table of those that are there")

    async def all_none(self) -> bool:
        """Whether the table is empty now."""
        return none(await self._slot.read())

    async def cut(self) -> None:
        """Clears the pmd and hands the table to RCU, which frees it."""
        if self._pml is None and not (self.same_lock and self._ptl is not None):
            await race.Result("cut() without the lock of the pmd: two CPUs may write to one pmd.")
            return
        old = await self._pmd.get_and_clear(unlinks=self._table)
        if not is_table(old):
            await race.Result("cut() found the pmd empty: somebody else had cut the table off before.")
        elif not none(await self._slot.read()):
            await race.Result("A table with a page in it was cut: an entry was filled in between.")
        else:
            await call_rcu(self._mm.machine, self._table)


Emptier = Callable[[Any], Awaitable[Any]]


def emptying(emptier: Emptier, other: str, *, split: bool = True) -> Scenario:
    """The race of the emptier with nobody, a page fault, a retract of the file, or a second emptier."""

    async def empty_table(mm: Mm, addr: int) -> None:
        async with mm.mmap_lock.read():
            pmd = await mm_find_pmd(mm, addr)
            assert pmd is not None
            entry = await pmd.read()
            if is_table(entry):
                await emptier(Kernel(mm, addr, pmd, mm.machine.table_frame(entry)))
            if other == "nobody" and not is_table(await pmd.read()):
                await race.Result(CUT)

    def lay_out(stage: Stage) -> None:
        ground = _ground(stage, other)
        stage.run(EMPTIER, empty_table, ground.mm, ground.addr)
        if other == "fault":
            stage.run(OTHER, page_fault, ground.mm, ground.addr)
        elif other == "retract":
            stage.run(OTHER, retract_page_tables, stage.kernel, ground.file, 0)
        elif other == "neighbour":  # holds the pmd's lock for a table of its own, and then fills this one
            beside = ground.addr + span(ground.mm)
            ground.mm.map(beside, beside + ground.mm.format.page_size)
            ground.mm.watch(beside)
            stage.run(OTHER, two_faults, ground.mm, beside, ground.addr)
        elif other == "itself":
            stage.run(OTHER, empty_table, ground.mm, ground.addr)

    return Scenario(
        f"{getattr(emptier, '__name__', 'emptier')}-vs-{other}",
        "an actor that cuts off an empty pte table",
        lay_out,
        Never(),
        cpus=(EMPTIER,) if other == "nobody" else (EMPTIER, OTHER),
        release=RELEASE,
        axes={"split_ptlocks": split},
        oracles=ORACLES,
    )


@allocates
async def two_faults(mm: Mm, one: int, two: int) -> None:
    """A program that faults at two addresses, one after the other."""
    await page_fault(mm, one)
    await page_fault(mm, two)


def _ground(stage: Stage, other: str) -> Ground:
    if other == "retract":
        return file_mapping(stage, (), populate=False)
    ground = anonymous(stage, (), populate=False, whole=True)
    ground.mm.watch(ground.addr)
    ground.mm.initial_table(ground.addr, "pte")
    return ground


def check(answer: Any, seed: int) -> str:
    """Alone it must cut; against everybody else nothing may break or hang, with split locks and without."""
    emptier = scenes.handed_in(answer, "empty_table", ("k",))
    executions = 0
    for split in (True, False):
        for other in OTHERS if split else ONE_LOCK_OTHERS:
            scenario = emptying(emptier, other, split=split)
            for order in dict.fromkeys((scenario.cpus, scenario.cpus[::-1])):
                verdict = explore(replace(scenario, cpus=order), limit=race.LIMITS)
                executions += verdict.executions
                _judge(replace(scenario, cpus=order), verdict, other, split)
    return f"Safe: all {executions} executions against faults, a retract and a second one of its kind; alone it cuts."


def _judge(scenario: Scenario, verdict: Verdict, other: str, split: bool) -> None:
    locks = "" if split else " where one lock serves all tables"
    if other == "nobody":
        if CUT in str(verdict.report):
            return
        if verdict.outcome == "safe":
            raise NotYet(
                f"Alone{locks}, with an empty table and nobody in the way, it does not cut the table off."
            )
        words = "It waits for itself: " if race.oracle(verdict) == "deadlock" else ""
        race.refuse(scenario, verdict, f"{words}{race.observed(verdict)}", f"Alone{locks}: ")
    if verdict.outcome == "safe":
        return
    words = ""
    if race.oracle(verdict) == "deadlock" and len(str(verdict.report).split("waits at")) > 2:
        words = "Two CPUs wait for each other, for ever: each holds the lock that the other one wants."
    elif race.oracle(verdict) == "livelock":
        words = "It goes round and round while it holds the lock that the other CPU needs to go on."
    elif verdict.outcome == "incomplete":
        words = (
            "It tries again and again, and no number of rounds is sure to be enough. Give up when the lock is not "
            "free, or wait for it in the right order."
        )
    who = {
        "fault": "a page fault",
        "retract": "retract",
        "neighbour": "a page fault next door and then one here",
        "itself": "a second one of its kind",
    }[other]
    race.refuse(scenario, verdict, words, f"Against {who}{locks}: ")


EXERCISE = Exercise(
    name="03.3",
    title="Two locks, one order",
    notebook="03_locks",
    kind="repair",
    difficulty=3,
    minutes=18,
    hints=(
        "Draw an arrow for each CPU, from the lock it holds to the one it wants. The other takes the pmd's lock first.",
        "Take the outer lock first, or only try it, and give up when it is not free. What did you look at before?",
        "lock_pmd, lock_table, all_none again, cut, unlock both. With k.same_lock there is only one lock to take.",
    ),
    why="Whoever takes both takes the pmd's lock first; a trylock may go against the order, because it never waits. "
    "And what was seen before a lock was taken must be looked at again under it.",
    check=check,
    seconds=60.0,
)
