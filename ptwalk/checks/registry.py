"""The list of notebooks and exercises. To add one, write its module and name it here.

Modules are imported when first asked for, so that `import ptwalk` stays quick.
"""

from __future__ import annotations

import difflib
import importlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ptwalk.checks.exercise import Exercise
from ptwalk.errors import PtwalkError


@dataclass(frozen=True)
class Notebook:
    """A notebook of the course; `minutes` to read and play alone, `modules` those of its exercises."""

    number: str
    stem: str
    title: str
    minutes: int
    modules: tuple[str, ...] = ()


NOTEBOOKS = (
    Notebook(
        "00",
        "00_start_here",
        "Start here",
        15,
        ("ptwalk.checks.start.by_hand", "ptwalk.checks.start.report", "ptwalk.checks.start.fails"),
    ),
    Notebook(
        "01",
        "01_page_tables",
        "Page tables of a real process",
        35,
        (
            "ptwalk.checks.page_tables.by_hand",
            "ptwalk.checks.page_tables.translate",
            "ptwalk.checks.page_tables.states",
            "ptwalk.checks.page_tables.spot",
            "ptwalk.checks.page_tables.translate_arm64",
        ),
    ),
    Notebook(
        "02",
        "02_who_changes_them",
        "Who changes them",
        45,
        ("ptwalk.checks.changes.dying", "ptwalk.checks.changes.tail", "ptwalk.checks.changes.marks"),
    ),
    Notebook(
        "03",
        "03_locks",
        "Locks, and what each of them stops",
        50,
        ("ptwalk.checks.locks.rwsem", "ptwalk.checks.locks.gap", "ptwalk.checks.locks.two_locks"),
    ),
    Notebook(
        "04",
        "04_walkers",
        "Walkers: two styles, two contracts",
        50,
        (
            "ptwalk.checks.walkers.count_young",
            "ptwalk.checks.walkers.clear_young",
            "ptwalk.checks.walkers.one_look",
        ),
    ),
    Notebook(
        "05",
        "05_race_munmap",
        "A race: munmap under the read lock",
        40,
        (
            "ptwalk.checks.munmap.accident",
            "ptwalk.checks.munmap.mend",
            "ptwalk.checks.munmap.words",
        ),
    ),
    Notebook(
        "06",
        "06_race_collapse",
        "A race: khugepaged's collapse",
        45,
        (
            "ptwalk.checks.collapse.lost_mark",
            "ptwalk.checks.collapse.remover",
            "ptwalk.checks.collapse.move",
        ),
    ),
    Notebook(
        "07",
        "07_race_gup_fast",
        "A race: walking without any lock",
        45,
        (
            "ptwalk.checks.lockless.gup_one",
            "ptwalk.checks.lockless.who_waits",
            "ptwalk.checks.lockless.monitor",
        ),
    ),
    Notebook(
        "08",
        "08_small_print",
        "The rule's small print",
        45,
        (
            "ptwalk.checks.small_print.long_walk",
            "ptwalk.checks.small_print.how_big",
            "ptwalk.checks.small_print.somebody",
        ),
    ),
    Notebook(
        "09",
        "09_mending_damon",
        "Mending DAMON: a dialogue of tries",
        45,
        (
            "ptwalk.checks.damon.four",
            "ptwalk.checks.damon.merged",
            "ptwalk.checks.damon.review",
        ),
    ),
    Notebook(
        "10",
        "10_matrix",
        "The matrix: then and now",
        40,
        (
            "ptwalk.checks.matrix.twelve",
            "ptwalk.checks.matrix.map_lock",
            "ptwalk.checks.matrix.port",
        ),
    ),
    Notebook(
        "11",
        "11_capstone",
        "A patch of your own",
        40,
        (
            "ptwalk.checks.capstone.own",
            "ptwalk.checks.capstone.review",
            "ptwalk.checks.capstone.specification",
        ),
    ),
)


@cache
def exercises() -> dict[str, Exercise]:
    """Every exercise by name, in the order of the course."""
    found = [importlib.import_module(module).EXERCISE for book in NOTEBOOKS for module in book.modules]
    return {exercise.name: exercise for exercise in found}


def exercise_named(name: str) -> Exercise:
    """The exercise called `name`; "1.2" is understood as "01.2"."""
    if not isinstance(name, str):
        raise PtwalkError(f'an exercise is named by text such as "01.2", not by {name!r}')
    full = name.strip().zfill(4)
    if full in exercises():
        return exercises()[full]
    near = difflib.get_close_matches(full, exercises(), n=1, cutoff=0.5)
    guess = f" Did you mean {near[0]}?" if near else ""
    raise PtwalkError(f"there is no exercise {name!r}.{guess} There are: {', '.join(exercises())}")


def notebook_named(number: str) -> Notebook:
    """The notebook with this number, such as "01"."""
    for book in NOTEBOOKS:
        if str(number).zfill(2) in (book.number, book.stem):
            return book
    raise PtwalkError(f"there is no notebook {number!r}; there are {', '.join(b.number for b in NOTEBOOKS)}")


@cache
def _solutions() -> dict[str, str]:
    text = resources.files("ptwalk.checks").joinpath("solutions.json").read_text("utf-8")
    solutions: dict[str, str] = json.loads(text)
    return solutions


def solution_code(exercise: Exercise) -> str:
    """The solution as it stands in solutions/, brought here by the build script."""
    return _solutions().get(exercise.name, "")
