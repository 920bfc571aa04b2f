"""Exercise 06.3: mremap of 6.6 decides to move a page table, and acts later; mend the move."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from typing import Any, cast

from ptwalk.actors.collapse_file import retract_page_tables
from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.explore.replay import Replay, replay_on
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.mmap_lock import mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.pgalloc import pmd_alloc
from ptwalk.kernel.pgtable import mm_find_pmd, none
from ptwalk.kernel.vma import Vma
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.frames import Frame
from ptwalk.machine.operation import Footprint, Memory, Operation, Violation
from ptwalk.machine.tlb import FlushTlb
from ptwalk.sanitizers import ALL
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import file_mapping, span
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.report import Report
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore

Move = Callable[[Vma, int, EntryPointer, EntryPointer], Awaitable[Any]]
MOVER, RETRACT = "mover", "retract"


class Said(Operation):
    """What the move says it did, compared with what it did: `table` is the one that was to be hung into `new`."""

    __slots__ = ("new", "table", "moved")
    kind = "result"

    def __init__(self, new: EntryPointer, table: Frame | None, moved: object) -> None:
        self.new, self.table, self.moved = new, table, moved

    def footprint(self, cpu: int) -> Footprint:
        return (self.new.cell,), ()

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        if not isinstance(self.moved, bool):
            raise Violation(
                f"move gave back {shown(self.moved)}. mremap wants True if the table was moved, else False."
            )
        there = self.new.machine.child(memory[self.new.cell], self.new.level)
        hangs_there = self.table is not None and there is self.table
        if self.moved and not hangs_there:
            raise Violation(
                "move gave back True, and the table does not hang in the new pmd. mremap believes it, and moves no "
                "entry: the program's pages are lost."
            )
        if hangs_there and not self.moved:
            raise Violation(
                "move gave back False, and the table hangs in the new pmd. mremap believes it, and goes on to move "
                "the entries of a table that is no longer there."
            )
        return None

    def text(self) -> str:
        return "gives its result"


def moving(move: Move, against: str = "", *, taken: bool = False) -> Scenario:
    """mremap of one whole table by `move(vma, addr, old, new)`.

    `against` is "retract", "retract and huge" (a huge page is mapped where the table was) or nobody; `taken` says that
    the new place already has a table.
    """

    async def mremap(mm: Mm, vma: Vma, addr: int, to: int) -> None:
        await mmap_write_lock(mm)
        old = await mm_find_pmd(mm, addr)
        new = await pmd_alloc(mm, to)
        seen = await old.read() if old is not None else None
        if old is not None and new is not None and seen is not None and not none(seen):
            moved = await move(vma, addr, old, new)
            await Said(new, mm.machine.child(seen.raw, old.level), moved)
        await mmap_write_unlock(mm)

    def lay_out(stage: Stage) -> None:
        ground = file_mapping(stage, (MOVER,), populate=False)
        mm, addr = ground.mm, ground.addr
        to = addr + 4 * span(mm)
        mm.watch(to)
        mm.initial_table(to, "pte" if taken else mm.pmd_level.name)
        assert ground.vma is not None and ground.file is not None
        stage.run(MOVER, mremap, mm, ground.vma, addr, to)
        if against:
            huge: Frame | None = stage.machine.new_frame("huge", "page") if "huge" in against else None
            target = mm if huge is not None else None
            stage.run(RETRACT, _retract(stage, target, huge), ground.file)

    return Scenario(
        f"{against.replace(' ', '-') or 'nobody'}-vs-{getattr(move, '__name__', 'move')}",
        "mremap moves a whole page table, by a function written by hand",
        lay_out,
        Never(),
        cpus=(MOVER, RETRACT) if against else (MOVER,),
        release="6.6",
        # The huge page belongs to the page cache, which is not modelled: unmapped, it is no leak.
        oracles=tuple(oracle for oracle in ALL if oracle.name != "leak") if "huge" in against else ALL,
    )


def _retract(stage: Stage, target: Mm | None, huge: Frame | None) -> Callable[..., Awaitable[None]]:
    async def retract(file: Any) -> None:
        await retract_page_tables(stage.kernel, file, 0, target=target, huge=huge)

    return retract


def check(answer: object, seed: int) -> str:
    """Alone it must move the table, and say so; then no schedule with retract may hurt anybody."""
    race.handed_in(answer)
    if not inspect.iscoroutinefunction(answer):
        raise NotYet("move must be `async def move(vma, addr, old, new)`, handed in by its name.")
    try:
        inspect.signature(answer).bind(*"1234")
    except TypeError:
        raise NotYet("Your function can't be called as move(vma, addr, old, new).") from None
    move = cast(Move, answer)
    _alone(move)
    executions = 0
    for against in ("retract", "retract and huge"):
        scenario = moving(move, against)
        for order in (scenario.cpus, scenario.cpus[::-1]):
            seated = replace(scenario, cpus=order)
            verdict = explore(seated, limit=race.LIMITS)
            if verdict.outcome != "safe":
                race.refuse(seated, verdict, _words(against, verdict), f"Against {against}: ")
            executions += verdict.executions
    return (
        f"Alone it moves the table; against retract, all {executions} executions searched: page 0 stays "
        f"where it is."
    )


def _alone(move: Move) -> None:
    verdict = explore(moving(move))
    if verdict.outcome != "safe":
        words = ""
        if race.oracle(verdict) == "deadlock":
            words = "You ask for a lock that mremap holds already. The remover takes no lock of this process anyway."
        raise NotYet(f"With nobody else there: {words or race.observed(verdict)}")
    before, after, done = _pmds(moving(move))
    if after[0] or after[1] != before[0] & ~0xFFF | after[1] & 0xFFF or not after[1]:
        raise NotYet(
            f"With nobody else there, the old pmd is {after[0]:#x} at the end and the new one {after[1]:#x}. "
            "The table was there, and had to be moved."
        )
    if not any(isinstance(step.operation, FlushTlb) for step in done.steps):
        raise NotYet(
            "With nobody else there, the table was moved and nobody flushed. A CPU that runs this process still finds "
            "its pages at the old address."
        )
    verdict = explore(moving(move, taken=True))
    if verdict.outcome != "safe":
        raise NotYet(f"Where the new place has a table already: {race.observed(verdict)}")
    before, after, _ = _pmds(moving(move, taken=True))
    if after != before:
        raise NotYet("The new place had a table already, and you hung another over it.")


def _pmds(scenario: Scenario) -> tuple[tuple[int, int], tuple[int, int], Replay]:
    stage = scenario.stage()
    mm = stage.kernel.mms[0]
    level = mm.pmd_level.name
    done = replay_on(stage.program(), "0x900")
    addr = min(vma.start for vma in mm._initial)
    places = [(mm.initial_table(at, level), mm.format.index(at, level)) for at in (addr, addr + 4 * span(mm))]
    after = done.steps[-1].after
    first = tuple(table.contents.get(index, 0) for table, index in places)
    last = tuple(after[table.entry_cell(index)] for table, index in places)
    return (first[0], first[1]), (last[0], last[1]), done


def _words(against: str, verdict: Verdict) -> str:
    oracle = race.oracle(verdict)
    if oracle == "deadlock":
        return (
            "Two CPUs wait for each other. You hold one lock and want another; retract takes them the "
            "other way round."
        )
    if oracle not in ("lifetime", "wild", "confusion", "detached"):
        return ""
    if isinstance(verdict.report, Report) and verdict.report.where.startswith(RETRACT):
        return (
            "retract came by the reverse map, held its lock for reading, and the table was moved away under it. You "
            "did not have that lock for writing."
        )
    if against == "retract and huge":
        return (
            "The table was gone, and a huge page hung in its place. You moved the leaf as if it were a table."
        )
    return (
        "retract took the table away between your look at the pmd and your move. "
        "You hung physical page 0 into the tree as a page table."
    )


EXERCISE = Exercise(
    name="06.3",
    title="Move it, if it is still there",
    notebook="06_race_collapse",
    kind="repair",
    difficulty=2,
    minutes=18,
    hints=(
        "How old is your decision at the moment you act on it?",
        "Decide again under a lock that the remover takes too. Which one do you both take?",
        "After the PMD table's lock is held: entry = await old.read(); if it is not a table, unlock "
        "all and return False. "
        "mremap then moves the entries one by one.",
    ),
    why=(
        "retract needs the PMD table's lock for the cut. What you read while you hold it stays true "
        "until you drop it. "
        "Linux 6.12 looks again in the same place (6fa1066fc5d0, CVE-2024-50066)."
    ),
    check=check,
    seconds=30.0,
)
