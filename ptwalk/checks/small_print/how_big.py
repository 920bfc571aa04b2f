"""Exercise 08.2: which munmap frees a table that a walk outside VMAs reads? On captured processes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from ptwalk.checks.changes.dying import LEVELS, freed
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import Learner, number, shown
from ptwalk.checks.shipped import machine

CAPTURES = ("x86_64-4level-6.1", "aarch64-4k-48bit-6.1")
WALKS = ("hole", "novma")

Ranges = tuple[tuple[int, int], ...]
Tables = tuple[tuple[str, int, int], ...]
# Two VMAs that share a pud table, and one that has a slot of 512 GiB to itself: what no capture shows.
SHARED: tuple[Ranges, Tables] = (
    ((0x8000000000, 0x8000001000), (0x8040000000, 0x8040001000), (0x10000000000, 0x10000001000)),
    (
        ("pgd", 0, 1 << 48),
        ("pud", 0x8000000000, 0x10000000000),
        ("pud", 0x10000000000, 0x18000000000),
        ("pmd", 0x8000000000, 0x8040000000),
        ("pmd", 0x8040000000, 0x8080000000),
        ("pmd", 0x10000000000, 0x10040000000),
        ("pte", 0x8000000000, 0x8000200000),
        ("pte", 0x8040000000, 0x8040200000),
        ("pte", 0x10000000000, 0x10000200000),
    ),
)
# Two VMAs that touch where one table ends and the next begins: neither lives in the other's table.
TOUCHING: tuple[Ranges, Tables] = (
    ((0x80001FF000, 0x8000200000), (0x8000200000, 0x8000201000), (0x80003FF000, 0x8000400000)),
    (
        ("pgd", 0, 1 << 48),
        ("pud", 0x8000000000, 0x10000000000),
        ("pmd", 0x8000000000, 0x8040000000),
        ("pte", 0x8000000000, 0x8000200000),
        ("pte", 0x8000200000, 0x8000400000),
    ),
)


@cache
def process(name: str) -> tuple[Ranges, Tables]:
    """The VMAs and the tables of the user half of a captured process."""
    captured = machine(name)
    tables = tuple((t.level, t.covers_start, t.covers_end) for t in captured.tables("user"))
    return tuple((vma.start, vma.end) for vma in captured.vmas if vma.end <= 1 << 48), tables


def worlds() -> list[tuple[str, Ranges, Tables]]:
    """Where the learner's function is tried."""
    return [
        *((f"capture {name}", *process(name)) for name in CAPTURES),
        ("two neighbours and a hermit", *SHARED),
        ("two VMAs that touch where a table ends", *TOUCHING),
    ]


def endangered(vmas: Ranges, tables: Tables, walk: str) -> list[int]:
    """Starts of the VMAs whose munmap frees a table that the walk may be reading."""
    read = ("pud",) if walk == "hole" else LEVELS
    return [start for start, end in vmas if any(freed(vmas, tables, start, end)[level] for level in read)]


def check(answer: object, seed: int) -> str:
    """Both walks, every VMA of two captured processes, and two drawn layouts."""
    function = Learner(answer, "endangered", ("vmas", "tables", "walk"))
    given = {}
    for name, vmas, tables in worlds():
        for walk in WALKS:
            found = _starts(function(list(vmas), list(tables), walk))
            unknown = [start for start in found if start not in dict(vmas)]
            if unknown:
                raise NotYet(f"endangered() gave {unknown[0]:#x}. No VMA of {name} starts there.")
            given[name, walk] = found
    for name, vmas, tables in worlds():
        for walk in WALKS:
            _compare(name, vmas, tables, walk, given[name, walk], given[name, "hole"] == given[name, "novma"])
    count = sum(len(vmas) for _, vmas, _ in worlds())
    return f"Compared for {count} VMAs and both walks: two captured processes, and two layouts of neighbours."


def _starts(given: object) -> list[int]:
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise NotYet(
            f"endangered() gave {shown(given)}. Give a list: the start of each VMA that is big enough."
        )
    return sorted({number(start, "A start") for start in given})


def _compare(name: str, vmas: Ranges, tables: Tables, walk: str, given: list[int], alike: bool) -> None:
    right = endangered(vmas, tables, walk)
    both = " You gave the same list for both walks." if alike else ""
    too_many = [
        (freed(vmas, tables, start, dict(vmas)[start]), start) for start in given if start not in right
    ]
    for gone, start in sorted(too_many, key=lambda one: (*(one[0][level] > 0 for level in LEVELS), one[1])):
        head = f"{name}, {walk} walk: you name the VMA at {start:#x}. Its munmap frees"
        if not any(gone.values()):
            raise NotYet(f"{head} no table: others live in the same 2 MiB, or it has none.{both}")
        if gone["pmd"]:
            raise NotYet(
                f"{head} a pmd table, and no pud table. The hole walk reads the pud entry and stops: that entry lies "
                f"one table higher.{both}"
            )
        raise NotYet(f"{head} pte tables only. The hole walk never comes that far down.{both}")
    for start in right:
        if start not in given:
            told = ", ".join(
                f"{n} {level}" for level, n in freed(vmas, tables, start, dict(vmas)[start]).items() if n
            )
            raise NotYet(
                f"{name}, {walk} walk: you don't name the VMA at {start:#x}. Its munmap frees tables: {told}. "
                f"One of them is read by this walk.{both}"
            )


EXERCISE = Exercise(
    name="08.2",
    title="How big must it be?",
    notebook="08_small_print",
    kind="compute",
    difficulty=2,
    minutes=15,
    hints=(
        "Which entry does the hole walk load last? And in which table does that entry lie?",
        "A read of an entry is a read of the table that the entry lies in. That table must die for the bug to happen.",
        "Hole: at least one pud table goes. Novma: any table goes. A table goes if no other VMA meets its span.",
    ),
    why=(
        "The hole walk of 5.15.0 loads one pud entry, and that lies in a PUD table: 512 GiB must become empty. The "
        "walk without VMAs reads ptes, so 2 MiB are enough."
    ),
    check=check,
)
