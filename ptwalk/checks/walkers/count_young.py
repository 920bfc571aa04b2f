"""Exercise 04.1: count the accessed pages of a range with small and huge pages, by the page walker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.preflight import shown
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import leaf, mm_find_pmd
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import home, span
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore

KERNELS = ("5.15.0", "7.1")
SMALL = 512
"""Small pages in a huge one."""

# What may be true at some moment of the walk.  After a split the model has entries for one small page only.
TRUE: Mapping[str, frozenset[int]] = {
    "thp-split": frozenset({SMALL, 1}),
    "fault-huge": frozenset({0, SMALL}),
    "fault": frozenset({0, 1}),
    "dontneed": frozenset({0, 1}),
    "munmap": frozenset({0, 1}),
    "reclaim": frozenset({0, 1}),
    "user-access": frozenset({1}),
}
YOUNG_SMALL = 2
QUIET = YOUNG_SMALL + SMALL


def walking(count_young: Any) -> Any:
    """The learner's function as a walker: the two MiB around the address."""

    async def count_young_walk(mm: Mm, addr: int) -> Any:
        return await count_young(mm, addr, addr + span(mm))

    return count_young_walk


def quiet(count_young: Any, release: str) -> Scenario:
    """Nobody else there: two young pages, one old, one swapped out, one migrating; a young huge page; a hole."""

    async def count_young_alone(mm: Mm, addr: int) -> None:
        size = span(mm)
        count = await count_young(mm, addr, addr + 4 * size)
        pmd = await mm_find_pmd(mm, addr + size)
        assert pmd is not None
        split = not leaf(await pmd.read())
        await race.Result(_quiet(count, split))
        again = await count_young(mm, addr, addr + 4 * size)
        if again != count:
            await race.Result(
                f"Nobody changed anything, and count_young() gave {count} first, then {shown(again)}."
            )

    def lay_out(stage: Stage) -> None:
        mm = stage.mm()
        addr, size, page = home(mm), span(mm), mm.format.page_size
        mm.map(addr, addr + size, populate=[addr, addr + page, addr + 2 * page])
        table = mm.initial_table(addr, "pte")
        table.contents[2] = mm.format.mkold(table.contents[2], "pte")
        mm.watch(addr + 3 * page)
        table.contents[3] = mm.format.make_swap(0, 0x1000)
        mm.map(addr + size, addr + 2 * size, populate=[addr + size], huge=True)
        mm.watch(addr + 4 * page)
        table.contents[4] = mm.format.make_migration(stage.machine.new_frame("anon", "free").pa)
        stage.run("walker", count_young_alone, mm, addr)

    return Scenario(
        "count_young-alone", "nobody else there", lay_out, Never(), cpus=("walker",), release=release
    )


def _quiet(count: Any, split: bool) -> str:
    if isinstance(count, bool) or not isinstance(count, int):
        return f"count_young() gave {shown(count)}. Give a number."
    if split:
        return "The walk split your huge page: a reader that changes what it measures."
    if count == QUIET:
        return ""
    missing = {
        YOUNG_SMALL: "A huge page counts, too: 512 pages are missing.",
        YOUNG_SMALL + 1: "The huge page counts for one. It is 512 pages.",
        SMALL: "The small pages are missing.",
        QUIET + 1: "One page too many: it is there, but it is old.",
        QUIET
        + 3: "Three too many: one is old, one swapped out, one migrating. The last two have no A to look at.",
    }
    return f"count_young() gave {count}. {missing.get(count, 'Some pages are not counted, or some are not young.')}"


def check(answer: Any, seed: int) -> str:
    """The truth with nobody there; then a number that was true at some moment of the walk."""
    count_young = scenes.handed_in(answer, "count_young", ("mm", "start", "end"))
    for release in KERNELS:
        scenario = quiet(count_young, release)
        verdict = explore(scenario, limit=race.LIMITS)
        if verdict.outcome != "safe":
            race.refuse(scenario, verdict, "", f"With nobody else there, kernel {release}: ")
    return race.safe_against(walking(count_young), race.trials(TRUE, *KERNELS), words=_words, accept=_true)


def _true(trial: race.Trial, result: Any) -> str:
    if result in TRUE[trial.changer] and not isinstance(result, bool):
        return ""
    return f"count_young() gave {result}. At no moment of this walk were there so many young pages."


def _words(trial: race.Trial, verdict: Verdict) -> str:
    report = race.observed(verdict)
    if "leaf taken for a table" in report:
        return f"What you tested was a table, what you followed was a huge page: data taken for a table. {report}"
    if trial.changer == "munmap" and race.oracle(verdict) in ("wild", "lifetime"):
        return f"Nothing kept munmap from the tables: is the mmap lock held from the first step to the last? {report}"
    if "empty entry" in report:
        return f"The pmd was empty when you followed it: what you tested was another load. {report}"
    if race.oracle(verdict) == "exception" and "None" in report:
        return f"On this kernel pte_offset_map_lock may find no table, and gives None. {report}"
    return ""


EXERCISE = Exercise(
    name="04.1",
    title="Count the young",
    notebook="04_walkers",
    kind="write a walker",
    difficulty=2,
    minutes=20,
    hints=(
        "How many states has a pmd? A callback pmd_entry sees all of them, and comes before any split.",
        "Let pmd_trans_huge_lock decide: it gives a lock if the pmd is huge or migrating. Look again under that lock.",
        "Huge: count 512 if A is set, drop the lock, set walk.action = 'continue'. Else do nothing; pte_entry counts.",
    ),
    why="The pmd was judged under the lock that its changers take, on a load made under it; the ptes the walker had "
    "locked. So each part of the number was true when it was read. The sum need not be true of one moment.",
    check=check,
)
