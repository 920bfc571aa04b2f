"""Exercise 02.1: which tables does a munmap give back? On a captured process, and on recordings of Linux 6.1."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from ptwalk.arch import format_named
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import Learner, number, shown
from ptwalk.checks.shipped import machine
from ptwalk.recordings.recording import load

LEVELS = ("pte", "pmd", "pud")
RECORDED = ("munmap_shared_table", "munmap_tables", "munmap_growsdown", "munmap_alone", "munmap_thp")
RANDOM_RANGES = 40

Range = tuple[int, int]
Table = tuple[str, int, int]


class Case(NamedTuple):
    """A munmap of [start, end): the VMAs and tables before it, how many tables go, and what is worth saying."""

    vmas: tuple[Range, ...]
    tables: tuple[Table, ...]
    start: int
    end: int
    freed: dict[str, int]
    remark: str


def survivors(vmas: tuple[Range, ...], start: int, end: int) -> list[Range]:
    """What is still mapped after a munmap of [start, end): parts of VMAs too."""
    left = [(low, min(high, start)) for low, high in vmas] + [(max(low, end), high) for low, high in vmas]
    return [(low, high) for low, high in left if low < high]


def freed(vmas: tuple[Range, ...], tables: tuple[Table, ...], start: int, end: int) -> dict[str, int]:
    """How many tables of each level go: those that held something of the range, and nothing that survives."""
    gone = [(max(low, start), min(high, end)) for low, high in vmas if low < end and start < high]
    kept = survivors(vmas, start, end)
    count = Counter(
        level
        for level, low, high in tables
        if level in LEVELS and _meets(gone, low, high) and not _meets(kept, low, high)
    )
    return {level: count[level] for level in LEVELS}


def _meets(ranges: list[Range], low: int, high: int) -> bool:
    return any(start < high and low < end for start, end in ranges)


@cache
def captured() -> tuple[tuple[Range, ...], tuple[Table, ...]]:
    """The VMAs and the linked tables of the captured process, the user half."""
    process = machine()
    tables = tuple((t.level, t.covers_start, t.covers_end) for t in process.tables("user"))
    return tuple((vma.start, vma.end) for vma in process.vmas if vma.end < 1 << 47), tables


@cache
def cases() -> tuple[Case, ...]:
    """Recordings first: they are short, and Linux itself says how they end. Then the captured process."""
    vmas, tables = captured()
    found = [*(_recorded(name) for name in RECORDED), *_made()]
    for start, end in vmas:
        found.append(Case(vmas, tables, start, end, freed(vmas, tables, start, end), "This is a whole VMA."))
    draw = random.Random(21)
    for _ in range(RANDOM_RANGES):
        low, high = draw.choice(vmas)
        pages = sorted(draw.sample(range((high - low) // 4096 + 1), 2)) if high - low > 4096 else [0, 1]
        start, end = low + 4096 * pages[0], low + 4096 * pages[1]
        found.append(
            Case(vmas, tables, start, end, freed(vmas, tables, start, end), "This is a part of one VMA.")
        )
    for first in range(0, len(vmas) - 3, 7):
        start, end = vmas[first][0], vmas[first + 3][1]
        found.append(
            Case(vmas, tables, start, end, freed(vmas, tables, start, end), "These are four VMAs in a row.")
        )
    return tuple(found)


def _recorded(name: str) -> Case:
    setup = load(name).setup
    form = format_named("x86-64-4level", release="6.1")
    near = {(int(vma["start"], 16), int(vma["end"], 16)) for vma in setup["vmas_near"]}
    above = setup["vma_above"]
    vmas = tuple(sorted(near | {(int(above[0], 16), int(above[1], 16))}))
    start, end = (int(text, 16) for text in setup["region"])
    # The recorder names a VMA as it was after the split; put the hole back.
    if not _meets(list(vmas), start, end):
        vmas = tuple(sorted((*vmas, (start, end))))
    tables = []
    for text in setup["tables"].values():
        if text.startswith("deposited"):
            continue
        level, va = text.split("-table[")
        low = int(va.rstrip("]"), 16)
        size = form.page_size * 512 ** (1 + [*LEVELS, "pgd"].index(level))
        tables.append((level, low & -size, (low & -size) + size))
    went = Counter(
        text.split("-table[")[0] for text in setup["tables_freed"] if not text.startswith("deposited")
    )
    told = ", ".join(f"{went[level]} {level}" for level in LEVELS if went[level]) or "none"
    remark = f"This one was recorded ({name}): Linux 6.1 freed {told}."
    return Case(vmas, tuple(tables), start, end, {level: went[level] for level in LEVELS}, remark)


def _made() -> Iterator[Case]:
    """Neighbours that begin or end exactly where a table does: they do not use it."""
    low, high = 0x40_0000, 0x60_0000
    tables: tuple[Table, ...] = (
        ("pte", low, high), ("pte", high, high + (1 << 21)), ("pte", low - (1 << 21), low),
        ("pmd", 0, 1 << 30), ("pud", 0, 1 << 39), ("pgd", 0, 1 << 48),
    )  # fmt: skip
    vmas = ((low - 0x1000, low), (low + 0x3000, low + 0x5000), (high, high + 0x1000))
    for start, end in (
        (low + 0x3000, low + 0x5000),
        (low, high),
        (high, high + 0x1000),
        (low + 0x4000, low + 0x5000),
    ):
        remark = "This one was made by hand: VMAs that end or begin just where a table does."
        yield Case(vmas, tables, start, end, freed(vmas, tables, start, end), remark)


def check(answer: object, seed: int) -> str:
    """Five recordings, every VMA of the process, and ranges inside them."""
    tables_freed = Learner(answer, "tables_freed", ("vmas", "tables", "start", "end"))
    given = []
    for case in cases():
        counts = _counts(tables_freed(list(case.vmas), list(case.tables), case.start, case.end))
        given.append((case, counts))
        if counts != case.freed and len(given) == 1:
            break  # the shortest example says it best
    for case, counts in given:
        if counts != case.freed:
            raise NotYet(f"{_words(case, counts)}{_habit(tables_freed)}")
    whole = f"{len(RECORDED)} recorded ones, a few made by hand, every VMA of the process, parts and rows"
    return f"Compared for {len(cases())} munmaps: {whole}."


def _habit(tables_freed: Learner) -> str:
    """What a learner's function does in all cases alike, if that says more than one case."""
    answers = [
        (case, _counts(tables_freed([*case.vmas], [*case.tables], case.start, case.end))) for case in cases()
    ]
    if not any(counts["pmd"] or counts["pud"] for _, counts in answers):
        return " In all cases you free pte tables only."
    if all(counts == _uncut(case) for case, counts in answers):
        return " You ask the other VMAs only: what is left of a VMA that is cut in two stays, too."
    return ""


def _uncut(case: Case) -> dict[str, int]:
    kept = [(low, high) for low, high in case.vmas if high <= case.start or case.end <= low]
    count = Counter(
        level
        for level, low, high in case.tables
        if low < case.end and case.start < high and not _meets(kept, low, high)
    )
    return {level: count[level] for level in LEVELS}


def _counts(given: object) -> dict[str, int]:
    if not isinstance(given, dict):
        raise NotYet(
            f"tables_freed() gave {shown(given)}. Give a dict with a number for each level: "
            '{"pte": 0, "pmd": 0, "pud": 0}.'
        )
    if given.get("pgd"):
        raise NotYet("You free a pgd table, the root. It lives as long as the process: it goes at exit.")
    missing = [level for level in LEVELS if level not in given]
    if missing:
        raise NotYet(
            f"Your dict says nothing of {', '.join(missing)}. There is a table of each of three levels."
        )
    return {level: number(given[level], f"The count of {level} tables") for level in LEVELS}


def _words(case: Case, counts: dict[str, int]) -> str:
    level = next(level for level in LEVELS if counts[level] != case.freed[level])
    given = counts[level]
    head = f"munmap of {case.start:#x}-{case.end:#x}: you free {given} {level} tables. {case.remark}"
    kept = survivors(case.vmas, case.start, case.end)
    inside = [
        (low, high)
        for name, low, high in case.tables
        if name == level and low < case.end and case.start < high
    ]
    if given > case.freed[level]:
        shared = next(((low, high) for low, high in inside if _meets(kept, low, high)), None)
        if shared is None:
            return f"{head} There are not so many that the range touches."
        users = [one for one in kept if one[0] < shared[1] and shared[0] < one[1]]
        where = (
            "on both sides"
            if users[0][0] < case.start and users[-1][0] >= case.end
            else "below"
            if users[0][0] < case.start
            else "above"
        )
        return (
            f"{head} A table for {shared[0]:#x}-{shared[1]:#x} is still used by {len(users)} ranges, {where}."
        )
    partly = [
        (low, high)
        for low, high in inside
        if not _meets(kept, low, high) and (low < case.start or high > case.end)
    ]
    if partly:
        low, high = partly[0]
        return f"{head} Nobody else lives in {low:#x}-{high:#x}, though the range does not fill it."
    return f"{head} Nobody else uses the tables that the range fills."


EXERCISE = Exercise(
    name="02.1",
    title="Which tables die?",
    notebook="02_who_changes_them",
    kind="compute",
    difficulty=2,
    minutes=20,
    hints=(
        "Do not ask the range that goes. Ask the ranges that stay.",
        "First list what is still mapped afterwards; a VMA may be cut in two. Then look at each table's span.",
        "A table goes if its span meets [start, end) and no range that stays meets its whole span [low, high).",
    ),
    why="munmap may free a table only if no remaining VMA can use any part of its span. Linux asks the neighbours: "
    "the end of the one below is the floor, the start of the one above the ceiling.",
    check=check,
)
