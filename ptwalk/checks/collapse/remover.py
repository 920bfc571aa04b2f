"""Exercise 06.2: the walker looks back at the pmd under the pte table's lock; make the remover fit that walker."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.explore.replay import Replay, replay_on
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import is_table, lock_of_table, mm_find_pmd, offset_lockless
from ptwalk.machine.entries import ChangeEntry, EntryPointer
from ptwalk.machine.frames import Frame
from ptwalk.machine.locks import LockOperation, spin_lock, spin_unlock
from ptwalk.machine.processor import rcu_read_lock, rcu_read_unlock
from ptwalk.machine.tlb import FlushTlb
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import anonymous, home, span
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore

Remove = Callable[[Mm, EntryPointer, Frame, int], Awaitable[Any]]
REMOVER, WALKER, OTHER = "remover", "walker", "other walker"


async def mkold_with_look_back(mm: Mm, addr: int) -> None:
    """The walker of the exercise: RCU on, read pmd, lock the table, read pmd again; if it is the same, write."""
    await rcu_read_lock(mm.machine)
    pmd = await mm_find_pmd(mm, addr)
    entry = await pmd.read() if pmd is not None else None
    if pmd is not None and entry is not None and is_table(entry):
        ptl = lock_of_table(mm, mm.machine.table_frame(entry))
        await spin_lock(ptl)
        if (await pmd.read()).raw == entry.raw:
            await offset_lockless(pmd, entry, addr).test_and_clear_young()
        await spin_unlock(ptl)
    await rcu_read_unlock(mm.machine)


async def both_locks(mm: Mm, addr: int) -> None:
    """Somebody who takes the PMD table's lock, then the pte table's, as the kernel orders them."""
    await rcu_read_lock(mm.machine)
    pmd = await mm_find_pmd(mm, addr)
    if pmd is not None:
        pml = lock_of_table(mm, pmd.frame)
        await spin_lock(pml)
        entry = await pmd.read()
        if is_table(entry):
            ptl = lock_of_table(mm, mm.machine.table_frame(entry))
            await spin_lock(ptl)
            await offset_lockless(pmd, entry, addr).read()
            await spin_unlock(ptl)
        await spin_unlock(pml)
    await rcu_read_unlock(mm.machine)


def removing(
    remove: Remove, *others: str, threads: tuple[str, ...] = (), axes: Mapping[str, Any] | None = None
) -> Scenario:
    """The race of `remove(mm, pmd, table, addr)` with one or two of the walkers above.

    `threads` are the CPUs that run the process, and so may have the table in their walk caches.
    """
    codes = {WALKER: mkold_with_look_back, OTHER: both_locks}

    async def remover(mm: Mm, addr: int) -> None:
        pmd = await mm_find_pmd(mm, addr)
        entry = await pmd.read() if pmd is not None else None
        if pmd is not None and entry is not None and is_table(entry):
            await remove(mm, pmd, mm.machine.table_frame(entry), addr)

    def lay_out(stage: Stage) -> None:
        ground = anonymous(stage, threads, whole=True, populate=False)
        mm = ground.mm
        mm.watch(ground.addr)
        mm.initial_table(ground.addr, "pte")
        stage.run(REMOVER, remover, mm, ground.addr)
        for seat in others:
            stage.run(seat, codes[seat], mm, ground.addr)

    return Scenario(
        f"{getattr(remove, '__name__', 'remove')}-vs-{'-and-'.join(others) or 'nobody'}".replace(" ", "-"),
        "a remover of a page table that was written by hand",
        lay_out,
        Never(),
        cpus=(REMOVER, *others),
        release="6.6",
        axes=axes or {},
    )


def check(answer: object, seed: int) -> str:
    """Alone it must cut and give back the table; then nobody may be hurt, in any order of the CPUs."""
    race.handed_in(answer)
    if not inspect.iscoroutinefunction(answer):
        raise NotYet("remove must be `async def remove(mm, pmd, table, addr)`, handed in by its name.")
    try:
        inspect.signature(answer).bind(*"1234")
    except TypeError:
        raise NotYet("Your function can't be called as remove(mm, pmd, table, addr).") from None
    remove = cast(Remove, answer)
    done = _alone(remove)
    executions = 0
    for others in ((WALKER,), (WALKER, OTHER)):
        for axes in ({}, {"table_free": "rcu"}):
            scenario = removing(remove, *others, axes=axes)
            for order in (scenario.cpus, scenario.cpus[::-1]):
                seated = replace(scenario, cpus=order)
                verdict = explore(seated, limit=race.LIMITS)
                if verdict.outcome != "safe":
                    race.refuse(seated, verdict, _words(done, verdict))
                executions += verdict.executions
    said = f"All {executions} executions: nobody touched a freed table, and no store went into one that was cut off."
    if not _took(done, "pmd"):
        said += " You cleared the pmd without its own table's lock. Here nobody else writes there; a page fault would."
    return said


def _alone(remove: Remove) -> Replay:
    scenario = removing(remove, threads=(REMOVER,))
    stage = scenario.stage()
    verdict = explore(scenario)
    done = replay_on(stage.program(), "0x900 1x40")
    cuts = [
        s
        for s in done.steps
        if isinstance(s.operation, ChangeEntry) and s.operation.pointer.level.name == "pmd"
    ]
    frees = [s for s in done.steps if s.kind == "free"]
    if verdict.outcome == "bug" and race.oracle(verdict) not in ("leak", "lifetime"):
        raise NotYet(f"With nobody else there: {race.observed(verdict)}")
    if not cuts:
        raise NotYet("With nobody else there, the pmd still names the table afterwards. Nothing was removed.")
    if not frees:
        raise NotYet("With nobody else there, the table is cut off, and never given back.")
    if frees[0].number < cuts[0].number:
        raise NotYet("With nobody else there: the table was freed while the pmd still named it.")
    if len(frees) > 1:
        raise NotYet(
            "With nobody else there: the table was given back twice. After the first time it may be somebody else's."
        )
    low, high = covered(stage)
    flushes = [
        s.number
        for s in done.steps
        if isinstance(s.operation, FlushTlb) and s.operation.start <= low and high <= s.operation.end
    ]
    if not any(cuts[0].number < flush < _given(done) for flush in flushes):
        raise NotYet(
            "With nobody else there: between the cut and the giving back nobody flushed all that the table covers. A "
            "CPU that runs this process may have the table in its walk cache, and goes on walking through it."
        )
    return done


def covered(stage: Stage) -> tuple[int, int]:
    """The addresses that the table covers."""
    mm = stage.kernel.mms[0]
    return home(mm), home(mm) + span(mm)


def _given(done: Replay) -> int:
    """The step in which the table was given back: to RCU, or at once."""
    return next(s.number for s in done.steps if s.kind in ("call_rcu", "free"))


def _took(done: Replay, kind: str) -> bool:
    locks = (s.operation.lock.frame for s in done.steps if isinstance(s.operation, LockOperation))
    return any(frame is not None and frame.life_in([]).kind == kind for frame in locks)


def _words(done: Replay, verdict: Verdict) -> str:
    cut = next(s.number for s in done.steps if isinstance(s.operation, ChangeEntry))
    held: dict[str, tuple[int, int]] = {}
    for step in done.steps:
        operation = step.operation
        if isinstance(operation, LockOperation) and operation.lock.frame is not None:
            kind = operation.lock.frame.life_in([]).kind
            if step.kind == "lock":
                held[kind] = (step.number, 1 << 30)
            elif kind in held:
                held[kind] = (held[kind][0], step.number)
    ptl, pml = held.get("pte"), held.get("pmd")
    oracle = race.oracle(verdict)
    if oracle == "deadlock":
        return (
            "Two CPUs wait for each other: you hold the pte table's lock and want the PMD table's. "
            "Others take them the other way round."
        )
    if oracle == "lifetime" and ptl is not None:
        return "A walker had read the pmd and was about to take the table's lock. You gave the table back at once."
    if oracle == "lifetime":
        return "You gave the table back at once. The walker is inside an RCU section; you waited for none."
    if oracle == "detached" and ptl is None:
        if pml is not None and pml[1] > _given(done):
            return "You held the PMD table's lock for longer. The walker never takes that lock."
        return "The walker looked back, saw the same pmd, and then you cut the table off. Its store came after that."
    if oracle == "detached" and ptl is not None and ptl[0] > cut:
        return (
            "You took the table's lock after you had cleared the pmd. Too late: the walker's check had "
            "passed before."
        )
    if oracle == "detached":
        return (
            "You dropped the table's lock before you cut. The walker's check and its store fitted in between."
        )
    return ""


EXERCISE = Exercise(
    name="06.2",
    title="Why the look back failed",
    notebook="06_race_collapse",
    kind="repair",
    difficulty=3,
    minutes=25,
    hints=(
        "What can happen right after the walker's second look, before its store?",
        "A check holds only while the one who could change the answer is kept out. Under which lock "
        "does the walker check?",
        "Take the pte table's lock inside the PMD table's, clear the pmd, flush, drop both; then let "
        "RCU free the table: "
        "await call_rcu(mm.machine, table).",
    ),
    why=(
        "The walker looks back under the pte table's lock. As the cut needs that lock too, the "
        "answer can't change while "
        "it is held. And a walker that waits for the lock is inside an RCU section, so the lock's memory stays. "
        "The file collapse does it so since 6.6 (retract_page_tables)."
    ),
    check=check,
    seconds=30.0,
)
