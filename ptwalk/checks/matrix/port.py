"""Exercise 10.3: a walker of 5.15, carried to 7.1 and kept right on 5.15."""

from __future__ import annotations

from typing import Any

from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.matrix import watched
from ptwalk.checks.matrix.watched import Held, Watched
from ptwalk.checks.preflight import shown
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import is_table, leaf, none
from ptwalk.scenarios import CHANGERS
from ptwalk.scenarios.pair import pair
from ptwalk.trace.verdict import Finding, Verdict

KERNELS = ("5.15.0", "7.1")
NAMES = (
    "munmap", "collapse-anon", "retract", "reclaim", "collapse-pte-mapped", "dontneed", "mremap-table", "thp-split",
    "fault", "fault-huge",
)  # fmt: skip
OWN = (
    ("retract, then the huge page is mapped", watched.retract_and_map),
    ("retract, then a fault", watched.retract_and_fault),
    ("reclaim, then a fault", watched.reclaim_and_fault),
)
ALONE = (
    ("a page", watched.table, True),
    ("a page", watched.second, True),
    ("a page that was not accessed for a while", watched.old, True),
    ("a table with no page in it", watched.empty, False),
    ("an empty entry, and a page beside it,", watched.only_the_first, False),
    ("a page that was swapped out", watched.swapped_out, False),
    ("no table", watched.nothing, False),
    ("a huge page", watched.huge, True),
)


def judge(right: bool | None, what: str = "") -> watched.Judge:
    """Holds the answer against what was there, alone (`right`), or against the last look at the pmd."""

    async def judges(mm: Mm, pmd: Watched, given: Any) -> None:
        await Held(mm, (), lambda locks, depth, memory: _kept(locks, depth))
        await watched.said(_wrong(pmd, given, right, what))

    return judges


def _kept(locks: tuple[str, ...], depth: int) -> str:
    if [lock for lock in locks if "mmap_lock" not in lock]:
        return "resident has ended and still holds a page-table lock."
    if depth:
        return (
            "resident has ended and is still inside an RCU section: pte_offset_map has a partner, pte_unmap."
        )
    return ""


def _wrong(pmd: Watched, given: Any, right: bool | None, what: str) -> str:
    if not isinstance(given, bool):
        return f"resident gave {shown(given)}. It gives True or False."
    if right is not None:
        return "" if given == right else f"At the address there is {what}, and resident gave {given}."
    if pmd.last is not None and leaf(pmd.last) and not given:
        return "The last pmd that you read was a huge page, and you said that no page is there."
    if pmd.last is not None and none(pmd.last) and given:
        return "The last pmd that you read was empty, and you said that a page is there."
    if pmd.last is not None and is_table(pmd.last):
        if pmd.below is None or pmd.below[0] is not pmd.machine.table_frame(pmd.last):
            return "The last pmd that you read names a table, and you gave an answer without a look into that table."
        if pmd.below[1].linux_present != given:
            return f"The pte that you read last is {pmd.below[1].state.name.lower()}, and you said {given}."
    return ""


def check(answer: object, seed: int) -> str:
    """Alone on both kernels, then every changer on both."""
    resident = scenes.handed_in(answer, "resident", ("mm", "pmd", "addr"))
    for release in KERNELS:
        for what, lay_out, right in ALONE:
            calls = watched.caller(resident, judge(right, what))
            scenes.sound(scenes.scene("alone", watched.run(calls, lay_out), release, alone=True), "resident")
    calls = watched.caller(resident, judge(None))
    searched = scenes.Searched()
    for release in KERNELS:
        for name in NAMES:
            config = pair("config", resident, CHANGERS[name], release=release).config()
            if CHANGERS[name].exists(config):
                _search(searched, name, release, watched.run(calls, watched.changer(name)))
    for name, lay_out in OWN:
        _search(searched, name, "7.1", watched.run(calls, lay_out))
    return f"{searched} Right on kernel 5.15.0 and on 7.1."


def _search(searched: scenes.Searched, name: str, release: str, lay_out: scenes.LayOut) -> None:
    searched.search(scenes.scene(name, lay_out, release), _words, f"Against {name}, kernel {release}: ")


def _words(verdict: Verdict) -> str:
    report = verdict.report
    if isinstance(report, Finding) and report.kind == "exception" and "NoneType" in report.text:
        return (
            "No table came back, and you used it. On this kernel a pte table can go while you hold mmap_lock."
        )
    if verdict.outcome == "incomplete" and "for ever" in verdict.limit:
        return "You try again for ever. The table is gone for good: that there is none is an answer."
    if race.oracle(verdict) in ("lifetime", "wild"):
        return (
            "You read the pte of a table that was freed. mmap_lock does not keep pte tables on this kernel."
        )
    return ""


EXERCISE = Exercise(
    name="10.3",
    title="Port it",
    notebook="10_matrix",
    kind="repair",
    difficulty=2,
    minutes=15,
    hints=(
        "Which of the calls may come back with nothing now, and could not in 5.15?",
        "If there is no table, ask the pmd again: what are you now? It may be empty, huge, or name a new table.",
        "while True: entry = await pmd.read(); huge: True; no table: False; pte, ptl = await "
        "pte_offset_map_lock(…); if pte is None: continue; …",
    ),
    why=(
        "None does not say what is there now. It says that what you had seen is no longer true. So you look again, "
        "and judge what you see. On 5.15 the new line is never reached."
    ),
    check=check,
    seconds=90.0,
)
