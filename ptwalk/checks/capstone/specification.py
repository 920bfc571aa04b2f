"""Exercise 11.3: `hot_pages` from a specification of ten sentences, each judged by itself."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, cast

from ptwalk.actors.exit import exit_mm
from ptwalk.arch import EntryState
from ptwalk.checks import race
from ptwalk.checks.capstone.alone import PAGE, HotPages, Trial, over_tables
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.failed import latest, put_back
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import article, shown
from ptwalk.checks.solo import sound
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.users import MmgetNotZero, MmPut
from ptwalk.machine.entries import EntryOperation
from ptwalk.machine.locks import LockOperation
from ptwalk.machine.operation import Footprint, Memory, Operation
from ptwalk.machine.program import Program
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import anonymous
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Finding, Verdict
from ptwalk.trials import explore

KERNELS = ("5.15.0", "7.1")
SENTENCES = (
    "1 gives the pages that were accessed, in order, and no others",
    "2 clears their accessed marks and changes nothing else",
    "3 counts a huge page once, by its first address, and leaves it huge",
    "4 does not count or change swap entries and PROT_NONE pages",
    "5 touches at most `budget` entries while it holds mmap_lock",
    "6 keeps no user reference over the pause between two holds",
    "7 lets the process exit at any moment, and comes back with what it has",
    "8 loses no dirty bit",
    "9 is safe against every changer on 5.15.0 and on 7.1",
    "10 run twice at the same time, counts each access once",
)


class Given(Operation):
    """Writes down how many pages a call gave."""

    __slots__ = ("cell", "count")
    kind = "gives"

    def __init__(self, cell: int, count: int) -> None:
        self.cell, self.count = cell, count

    def footprint(self, cpu: int) -> Footprint:
        return (self.cell,), (self.cell,)

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        memory[self.cell] += self.count
        return None

    def text(self) -> str:
        return f"gives {self.count} pages"


def check(answer: object, seed: int) -> str:
    """Ten sentences, each tried by itself; what holds counts."""
    race.handed_in(answer)
    hot_pages = cast(HotPages, answer)
    _shaped(answer)
    judged: list[tuple[str, bool]] = []
    first: NotYet | None = None
    race_of_first = latest()
    for sentence, judge in zip(SENTENCES, JUDGES, strict=True):
        try:
            judge(hot_pages)
        except NotYet as wrong:
            judged.append((sentence, False))
            if first is None:
                first, race_of_first = NotYet(f"Sentence {sentence.split()[0]}: {wrong.observed}"), latest()
        else:
            judged.append((sentence, True))
    if first is not None:
        put_back(race_of_first)
        held = sum(holds for _, holds in judged)
        raise NotYet(f"{first.observed} ({held} of ten sentences hold.)", parts=tuple(judged))
    cost = ""
    if any(step.kind == "down_write" for step in Trial(hot_pages, 1, 1).done.steps):
        cost = " You took mmap_lock for writing: right, and faults have to wait for you."
    return f"All ten sentences hold.{cost}"


def _shaped(answer: object) -> None:
    if not inspect.iscoroutinefunction(answer):
        raise NotYet("Hand in the function itself: async def hot_pages(mm, start, end, budget).")
    if len(inspect.signature(answer).parameters) != 4:
        raise NotYet("hot_pages takes four arguments: mm, start, end, budget.")
    sound(_one_page(cast(HotPages, answer)), *KERNELS)
    trial = Trial(cast(HotPages, answer), 2, 1)
    if not isinstance(trial.given, list):
        raise NotYet(f"Your function gave {article(type(trial.given).__name__)}, not a list of addresses.")


def _one_page(hot_pages: HotPages, pages: int = 2) -> Callable[[Any, int], Awaitable[None]]:
    @wraps(hot_pages)
    async def walk(mm: Mm, addr: int) -> None:
        await hot_pages(mm, addr, addr + pages * PAGE, 1)

    walk.__dict__.pop("__wrapped__")  # its signature is that of a walker
    return walk


def _pages_of(trial: Trial) -> list[int]:
    wrong = [addr for addr in trial.given if not isinstance(addr, int)]
    if wrong:
        raise NotYet(
            f"your list holds {shown(wrong[0])}, {article(type(wrong[0]).__name__)}. It is to hold addresses."
        )
    return [(addr - trial.addr) // PAGE for addr in trial.given]


def _given(hot_pages: HotPages) -> None:
    for release in KERNELS:
        for budget in (1, 2, 9):
            trial = Trial(hot_pages, 3, budget, release=release)
            if _pages_of(trial) != [0, 2]:
                raise NotYet(
                    f"pages 0 and 2 of three were accessed. With budget {budget} you gave pages {_pages_of(trial)}."
                    f"{_OLD_ENTRY if _pages_of(trial) == [0, 1, 2] else ''}"
                )
            if budget != 2:
                over_tables(hot_pages, budget, release)


_OLD_ENTRY = " (A test_and_clear_young gives the entry as it was. Was it .accessed?)"


def _cleared(hot_pages: HotPages) -> None:
    trial = Trial(hot_pages, 3, 2)
    for page in range(3):
        before, after = trial.entry(page, before=True).raw, trial.entry(page).raw
        if after != trial.ground.mm.format.mkold(before, "pte"):
            raise NotYet(
                f"the entry of page {page} was {before:#x} and is {after:#x}. Only the mark was to go."
            )


def _huge(hot_pages: HotPages) -> None:
    for release in KERNELS:
        trial = Trial(hot_pages, 1, 1, huge=True, release=release)
        entry = trial.entry(0, "pmd")
        if entry.state is EntryState.TABLE:
            raise NotYet("the huge page was split. Who measures should not change what it measures.")
        if len(trial.given) > 1:
            raise NotYet(f"one huge page was accessed, and you gave {len(trial.given)} addresses.")
        if trial.given != [trial.addr] or entry.accessed:
            still = "is still set" if entry.accessed else "is clear"
            raise NotYet(f"a huge page was accessed. You gave {_pages_of(trial)}, and its mark {still}.")


def _hidden(hot_pages: HotPages) -> None:
    trial = Trial(hot_pages, 6, 9)
    kinds = {3: "swapped out", 4: "PROT_NONE"}
    for page, kind in kinds.items():
        if page in _pages_of(trial):
            raise NotYet(f"page {page} is {kind}, and you gave it as accessed.")
        if trial.entry(page).raw != trial.entry(page, before=True).raw:
            raise NotYet(f"page {page} is {kind}, and you changed its entry.")
    if _pages_of(trial) != [0, 2, 5]:
        raise NotYet(
            f"of six pages 0, 2 and 5 count; between them one is swapped out. You gave {_pages_of(trial)}."
        )


def _budget(hot_pages: HotPages) -> None:
    for budget in (1, 2):
        held, touched = False, set[int]()
        for step in Trial(hot_pages, 3, budget).done.steps:
            operation: Any = step.operation
            if isinstance(operation, LockOperation) and operation.lock.lock_class == "mmap_lock":
                held = step.kind.startswith("down")
                touched = set()
            elif isinstance(operation, EntryOperation) and operation.pointer.level.name == "pte":
                touched.add(operation.pointer.cell)
                if held and len(touched) > budget:
                    raise NotYet(f"with budget {budget} you touched {len(touched)} entries in one hold.")


def _nothing_kept(hot_pages: HotPages) -> None:
    users, free, seen_hold = 0, True, False
    for step in Trial(hot_pages, 3, 1).done.steps:
        operation: Any = step.operation
        if isinstance(operation, MmgetNotZero):
            users += 1
        elif isinstance(operation, MmPut):
            users -= 1
            free = free or users == 0
        elif isinstance(operation, LockOperation) and operation.lock.lock_class == "mmap_lock":
            if step.kind.startswith("down"):
                if seen_hold and not free:
                    raise NotYet(
                        "you keep a user reference over the pause: exit can't finish while you sleep."
                    )
                seen_hold, free = True, users == 0


def _exits(hot_pages: HotPages) -> None:
    walk = _one_page(hot_pages)
    for release in KERNELS:
        for cpus in ((WALKER, "exit"), ("exit", WALKER)):

            def lay_out(stage: Stage) -> None:
                ground = anonymous(stage, ("exit",), pages=2, alone=True)
                stage.run(WALKER, walk, ground.mm, ground.addr)
                stage.run("exit", exit_mm, ground.mm)

            scenario = Scenario("exit-vs-hot_pages", "", lay_out, Never(), cpus=cpus, release=release)
            race.safe(
                scenario,
                "the process exits meanwhile, and you walk tables that it gives back, or keep them for ever.",
            )


def _dirty(hot_pages: HotPages) -> None:
    def words(trial: race.Trial, verdict: Verdict) -> str:
        return (
            "the program wrote to the page, and the dirty bit is lost."
            if race.oracle(verdict) == "dirty"
            else ""
        )

    race.safe_against(_one_page(hot_pages), race.trials("user-access", *KERNELS), words=words)


def _changers(hot_pages: HotPages) -> None:
    tries = [trial for trial in race.trials("all", *KERNELS) if trial.changer != "user-access"]
    race.safe_against(_one_page(hot_pages), tries)


def _twice(hot_pages: HotPages) -> None:
    for release in KERNELS:
        program = _two(hot_pages, release)
        verdict = explore(program, limit=race.LIMITS)
        if verdict.outcome != "safe":
            race.refuse(program, verdict)


def _two(hot_pages: HotPages, release: str) -> Program:
    tally: list[int] = []

    def lay_out(stage: Stage) -> None:
        ground = anonymous(stage, (), pages=1)
        tally.append(stage.machine.cells.add("pages given", 0))

        async def counted(mm: Mm, addr: int) -> None:
            given: Sequence[int] = await hot_pages(mm, addr, addr + PAGE, 1)
            await Given(tally[0], len(given))

        for seat in ("first", "second"):
            stage.run(seat, counted, ground.mm, ground.addr)

    scenario = Scenario("two-hot_pages", "", lay_out, Never(), cpus=("first", "second"), release=release)
    program = scenario.build()
    before = program.at_end

    def at_end(memory: Memory) -> Any:
        report = before(memory) if before is not None else None
        if report is None and memory[tally[0]] != 1:
            return Finding(
                "at end", f"one page was accessed once, and two calls gave {memory[tally[0]]} in all"
            )
        return report

    return replace(program, at_end=at_end)


JUDGES = (
    _given, _cleared, _huge, _hidden, _budget, _nothing_kept, _exits, _dirty, _changers, _twice,
)  # fmt: skip

EXERCISE = Exercise(
    name="11.3",
    title="From a specification",
    notebook="11_capstone",
    kind="write a walker",
    difficulty=3,
    minutes=45,
    hints=(
        "Ten sentences, ten notebooks: which one made each?",
        "One hold is: mmget_not_zero, mmap_lock for reading, walk at most `budget` entries, unlock, mmput.",
        "Only the next address and the list of results live across holds. Inside: find the VMA, pmd_trans_huge_lock "
        "for a huge page, else pte_offset_map_lock (it may give None), and test_and_clear_young.",
    ),
    why="Each hold begins with nothing and ends with nothing but an address. So nothing can grow old in between.",
    check=check,
    seconds=180.0,
)
