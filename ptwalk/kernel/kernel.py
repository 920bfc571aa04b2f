"""A kernel on a machine: its configuration, its address spaces, and the programs that run on it.

Room: kernel.  A `Kernel` is built, given its mms, and then turned into a `Program`: one coroutine for each
CPU, plus the softirq context when this configuration frees tables by RCU callbacks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ptwalk.arch import Format, format_named
from ptwalk.kernel.config import KernelConfig, preset
from ptwalk.kernel.mm import Mm
from ptwalk.machine.machine import Machine
from ptwalk.machine.operation import Memory
from ptwalk.machine.processor import EnterKernel, LeaveKernel
from ptwalk.machine.program import CpuProgram, Observer, Program
from ptwalk.machine.rcu import rcu_softirq

ASSUMPTIONS = ("each step is one load, store, atomic change or lock operation",)


class Kernel:
    """A simulated kernel: `config` says which one, `format` which page tables, `cpus` how many CPUs.

    `config` is a `KernelConfig` or a preset's name; `user` lists the CPUs that run user code (they have TLBs).
    """

    def __init__(
        self,
        config: KernelConfig | str = "6.1",
        format: Format | str = "x86-64-4level",
        *,
        cpus: int = 2,
        user: Sequence[int] = (),
    ) -> None:
        if isinstance(format, str):
            release = config if isinstance(config, str) else config.release
            format = format_named(format, release)
        self.config = preset(config, format.arch) if isinstance(config, str) else config
        self.machine = Machine(
            format,
            cpus,
            user=user,
            preemptible=self.config.preemptible,
            softirq=self.config.uses_rcu_callbacks,
        )
        self.mms: list[Mm] = []
        self._allocating: list[CpuProgram] = []

    def new_mm(self, name: str = "mm", *, cpumask: Sequence[int] = ()) -> Mm:
        """A new, empty address space.  `cpumask` lists the CPUs that run its threads and get its flush IPIs."""
        mm = Mm(self, name, tuple(cpumask))
        self.mms.append(mm)
        return mm

    def cpu(self, name: str, code: Callable[..., Awaitable[Any]], *arguments: Any) -> CpuProgram:
        """One CPU that runs `code(*arguments)`, a coroutine function."""
        if self.config.preemptible:
            program = CpuProgram(name, lambda: code(*arguments))  # type: ignore[arg-type,return-value]
        else:
            program = CpuProgram(name, lambda: _not_preempted(self.machine, code, arguments))
        if getattr(code, "allocates", False):
            self._allocating.append(program)
        return program

    def program(
        self,
        name: str,
        cpus: Sequence[CpuProgram],
        *,
        observers: Sequence[Observer] = (),
        at_end: Callable[[Memory], Any] | None = None,
    ) -> Program:
        """The whole program; the initial state is complete from here on."""
        for mm in self.mms:
            mm.finish()
        machine = self.machine
        for number, cpu in enumerate(cpus):
            if any(cpu is allocating for allocating in self._allocating):
                machine.stock(number)
        running = list(cpus)
        if any(cpu.softirq for cpu in machine.cpus):
            running.append(CpuProgram("softirq", lambda: rcu_softirq(machine), daemon=True))
        return Program(name, machine.cells, tuple(running), tuple(observers), at_end, ASSUMPTIONS)


Code = TypeVar("Code", bound=Callable[..., Any])


def allocates(code: Code) -> Code:
    """Marks a coroutine function whose CPU needs a store of free frames."""
    code.allocates = True  # type: ignore[attr-defined]
    return code


async def _not_preempted(
    machine: Machine, code: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]
) -> Any:
    """On a kernel without preemption all of `code` counts as a reader, but for the points where it may sleep."""
    await EnterKernel(machine)
    result = await code(*arguments)
    await LeaveKernel(machine)
    return result
