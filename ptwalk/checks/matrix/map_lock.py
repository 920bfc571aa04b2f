"""Exercise 10.2: pte_offset_map_lock, written from its specification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.matrix import watched
from ptwalk.checks.matrix.watched import Held, Watched
from ptwalk.checks.preflight import shown
from ptwalk.explore.replay import Step
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import is_table
from ptwalk.machine.entries import EntryPointer, ReadEntry
from ptwalk.machine.locks import LockOperation, SpinLock, spin_unlock
from ptwalk.machine.operation import Memory
from ptwalk.machine.processor import RcuReadLock, RcuReadUnlock, rcu_read_unlock
from ptwalk.trace.verdict import Finding, Verdict

RACES = (
    ("retract", "7.1", watched.changer("retract")),
    ("reclaim", "7.1", watched.changer("reclaim")),
    ("retract, then a fault", "7.1", watched.retract_and_fault),
    ("reclaim, then a fault", "7.1", watched.reclaim_and_fault),
    ("thp-split", "7.1", watched.changer("thp-split")),
    ("fault-huge", "7.1", watched.changer("fault-huge")),
    ("retract", "6.6", watched.changer("retract")),
)


async def judge(mm: Mm, pmd: Watched, given: Any) -> None:
    """What a caller may rely on after the call."""
    if given is None:
        await Held(mm, (), lambda locks, depth, memory: _after_none(pmd, locks, depth))
        return
    pair = isinstance(given, tuple) and len(given) == 2
    if not pair or not isinstance(given[0], EntryPointer) or not isinstance(given[1], SpinLock):
        await watched.said(f"map_lock gave {shown(given)}. It gives (pte, ptl), or None.")
    pte, ptl = given
    cells = (pmd.cell,)
    await Held(mm, cells, lambda locks, depth, memory: _after_pair(mm, pmd, pte, ptl, locks, depth, memory))
    await pte.test_and_clear_young()
    await spin_unlock(ptl)
    await rcu_read_unlock(mm.machine)


def _after_none(pmd: Watched, locks: tuple[str, ...], depth: int) -> str:
    kept = [lock for lock in locks if "mmap_lock" not in lock]
    if kept:
        return "map_lock gave None and kept a lock. Who gets None has nothing to unlock."
    if depth:
        return "map_lock gave None and is still inside its RCU section. No grace period will ever end."
    if pmd.last is None:
        return "map_lock gave None and never read the pmd."
    if is_table(pmd.last):
        return "map_lock gave None, and the last pmd that it read names a table. There was one to give."
    return ""


def _after_pair(
    mm: Mm,
    pmd: Watched,
    pte: EntryPointer,
    ptl: SpinLock,
    locks: tuple[str, ...],
    depth: int,
    memory: Memory,
) -> str:
    kept = [lock for lock in locks if "mmap_lock" not in lock]
    if not kept:
        return "map_lock gave a pte, and its lock is not held."
    if len(kept) > 1:
        return "map_lock gave a pte, and holds more than one lock: one of a round before."
    named = mm.machine.child(memory[pmd.cell], pmd.level)
    if named is not pte.frame:
        now = "a new table" if named is not None else "no table"
        return f"The pmd names {now} now, and you hold the lock of the old one. What you store there, nobody will read."
    if pte.index != mm.format.index(pmd.addr, "pte"):
        return f"map_lock gave pte[{pte.index}] of the right table, and that is not the entry of the address."
    if ptl.frame is not pte.frame:
        return "The lock that is held is not the lock of the table that the pte lies in."
    if depth == 1:
        return "map_lock gave a pte and has left RCU. The caller leaves it, after the unlock: that is the agreement."
    if depth > 2:
        return "map_lock gave a pte, and is in more than one RCU section: one of a round before."
    return ""


def check(answer: object, seed: int) -> str:
    """What a pmd can be, alone; then seven races."""
    map_lock = scenes.handed_in(answer, "map_lock", ("mm", "pmd", "addr"))
    calls = watched.caller(map_lock, judge)
    for ground in (watched.table, watched.second, watched.nothing, watched.huge):
        scenes.sound(scenes.scene("alone", watched.run(calls, ground), "7.1", alone=True), "map_lock")
    steps = scenes.taken(scenes.scene("alone", watched.run(calls, watched.table), "7.1", alone=True))
    searched = scenes.Searched()
    for name, release, lay_out in RACES:

        def words(verdict: Verdict) -> str:
            return _words(steps, verdict)

        scenario = scenes.scene(name, watched.run(calls, lay_out), release)
        searched.search(scenario, words, f"Against {name}, kernel {release}: ")
    return str(searched)


def _words(steps: Sequence[Step], verdict: Verdict) -> str:
    report = verdict.report
    locked = next(
        (
            s.number
            for s in steps
            if isinstance(s.operation, LockOperation) and s.operation.lock.lock_class == "ptl"
        ),
        0,
    )
    enters, leaves = scenes.operations(steps, RcuReadLock), scenes.operations(steps, RcuReadUnlock)
    if race.oracle(verdict) in ("lifetime", "wild"):
        if not enters:
            return (
                "The lock that you spin on lies in a table that was freed. Nothing told RCU to wait for you."
            )
        if enters[0].number > locked or (leaves and leaves[0].number < locked):
            return "The table was freed while you were outside the RCU section, before you had its lock."
    looks = [
        step.number
        for step in scenes.operations(steps, ReadEntry)
        if isinstance(step.operation, ReadEntry) and step.operation.pointer.level.name == "pmd"
    ]
    if isinstance(report, Finding) and "The pmd names" in report.text:
        end = next((s.number for s in steps if s.kind == "result"), 0)
        before = sum(number < locked for number in looks)
        inside = [number for number in looks if locked < number < end]
        said = race.observed(verdict)
        if not inside and not any(step.number < locked for step in enters):
            return f"{said} You did not look again, and nothing told RCU to wait for you while you waited."
        if not inside and before > 1:
            return f"{said} You looked at the pmd twice, and both times before you had the lock."
        if not inside:
            return f"{said} You did not look at the pmd again under the lock."
        return f"{said} You looked again, and took any table for yours."
    return ""


EXERCISE = Exercise(
    name="10.2",
    title="Write pte_offset_map_lock",
    notebook="10_matrix",
    kind="write a walker",
    difficulty=3,
    minutes=25,
    hints=(
        "Which lines of the 5.15 version trust something that was true a step ago?",
        "RCU is for the memory of the lock. The lock is for the table. A second read of the pmd is for the link.",
        "rcu_read_lock; v = read; no table: rcu_read_unlock, None; lock the table that v names; read again; the same "
        "word: done; else unlock both, and from the top.",
    ),
    why=(
        "Whoever cuts the table holds its lock. So once you hold it, and the pmd still is the word that led you to it, "
        "nobody can cut it before you let go. RCU only keeps the lock from vanishing while you wait for it."
    ),
    check=check,
    seconds=60.0,
)
