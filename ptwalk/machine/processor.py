"""CPUs of the simulated machine: interrupts, preemption, RCU readers, grace periods, IPIs.

Storey 2 (machine).  A CPU is a handful of cells:

    irq      1 if interrupts are on
    rcu      how deep this CPU is in RCU read-side sections (low byte) and how many it has left (the rest)
    held     the locks it holds, in the order it took them
    tlb      what its TLB and paging-structure cache hold (only CPUs that run user code have one)
    walking  1 while its hardware walker is under way

Anything that keeps a grace period from ending counts as a section: rcu_read_lock, interrupts off, a
spinlock or preempt_disable, and, on a kernel without preemption, all kernel code between two points where
it may sleep.  Who waits for a grace period looks at all CPUs once and then waits for each that was inside.
An IPI has no handler step of its own: the sender's step that waits for a CPU is blocked until that CPU
has interrupts on, and then does there what the handler would do.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.machine.locks import Guard
from ptwalk.machine.operation import Footprint, Memory, Operation, Violation

if TYPE_CHECKING:
    from ptwalk.machine.frames import Frame
    from ptwalk.machine.machine import Machine

DEPTH = 0xFF
SECTION = 0x100


def held_locks(cpu: int) -> str:
    """The name of the cell that lists the locks which a CPU holds."""
    return f"CPU{cpu}: held locks"


class Cpu:
    """The cells of one CPU, and its store of free frames."""

    __slots__ = ("index", "irq", "rcu", "held", "tlb", "walking", "store", "preemptible", "softirq", "claim")

    def __init__(self, machine: Machine, index: int, *, user: bool, preemptible: bool, softirq: bool) -> None:
        def add(what: str, initial: Hashable) -> int:
            return machine.cells.add(f"CPU{index}: {what}", initial)

        self.index = index
        self.preemptible = preemptible
        self.softirq = softirq  # not a CPU but the context in which RCU callbacks run
        self.irq = add("interrupts", 1)
        self.rcu = add("rcu", 0)
        self.held = machine.cells.add(held_locks(index), ())
        self.claim = add("what it concluded held", 0)  # see RereadEntry
        self.tlb = add("tlb", ()) if user else -1
        self.walking = add("hardware walk", 0) if user else -1
        self.store: tuple[Frame, ...] = ()

    def enter_reader(self, memory: list[Any]) -> None:
        """One level deeper into read-side sections."""
        memory[self.rcu] += 1

    def leave_reader(self, memory: list[Any]) -> None:
        """One level out; leaving the outermost is a quiescent state."""
        depth = memory[self.rcu] & DEPTH
        if depth:
            memory[self.rcu] += SECTION - 1 if depth == 1 else -1

    def sections(self, memory: Memory) -> int:
        """How many sections it is in that may not sleep, besides kernel code that nothing preempts."""
        depth: int = memory[self.rcu] & DEPTH
        return depth if self.preemptible or not depth else depth - 1

    def may_sleep(self, memory: list[Any]) -> None:
        """A point where a kernel without preemption may schedule: a quiescent state there."""
        if not self.preemptible and memory[self.rcu] & DEPTH == 1:
            memory[self.rcu] += SECTION


class CpuOperation(Operation):
    """A step on this CPU's own state."""

    __slots__ = ("machine",)
    words = ""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def footprint(self, cpu: int) -> Footprint:
        cells = (self.machine.cpus[cpu].rcu,)
        return cells, cells

    def text(self) -> str:
        return self.words


class EnterSection(CpuOperation):
    """Goes one level deeper into code that a grace period has to wait for."""

    __slots__ = ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        self.machine.cpus[cpu].enter_reader(memory)
        return None


class LeaveSection(CpuOperation):
    """Comes one level back out; a violation if the CPU was in none."""

    __slots__ = ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        here = self.machine.cpus[cpu]
        if not memory[here.rcu] & DEPTH:
            raise Violation(f"CPU{cpu} {self.words}, but it is in none")
        here.leave_reader(memory)
        return None


class RcuReadLock(EnterSection):
    """rcu_read_lock: no grace period that starts from here on ends before this CPU unlocks."""

    __slots__ = ()
    kind = "rcu_read_lock"
    words = "enters an RCU read-side section"


class RcuReadUnlock(LeaveSection):
    """rcu_read_unlock: grace periods need not wait for this section any more."""

    __slots__ = ()
    kind = "rcu_read_unlock"
    words = "leaves the RCU read-side section"


class PreemptDisable(EnterSection):
    """preempt_disable: this CPU stays on its task, so it counts as an RCU reader."""

    __slots__ = ()
    kind = "preempt_disable"
    words = "turns preemption off"


class PreemptEnable(LeaveSection):
    """preempt_enable: this CPU may change its task again."""

    __slots__ = ()
    kind = "preempt_enable"
    words = "turns preemption on again"


class EnterKernel(EnterSection):
    """Enters the kernel where nothing preempts it: such a CPU holds off grace periods until it sleeps or leaves."""

    __slots__ = ()
    kind = "enter_kernel"
    words = "enters kernel code that nothing preempts"


class LeaveKernel(LeaveSection):
    """Leaves the kernel: for RCU a point of rest."""

    __slots__ = ()
    kind = "leave_kernel"
    words = "leaves kernel code"


class CondResched(CpuOperation):
    """A point where a kernel without preemption may schedule."""

    __slots__ = ()
    kind = "cond_resched"
    words = "may be rescheduled"

    def footprint(self, cpu: int) -> Footprint:
        here = self.machine.cpus[cpu]
        return (here.rcu, here.held, here.irq), (here.rcu,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        self.machine.cpus[cpu].may_sleep(memory)
        return None


class IrqDisable(CpuOperation):
    """local_irq_save: no IPI is answered from here on and no grace period ends; says whether interrupts were on."""

    __slots__ = ()
    kind = "irq_disable"
    words = "turns interrupts off"

    def footprint(self, cpu: int) -> Footprint:
        here = self.machine.cpus[cpu]
        cells = (here.irq, here.rcu)
        return cells, cells

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        here = self.machine.cpus[cpu]
        were_on: int = memory[here.irq]
        if were_on:
            memory[here.irq] = 0
            here.enter_reader(memory)
        return were_on


class IrqEnable(IrqDisable):
    """local_irq_restore: IPIs that wait are answered again."""

    __slots__ = ()
    kind = "irq_enable"
    words = "turns interrupts on"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        here = self.machine.cpus[cpu]
        if not memory[here.irq]:
            memory[here.irq] = 1
            here.leave_reader(memory)
        return None


def local_irq_disable(machine: Machine) -> Operation:
    """Turns interrupts off on this CPU: IPIs wait, and no grace period ends, until they are on again.

    The result is 1 if they were on.
    """
    return IrqDisable(machine)


def local_irq_enable(machine: Machine) -> Operation:
    """Turns interrupts on."""
    return IrqEnable(machine)


def local_irq_save(machine: Machine) -> Operation:
    """Turns interrupts off; the result is the flags: 1 if they were on."""
    return IrqDisable(machine)


async def local_irq_restore(machine: Machine, flags: int = 1) -> None:
    """Turns interrupts on again if `flags` says they were on before."""
    if flags:
        await IrqEnable(machine)


def rcu_read_lock(machine: Machine) -> Operation:
    """Enters a read-side section: no grace period that starts from now on ends before it is left."""
    return RcuReadLock(machine)


def rcu_read_unlock(machine: Machine) -> Operation:
    """Leaves the read-side section."""
    return RcuReadUnlock(machine)


def preempt_disable(machine: Machine) -> Operation:
    """Turns preemption off; counts as an RCU reader, does not hold off IPIs."""
    return PreemptDisable(machine)


def preempt_enable(machine: Machine) -> Operation:
    """Turns preemption on."""
    return PreemptEnable(machine)


def cond_resched(machine: Machine) -> Operation:
    """A point where a kernel without preemption may schedule, and so pass a quiescent state."""
    return CondResched(machine)


def irqs_off(machine: Machine) -> Guard:
    """`async with irqs_off(machine):` runs with interrupts off."""
    return Guard(lambda: IrqDisable(machine), lambda: IrqEnable(machine))


def rcu_read(machine: Machine) -> Guard:
    """`async with rcu_read(machine):` runs in an RCU read-side section."""
    return Guard(lambda: RcuReadLock(machine), lambda: RcuReadUnlock(machine))


# ---- inter-processor interrupts ----


class WaitForIpi(Operation):
    """Blocked until the CPU has interrupts on and so has taken the IPI; the handler itself does nothing."""

    __slots__ = ("machine", "other")
    kind = "ipi"

    def __init__(self, machine: Machine, other: int) -> None:
        self.machine = machine
        self.other = other

    def footprint(self, cpu: int) -> Footprint:
        return (self.machine.cpus[self.other].irq,), ()

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        return self.other == cpu or bool(memory[self.machine.cpus[self.other].irq])

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        return None

    def text(self) -> str:
        return f"has its IPI answered by CPU{self.other}"


async def smp_call_function(machine: Machine) -> None:
    """Sends an IPI to every CPU and waits until each has run the (empty) handler.

    Source: kernel/smp.c smp_call_function with wait, 5.15.
    """
    for cpu in machine.cpus:
        if not cpu.softirq:
            await WaitForIpi(machine, cpu.index)
