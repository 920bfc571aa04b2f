"""Exercise 10.1: twelve cells of the matrix, said first and explored then."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.kernel import find_vma
from ptwalk.kernel.mm import Mm
from ptwalk.scenarios import CHANGERS, Scenario, pair
from ptwalk.scenarios.walkers import WALKERS, Walker
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore
from ptwalk.walk.broken import mkold_with_ptl_only, peek_pte

WORD_OF = {"lifetime": "use-after-free", "wild": "use-after-free", "detached": "lost update"}
WORDS = ("safe", "use-after-free", "lost update", "impossible")
KERNELS = ("5.15.0", "5.15.0,arm64", "6.1", "6.6", "6.14", "7.1")
REMOVERS = ("munmap", "collapse-anon", "retract", "reclaim")


async def ptl_only(mm: Mm, addr: int) -> None:
    """One load a level, then the table's lock and a store."""
    await mkold_with_ptl_only(mm, addr)


async def read_in_hole(mm: Mm, addr: int) -> None:
    """mmap_lock for reading, and only if there is no VMA at the address; the pte read without its lock."""
    async with mm.mmap_lock.read():
        vma = await find_vma(mm, addr)
        if vma is None or addr not in vma:
            await peek_pte(mm, addr)


MINE = {
    "ptl only": Walker("ptl only", "the page-table lock alone, and a store", ptl_only),
    "read, in a VMA": WALKERS["read-peek"],
    "read, in a hole": Walker("read, in a hole", "mmap_lock for reading, no VMA there", read_in_hole),
    "write": WALKERS["write-peek"],
    "write, and the VMA": WALKERS["write-vma-peek"],
    "irqs off": WALKERS["irqs-off"],
}
"""The six walkers of this exercise; all but the first read the pte without its lock."""

Cell = tuple[str, str, str]


@dataclass(frozen=True)
class Twelve:
    """Twelve cells: walker, remover, kernel."""

    seed: int
    cells: tuple[Cell, ...]

    def __repr__(self) -> str:
        """The cells as a list."""
        width = max(len(walker) for walker, _, _ in self.cells)
        rows = [f"{walker:<{width}}  {remover:<13}  {kernel}" for walker, remover, kernel in self.cells]
        return "\n".join([f"Twelve cells (seed {self.seed})", *rows])


@cache
def draw(seed: int) -> Twelve:
    """Twelve cells on two kernels, not all of them safe; the same for the same seed."""
    dice = random.Random(seed)
    kernels = dice.sample(KERNELS, 2) if seed > 1 else ["5.15.0", "6.6"]
    every = [(w, r, k) for k in kernels for r in REMOVERS for w in MINE]
    cells = dice.sample(every, 12)
    # Half of all cells are safe and dull; a few of those that went wrong in somebody's head are always there.
    wanted = [
        ("write", "retract", kernels[1]),
        ("ptl only", "collapse-anon", kernels[0]),
        ("irqs off", "retract", kernels[0]),
    ]
    for number, cell in enumerate(wanted):
        if cell not in cells:
            cells[number] = cell
    return Twelve(
        seed, tuple(dict.fromkeys(sorted(set(cells), key=lambda c: (c[2], c[1], list(MINE).index(c[0])))))
    )


def scenario(cell: Cell) -> Scenario:
    """The race of a cell."""
    walker, remover, kernel = cell
    release, _, arch = kernel.partition(",")
    who = MINE[walker]
    name = f"{remover}-vs-{who.walk.__name__}"
    return pair(name, who.walk, CHANGERS[remover], own=who.own, release=release, arch=arch or "x86-64")


@cache
def verdict(cell: Cell) -> Verdict | None:
    """What the explorer says; None where that kernel has no such remover."""
    race_of_cell = scenario(cell)
    if not CHANGERS[cell[1]].exists(race_of_cell.config()):
        return None
    return explore(race_of_cell, limit=race.LIMITS)


def word(cell: Cell) -> str:
    """The cell in one of the four words."""
    found = verdict(cell)
    if found is None:
        return "impossible"
    if found.outcome == "safe":
        return "safe"
    return WORD_OF[race.oracle(found)]


def check(answer: object, seed: int) -> str:
    """Each cell explored; the first that differs is shown."""
    if answer is None or answer is ...:
        raise NotYet("There is nothing to check. Hand in a dict: a word for each of the twelve cells.")
    if not isinstance(answer, Mapping):
        raise NotYet("Hand in a dict: the cell (walker, remover, kernel), and its word.")
    cells = draw(seed).cells
    for cell in answer:
        if cell not in cells:
            raise NotYet(f"{shown(cell)} is none of your cells.")
    for cell in cells:
        given = answer.get(cell)
        if given not in WORDS:
            raise NotYet(f"{', '.join(cell)}: you say {shown(given)}. Say one of {', '.join(WORDS)}.")
    wrong = [cell for cell in cells if answer[cell] != word(cell)]
    if wrong:
        _tell(wrong[0], str(answer[wrong[0]]), len(wrong))
    return f"{len(cells)} cells, each explored: as you said."


def _tell(cell: Cell, given: str, count: int) -> None:
    more = f" ({count} cells differ.)" if count > 1 else ""
    head = f"{', '.join(cell)}: you say {given}."
    found = verdict(cell)
    if found is None:
        raise NotYet(f"{head} This kernel has no such remover, so there was nothing to explore.{more}")
    if found.outcome == "safe":
        why = (
            "It does exist on this kernel."
            if given == "impossible"
            else "Who or what could keep the two apart?"
        )
        raise NotYet(f"{head} All {found.executions} executions came through. {why}{more}")
    race.refuse(scenario(cell), found, f"{head} {_why(cell, given)}{more}")


def _why(cell: Cell, given: str) -> str:
    walker, remover, _ = cell
    if given == "impossible":
        return "It does exist on this kernel, and it can reach this range."
    if given == "use-after-free":
        return "No memory was given back: the table is parked. But a store went into it."
    if given == "lost update":
        return "It is worse: the table was given back, and then touched."
    if remover == "retract" and walker == "irqs off":
        return "The table was freed at once. No IPI and no grace period came first."
    if remover == "retract" and walker == "write, and the VMA":
        return "The remover took no lock of this mm, and no lock of this VMA."
    if remover == "retract" and walker == "write":
        return "The remover took no lock of this mm at all."
    if remover == "retract":
        return "The remover does not ask for mmap_lock, and the table went while you held it."
    if remover == "reclaim" and walker == "write":
        return "The remover held a VMA's lock, and not mmap_lock."
    if remover == "reclaim":
        return "Two readers: you, and the one who empties the table and gives it back."
    if walker == "ptl only":
        return "The lock lies in the table that goes."
    return "The remover had downgraded: two readers, and one of them frees tables in this hole."


EXERCISE = Exercise(
    name="10.1",
    title="Twelve cells",
    notebook="10_matrix",
    kind="predict",
    difficulty=3,
    minutes=20,
    hints=(
        "For each cell: which lock do both take at the moment of the cut? One that shuts the other out is enough.",
        "If there is none: does the freer wait for you before it gives the memory back? With an IPI, or with RCU?",
        "If not that either: can it aim at your range at all? In an attached VMA munmap cannot. Does the remover exist "
        "in this release? retract 6.6 takes no lock of your mm; reclaim comes with 6.14.",
    ),
    why=(
        "Three questions decide each cell: a lock that both take; a wait that includes you; a range that cannot be "
        "hit. If all three say no, there is a schedule."
    ),
    check=check,
    problem=draw,
    seconds=30.0,
)
