"""Grace periods and RCU callbacks.

Storey 2 (machine).  A grace period looks at every CPU once and then waits for each that was inside a
read-side section to leave that very section.  Callbacks of `call_rcu` are run by a context of their own,
the `softirq` CPU of the machine, which waits for work as a daemon: so a deferred free can come at any
moment after its grace period, while the CPU that asked for it runs on.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.machine.frames import free_frame
from ptwalk.machine.operation import Footprint, Operation
from ptwalk.machine.processor import DEPTH, SECTION

if TYPE_CHECKING:
    from ptwalk.machine.frames import Frame
    from ptwalk.machine.machine import Machine


class GracePeriodStart(Operation):
    """Looks at every other CPU once; the result names those inside a read-side section."""

    __slots__ = ("machine",)
    kind = "gp_start"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def footprint(self, cpu: int) -> Footprint:
        return tuple(other.rcu for other in self.machine.cpus), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        # Whoever waits sleeps, and so is at rest itself; but if it is inside a section it waits for itself.
        return tuple(
            (other.index, memory[other.rcu] // SECTION)
            for other in self.machine.cpus
            if (other.sections(memory) if other.index == cpu else memory[other.rcu] & DEPTH)
        )

    def text(self) -> str:
        return "starts a grace period"


class GracePeriodWait(Operation):
    """Blocked until one CPU has left the section it was in when the grace period started."""

    __slots__ = ("machine", "other", "section")
    kind = "gp_wait"

    def __init__(self, machine: Machine, other: int, section: int) -> None:
        self.machine = machine
        self.other = other
        self.section = section

    def footprint(self, cpu: int) -> Footprint:
        return (self.machine.cpus[self.other].rcu,), ()

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        now = memory[self.machine.cpus[self.other].rcu]
        return not now & DEPTH or now // SECTION != self.section

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        return None

    def text(self) -> str:
        return f"has waited for CPU{self.other} to leave its read-side section"


async def synchronize_rcu(machine: Machine) -> None:
    """Waits for a grace period: all read-side sections that are under way now have ended afterwards.

    Source: Documentation/RCU/whatisRCU.rst (6.1).
    """
    for cpu, section in await GracePeriodStart(machine):
        await GracePeriodWait(machine, cpu, section)


class CallRcu(Operation):
    """Asks for frames to be freed after a grace period; does not wait."""

    __slots__ = ("machine", "frames")
    kind = "call_rcu"

    def __init__(self, machine: Machine, frames: tuple[Frame, ...]) -> None:
        self.machine = machine
        self.frames = frames

    def footprint(self, cpu: int) -> Footprint:
        queue = (self.machine.callbacks,)
        return (*queue, *(frame.life for frame in self.frames)), queue

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.machine.callbacks] = (*memory[self.machine.callbacks], *(f.number for f in self.frames))
        return None

    def text(self) -> str:
        return f"asks RCU to free {', '.join(frame.name for frame in self.frames)} later"


class TakeCallbacks(Operation):
    """Blocked until there are callbacks; takes them all.  Awaiting gives the frames to free."""

    __slots__ = ("machine",)
    kind = "rcu_callbacks"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def footprint(self, cpu: int) -> Footprint:
        queue = (self.machine.callbacks,)
        return queue, queue

    def enabled(self, memory: list[Any], cpu: int) -> bool:
        return bool(memory[self.machine.callbacks])

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        numbers: Hashable = memory[self.machine.callbacks]
        memory[self.machine.callbacks] = ()
        return numbers

    def __await__(self) -> Generator[Any, Any, tuple[Frame, ...]]:
        numbers = yield from super().__await__()
        return tuple(self.machine.frame(number) for number in numbers)

    def text(self) -> str:
        return "takes the queued RCU callbacks"


def call_rcu(machine: Machine, *frames: Frame) -> Operation:
    """Queues the frames to be freed after a grace period."""
    return CallRcu(machine, frames)


async def rcu_softirq(machine: Machine) -> None:
    """What the softirq CPU runs for ever: wait for callbacks, wait for a grace period, free."""
    while True:
        frames = await TakeCallbacks(machine)
        await synchronize_rcu(machine)
        for frame in frames:
            await free_frame(machine, frame, "rcu")
