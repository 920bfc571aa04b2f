"""Exercise 04.3: the helper of 2012 that looked twice at one pmd, and wrote zero over a huge page."""

from __future__ import annotations

from typing import Any

from ptwalk.actors.fault import page_fault
from ptwalk.actors.thp_split import split_thp
from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import is_table, leaf, lock_of_table, mm_find_pmd
from ptwalk.kernel.vma import find_vma
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.changers import CHANGER
from ptwalk.scenarios.ground import anonymous
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore

CHANGERS = "fault-huge thp-split fault dontneed"
KERNELS = ("5.15.0", "6.1")
GROUNDS = ("table", "none", "huge")


def walking(find_pte: Any) -> Any:
    """The walk around the learner's helper: mmap lock, VMA, upper levels; afterwards the pte, under its lock."""

    async def find_pte_walk(mm: Mm, addr: int) -> Any:
        async with mm.mmap_lock.read():
            vma = await find_vma(mm, addr)
            pmd = await mm_find_pmd(mm, addr) if vma is not None and addr in vma else None
            if pmd is None:
                return None
            pte = await find_pte(mm, pmd, addr)
            if pte is None:
                return None
            wrong = _no_pte(pte, mm, addr)
            if wrong:
                await race.Result(wrong)
                return None
            ptl = lock_of_table(mm, pte.frame)
            await spin_lock(ptl)
            entry = await pte.read()
            await spin_unlock(ptl)
            return entry

    return find_pte_walk


def _no_pte(pte: object, mm: Mm, addr: int) -> str:
    """What is wrong with what the helper gave, if it is no pointer to the pte of this address."""
    if not isinstance(pte, EntryPointer):
        return f"find_pte() gave {type(pte).__name__}. Give a pointer to the pte, or None."
    if pte.level.name != "pte":
        return f"find_pte() gave a pointer to a {pte.level.name} entry. The pte is one table further down."
    if pte.index != mm.format.index(addr, "pte"):
        return f"find_pte() gave pte[{pte.index}]. The address has another index in its table."
    return ""


@allocates
async def huge_and_split(mm: Mm, addr: int) -> None:
    """A page fault installs a huge page, and somebody splits it at once: none, huge, table."""
    await page_fault(mm, addr, huge=True)
    await split_thp(mm, addr)


def came_and_split(walk: Any) -> Scenario:
    """The walk against a pmd that is none at first, huge for a moment, and then a table."""

    def lay_out(stage: Stage) -> None:
        made = anonymous(stage, (CHANGER,), populate=False, whole=True)
        made.mm.watch(made.addr)
        made.mm.initial_table(made.addr, made.mm.pmd_level.name)
        stage.run(WALKER, walk, made.mm, made.addr)
        stage.run(CHANGER, huge_and_split, made.mm, made.addr)

    return scenes.scene("find_pte-vs-huge-and-split", lay_out, "5.15.0")


def quiet(find_pte: Any, ground: str) -> Scenario:
    """Nobody else there: a table must be found, a hole and a huge page left as they are."""
    walk = walking(find_pte)

    async def find_pte_alone(mm: Mm, addr: int) -> None:
        found = await walk(mm, addr)
        pmd = await mm_find_pmd(mm, addr)
        after = await pmd.read() if pmd is not None else None
        wrong = ""
        if ground == "table" and (after is None or not is_table(after)):
            wrong = "There is a table, and your helper cleared the pmd."
        elif ground == "table" and found is None:
            wrong = "There is a table, and your helper says there is none."
        elif ground == "huge" and (after is None or not leaf(after)):
            wrong = "The pmd mapped a huge page, and your helper changed it."
        elif ground != "table" and found is not None:
            wrong = "Your helper gave a pte where there is no table."
        await race.Result(wrong)

    def lay_out(stage: Stage) -> None:
        made = anonymous(stage, (), populate=ground != "none", whole=True, huge=ground == "huge")
        if ground == "none":
            made.mm.watch(made.addr)
            made.mm.initial_table(made.addr, made.mm.pmd_level.name)
        stage.run("walker", find_pte_alone, made.mm, made.addr)

    return Scenario(
        f"find_pte-{ground}", "nobody else there", lay_out, Never(), cpus=("walker",), release="5.15.0"
    )


def check(answer: Any, seed: int) -> str:
    """Right with nobody there; then against everybody who may change a pmd under the read lock."""
    find_pte = scenes.handed_in(answer, "find_pte", ("mm", "pmd", "addr"))
    for ground in GROUNDS:
        scenario = quiet(find_pte, ground)
        verdict = explore(scenario, limit=race.LIMITS)
        if verdict.outcome != "safe":
            race.refuse(scenario, verdict, _said(verdict), "With nobody else there: ")
    walk = walking(find_pte)
    scenes.Searched().search(
        came_and_split(walk), _said, "Against a huge fault, and a split right after it: "
    )
    return race.safe_against(walk, race.trials(CHANGERS, *KERNELS), words=lambda _, seen: _said(seen))


def _said(verdict: Verdict) -> str:
    report = race.observed(verdict)
    if "leaf taken for a table" in report:
        return f"You walked into a huge page as if it were a table. {report}"
    if "clears pmd" in report:
        return f"A pmd that maps a huge page was cleared: 2 MiB are gone. {report}"
    if "empty entry" in report:
        return f"The pmd was empty when you followed it: what you tested was another load. {report}"
    return ""


EXERCISE = Exercise(
    name="04.3",
    title="One look too many",
    notebook="04_walkers",
    kind="repair",
    difficulty=2,
    minutes=12,
    hints=(
        "Count the loads of the pmd. What may happen between two of them?",
        "Keep the word in a variable: the variable cannot change. Then ask all questions of the variable.",
        "One read; unless is_table(entry) give None; else give offset_lockless(pmd, entry, addr).",
    ),
    why="Under the read lock a pmd may go from none to table or huge, and from huge to table or none. So each load may "
    "show something else; one load shows one thing. A table stays a table there (before 6.6).",
    check=check,
)
