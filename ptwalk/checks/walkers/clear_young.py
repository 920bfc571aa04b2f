"""Exercise 04.2: clear the accessed bit of one pte and lose nothing that hardware or other software writes."""

from __future__ import annotations

import inspect
from typing import Any

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import is_table
from ptwalk.machine.entries import EntryPointer
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import anonymous
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore
from ptwalk.walk.pagewalk import MmWalk, MmWalkOps, walk_page_range

CHANGERS = "user-access fault dontneed mremap-ptes thp-split munmap reclaim"
KERNELS = ("5.15.0", "7.1")
CALLBACK = ("mm", "pmd", "addr")


def a_callback(answer: Any, name: str, parameters: tuple[str, ...]) -> None:
    """`NotYet` unless `answer` is an async function with these parameters."""
    race.handed_in(answer)
    wanted = f"async def {name}({', '.join(parameters)})"
    if not inspect.iscoroutinefunction(answer):
        raise NotYet(f"{name} must be `{wanted}`, handed in by its name and without brackets.")
    try:
        inspect.signature(answer).bind(*parameters)
    except TypeError:
        raise NotYet(f"Your function can't be called as {wanted[10:]}. Look at its parameters.") from None


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
            return f"clear_young() gave {given!r}. Give True or False: was A set?"
    if not first:
        return "A was set, and clear_young() gave False."
    if accessed:
        return "clear_young() said young, and A is still set, with nobody else there."
    if second:
        return "At the second call A was clear, and clear_young() gave True."
    return ""


def check(answer: Any, seed: int) -> str:
    """Right with nobody there; then nothing lost against hardware and everybody who writes ptes."""
    a_callback(answer, "clear_young", CALLBACK)
    scenario = alone(answer)
    verdict = explore(scenario, limit=race.LIMITS)
    if verdict.outcome != "safe":
        race.refuse(scenario, verdict, "", "With nobody else there: ")
    return race.safe_against(walking(answer), race.trials(CHANGERS, *KERNELS), words=_words, accept=_bool)


def _bool(trial: race.Trial, result: Any) -> str:
    return (
        "" if isinstance(result, bool) else f"clear_young() gave {result!r}. Give True or False: was A set?"
    )


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
