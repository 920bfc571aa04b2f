"""Locks, RCU and IPIs of the machine: who waits for whom, in every interleaving of small programs."""

from collections.abc import Callable
from typing import Any

import pytest

from ptwalk.errors import PtwalkError
from ptwalk.explore import explore
from ptwalk.machine.frames import FreeFrame
from ptwalk.machine.locks import spin_lock, spin_trylock, spin_unlock
from ptwalk.machine.machine import Machine
from ptwalk.machine.observe import observer
from ptwalk.machine.processor import irqs_off, preempt_disable, preempt_enable, rcu_read, smp_call_function
from ptwalk.machine.program import CpuProgram, Program
from ptwalk.machine.rcu import call_rcu, rcu_softirq, synchronize_rcu
from ptwalk.machine.rwsem import (
    RwSemaphore,
    down_read,
    down_read_trylock,
    down_write,
    downgrade_write,
    up_read,
    up_write,
)
from ptwalk.sanitizers.lifetime import Lifetime


def verdict(machine: Machine, *codes: Callable[[], Any], softirq: bool = False) -> Any:
    """Explores the CPUs to the end, with the lifetime sanitizer watching."""
    cpus = [CpuProgram(f"cpu{number}", code) for number, code in enumerate(codes)]
    if softirq:
        cpus.append(CpuProgram("softirq", lambda: rcu_softirq(machine), daemon=True))
    program = Program("locks", machine.cells, tuple(cpus), (observer(machine, [Lifetime()]),))
    return explore(program)


def test_readers_commute_and_a_writer_excludes_them() -> None:
    """Two readers are one trace; a writer comes before, between or after them."""
    machine = Machine(cpus=3)
    sem = RwSemaphore(machine, "sem", "sem")

    async def reader() -> None:
        await down_read(sem)
        await up_read(sem)

    async def writer() -> None:
        await down_write(sem)
        await up_write(sem)

    assert verdict(machine, reader, reader).executions == 1
    assert verdict(machine, reader, reader, writer).outcome == "safe"


def test_a_reader_that_locks_twice_deadlocks_behind_a_waiting_writer() -> None:
    """The fairness of the rwsem is a bug for who read-locks recursively."""
    machine = Machine(cpus=2)
    sem = RwSemaphore(machine, "sem", "sem")

    async def recursive() -> None:
        async with sem.read():
            await down_read(sem)
            await up_read(sem)

    async def writer() -> None:
        async with sem.write():
            pass

    found = verdict(machine, recursive, writer)
    assert found.outcome == "bug"
    assert found.report.kind == "deadlock"


def test_downgrade_lets_readers_in_and_no_writer() -> None:
    """After the downgrade a reader may hold the lock together with the downgraded writer."""
    machine = Machine(cpus=2)
    sem = RwSemaphore(machine, "sem", "sem")
    seen: list[Any] = []

    async def owner() -> None:
        await down_write(sem)
        await downgrade_write(sem)
        await up_read(sem)

    async def visitor() -> None:
        got = await down_read_trylock(sem)
        seen.append(got)
        if got:
            await up_read(sem)

    assert verdict(machine, owner, visitor).outcome == "safe"
    assert set(seen) == {True, False}


def test_unlocking_what_is_not_held_is_told() -> None:
    """The step is refused in words."""
    machine = Machine(cpus=1)
    lock = machine.new_frame("pte").lock

    async def careless() -> None:
        await spin_unlock(lock)

    found = verdict(machine, careless)
    assert found.outcome == "bug"
    assert "does not hold" in str(found.report)


def test_a_trylock_never_waits() -> None:
    """Both outcomes are met, and nobody is blocked."""
    machine = Machine(cpus=2)
    lock = machine.new_frame("pte").lock
    seen: set[bool] = set()

    async def holder() -> None:
        await spin_lock(lock)
        await spin_unlock(lock)

    async def trier() -> None:
        got = await spin_trylock(lock)
        seen.add(got)
        if got:
            await spin_unlock(lock)

    assert verdict(machine, holder, trier).outcome == "safe"
    assert seen == {True, False}


@pytest.mark.parametrize("section", ["rcu", "irq", "preempt", "ptl", "none"])
@pytest.mark.parametrize("deferred", [False, True])
def test_a_grace_period_waits_for_every_kind_of_reader(section: str, deferred: bool) -> None:
    """rcu_read_lock, interrupts off, preemption off and a spinlock all hold off the free; nothing does not."""
    machine = Machine(cpus=2, softirq=deferred)
    upper, table, other = machine.new_frame("pmd"), machine.new_frame("pte"), machine.new_frame("pte")
    upper.contents[0] = machine.format.make_table(table.pa, "pmd")
    slot, leaf = upper.entry(0, "pmd"), table.entry(0, "pte")

    async def look() -> None:
        if (await slot.read()).raw:
            await leaf.read()

    async def reader() -> None:
        if section == "rcu":
            async with rcu_read(machine):
                await look()
        elif section == "irq":
            async with irqs_off(machine):
                await look()
        elif section == "preempt":
            await preempt_disable(machine)
            await look()
            await preempt_enable(machine)
        elif section == "ptl":
            async with other.lock:
                await look()
        else:
            await look()

    async def unlinker() -> None:
        await slot.clear(unlinks=table)
        if deferred:
            await call_rcu(machine, table)
        else:
            await synchronize_rcu(machine)
            await FreeFrame(table)

    found = verdict(machine, reader, unlinker, softirq=deferred)
    assert found.outcome == ("bug" if section == "none" else "safe")


@pytest.mark.parametrize(("section", "outcome"), [("irq", "safe"), ("rcu", "bug")])
def test_an_ipi_waits_for_interrupts_and_not_for_rcu(section: str, outcome: str) -> None:
    """Interrupts off hold off an IPI; an RCU section does not."""
    machine = Machine(cpus=2)
    upper, table = machine.new_frame("pmd"), machine.new_frame("pte")
    upper.contents[0] = machine.format.make_table(table.pa, "pmd")
    slot, leaf = upper.entry(0, "pmd"), table.entry(0, "pte")

    async def reader() -> None:
        async with irqs_off(machine) if section == "irq" else rcu_read(machine):
            if (await slot.read()).raw:
                await leaf.read()

    async def unlinker() -> None:
        await slot.clear(unlinks=table)
        await smp_call_function(machine)
        await FreeFrame(table)

    assert verdict(machine, reader, unlinker).outcome == outcome


def test_a_deferred_free_runs_while_its_cpu_goes_on() -> None:
    """call_rcu's callback may come before or after the next step of the CPU that queued it."""
    machine = Machine(cpus=1, softirq=True)
    table = machine.new_frame("pte")

    async def queue_and_look() -> None:
        await call_rcu(machine, table)
        await table.entry(0, "pte").read()

    assert verdict(machine, queue_and_look, softirq=True).outcome == "bug"


def test_an_empty_store_says_what_to_do() -> None:
    """Allocating on a CPU that was given no frames names the remedy."""
    from ptwalk.machine.frames import AllocateFrame

    machine = Machine(cpus=1)
    with pytest.raises(PtwalkError, match=r"machine\.stock"):
        AllocateFrame(machine, "pte").execute(machine.cells.memory(), 0)


def test_the_tables_of_a_memory_vector_are_physical_memory() -> None:
    """Simulated tables can be read word by word like a captured machine's."""
    machine = Machine(cpus=1)
    table = machine.new_frame("pte")
    table.contents[3] = 0x1234
    slot = table.entry(3, "pte")
    memory = machine.cells.memory()
    view = machine.memory_view(memory)
    assert view.read_u64(slot.pa) == 0x1234
    assert view.read(slot.pa + 1, 2) == b"\x12\x00"
    slot.clear().execute(memory, 0)
    assert view.read_u64(slot.pa) == 0
    with pytest.raises(PtwalkError):
        view.read_u64(1 << 45)
