"""Exercise 07.2: sixteen cells, who waits for whom: four ways to free a table against four ways to hold it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import article, shown
from ptwalk.kernel.mm import Mm
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.processor import irqs_off, rcu_read
from ptwalk.scenarios import CHANGERS, Scenario, pair
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore
from ptwalk.walk.broken import peek_pte

FREES: dict[str, dict[str, Any]] = {
    "at once": {"flush": "broadcast", "table_free": "batch"},
    "IPI": {},
    "RCU": {"table_free": "rcu"},
    "no memory": {"table_free": "rcu", "batch_allocation_fails": True},
}
"""How the table is freed: without an IPI, after a flush IPI, by RCU, by the fallback without memory (to 6.13)."""


async def nothing(mm: Mm, addr: int) -> None:
    """Walks with nothing at all."""
    await peek_pte(mm, addr)


async def rcu(mm: Mm, addr: int) -> None:
    """Walks inside an RCU section."""
    async with rcu_read(mm.machine):
        await peek_pte(mm, addr)


async def spinlock(mm: Mm, addr: int) -> None:
    """Walks with a spinlock held that munmap does not want."""
    await spin_lock(mm.page_table_lock)
    await peek_pte(mm, addr)
    await spin_unlock(mm.page_table_lock)


async def irq_off(mm: Mm, addr: int) -> None:
    """Walks with interrupts off."""
    async with irqs_off(mm.machine):
        await peek_pte(mm, addr)


HOLDS = {"nothing": nothing, "rcu": rcu, "spinlock": spinlock, "irq off": irq_off}


def cell(free: str, hold: str) -> Scenario:
    """The race of one cell: munmap in one's own process, on a preemptible kernel."""
    name = f"munmap-vs-{HOLDS[hold].__name__}"
    return pair(name, HOLDS[hold], CHANGERS["munmap"], own=True, release="6.1", axes=FREES[free])


@cache
def verdict_of(free: str, hold: str) -> Verdict:
    """What the search says of one cell."""
    return explore(cell(free, hold))


def check(answer: object, seed: int) -> str:
    """Every cell is searched; the first that differs is told, with its schedule if there is one."""
    table = {(free, hold): _said(answer, free, hold) for free in FREES for hold in HOLDS}
    for free in FREES:
        for hold in HOLDS:
            verdict, said = verdict_of(free, hold), table[free, hold]
            if said and verdict.outcome == "bug":
                race.refuse(
                    cell(free, hold), verdict, f"{_name(free, hold)}: you say safe. {_WHY[free, hold]}"
                )
            if not said and verdict.outcome == "safe":
                raise NotYet(
                    f"{_name(free, hold)}: you say unsafe. All {verdict.executions} executions were searched, and no "
                    f"freed table was touched. {_HOLDS_OFF[hold]}"
                )
    return "Sixteen searches, and your table says what each of them found."


def _name(free: str, hold: str) -> str:
    return f'"{free}" against "{hold}"'


def _said(answer: object, free: str, hold: str) -> bool:
    if answer is None or answer is ...:
        raise NotYet("There is no table yet. Hand in a dict of dicts, or a function of (free, hold).")
    if callable(answer):
        value = answer(free, hold)
    elif isinstance(answer, Mapping):
        row = answer.get(free)
        value = row.get(hold) if isinstance(row, Mapping) else None
    else:
        raise NotYet(
            f"This is {article(type(answer).__name__)}. Hand in a dict of dicts, or a function of (free, hold)."
        )
    if value is None:
        raise NotYet(
            f"{_name(free, hold)}: nothing there yet. Write True if the table stays memory, else False."
        )
    if not isinstance(value, bool):
        raise NotYet(f"{_name(free, hold)}: {shown(value)} is neither True nor False.")
    return value


_IPI = "Your CPU answered the IPI {where}, and munmap went on to free the table."
_AT_ONCE = "munmap waited for nobody: no IPI, no grace period."
_WHY = {
    **{("at once", hold): _AT_ONCE for hold in HOLDS},
    ("at once", "irq off"): _AT_ONCE + " Interrupts off hold up only those who send an interrupt.",
    ("at once", "spinlock"): _AT_ONCE + " And it never asks for your lock.",
    ("at once", "rcu"): _AT_ONCE + " An RCU section is nothing to it.",
    ("IPI", "nothing"): _IPI.format(where="in the middle of the walk"),
    ("IPI", "rcu"): _IPI.format(where="inside the RCU section"),
    ("IPI", "spinlock"): _IPI.format(where="with the spinlock held: a spinlock leaves interrupts on"),
    ("RCU", "nothing"): "You were in no section of RCU. The grace period did not wait for you.",
    ("no memory", "nothing"): "The fallback asks for an IPI, and your CPU answered it.",
    (
        "no memory",
        "rcu",
    ): "The fallback without memory asks for an IPI only, and your CPU answered inside the section.",
    (
        "no memory",
        "spinlock",
    ): "The fallback without memory asks for an IPI, and your spinlock leaves interrupts on.",
}
_HOLDS_OFF = {
    "nothing": "",
    "rcu": "Whom does a grace period wait for?",
    "spinlock": "Who holds a spinlock is not preempted. What is that, to RCU?",
    "irq off": (
        "With interrupts off, no IPI is answered; and a CPU that can't be interrupted can't be preempted "
        "either."
    ),
}

EXERCISE = Exercise(
    name="07.2",
    title="Who waits for whom",
    notebook="07_race_gup_fast",
    kind="predict",
    difficulty=2,
    minutes=15,
    hints=(
        "What does the freeing CPU wait for, in each row?",
        "Does that thing wait for you, in each column? An IPI is answered by a CPU with interrupts on.",
        "The IPI waits for interrupts off only. The grace period waits for three of the four. "
        "The fallback is an IPI. At once waits for nobody.",
    ),
    why=(
        "A walker is safe when the thing that the freer waits for can't happen while it walks. "
        "Interrupts off hold off "
        "both an IPI and a grace period: hence the rule, and hence its condition, that the "
        "architecture does one of the two."
    ),
    check=check,
    seconds=20.0,
)
