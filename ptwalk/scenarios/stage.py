"""The stage of a race: one kernel, its address spaces, and who runs on which CPU.

Room: scenarios.  A recipe puts things on a stage; the stage makes the program.  CPUs are known by the names of
their roles, so that a recipe works in whatever order they are numbered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.kernel.config import KernelConfig
from ptwalk.kernel.kernel import Kernel
from ptwalk.kernel.mm import Mm
from ptwalk.machine.machine import Machine
from ptwalk.machine.observe import Sanitizer, at_end, observer
from ptwalk.machine.operation import Memory
from ptwalk.machine.program import CpuProgram, Program
from ptwalk.scenarios.aftermath import stale_translations, stray_mappings
from ptwalk.trace.report import Report

FORMATS = {"x86-64": "x86-64-4level", "arm64": "arm64-4k-48"}


class StageError(PtwalkError):
    """A recipe names a CPU that it does not have, or leaves one without code."""


class Stage:
    """What a recipe works with: `mm()` makes an address space, `run()` puts code on a CPU."""

    def __init__(
        self,
        name: str,
        config: KernelConfig,
        arch: str,
        cpus: Sequence[str],
        *,
        user: Sequence[str] = (),
        oracles: Sequence[Sanitizer] = (),
        format: str = "",
    ) -> None:
        self.name = name
        self.roles = tuple(cpus)
        self.oracles = tuple(oracles)
        if arch not in FORMATS:
            raise StageError(f"there is no architecture {arch!r}; there are {', '.join(FORMATS)}")
        self.kernel = Kernel(
            config,
            format or FORMATS[arch],
            cpus=len(self.roles),
            user=tuple(self.cpu(role) for role in user),
        )
        self._running: dict[int, CpuProgram] = {}

    @property
    def machine(self) -> Machine:
        """The machine under the kernel."""
        return self.kernel.machine

    @property
    def config(self) -> KernelConfig:
        """Which kernel this is."""
        return self.kernel.config

    def cpu(self, role: str) -> int:
        """The number of the CPU that plays a role."""
        if role not in self.roles:
            raise StageError(f"{self.name} has no CPU {role!r}; it has {', '.join(self.roles)}")
        return self.roles.index(role)

    def mm(self, name: str = "mm", *, threads: Sequence[str] = ()) -> Mm:
        """A new address space whose threads run on the CPUs with these roles: they get its flushes."""
        return self.kernel.new_mm(name, cpumask=sorted(self.cpu(role) for role in threads))

    def run(self, role: str, code: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """Puts `code(*arguments)` on the CPU that plays the role; reports call the CPU by the function's name."""
        name = getattr(code, "__name__", role)
        self._running[self.cpu(role)] = self.kernel.cpu(name, code, *arguments)

    def stock(self, *roles: str) -> None:
        """Gives these CPUs free frames: whoever allocates a table or a page needs some."""
        for role in roles:
            self.machine.stock(self.cpu(role))

    def program(self) -> Program:
        """The program; the initial state is complete from here on."""
        idle = [role for role in self.roles if self.cpu(role) not in self._running]
        if idle:
            raise StageError(f"{self.name} puts no code on {', '.join(idle)}; call stage.run() for each CPU")
        machine, oracles = self.machine, self.oracles
        cpus = [self._running[number] for number in range(len(self.roles))]
        roots = [mm.pgd for mm in self.kernel.mms]
        judges = [oracle for oracle in oracles if hasattr(oracle, "at_end")]

        def last_check(memory: Memory) -> Report | None:
            strays = tuple(addr for mm in self.kernel.mms for addr in stray_mappings(mm, memory))
            stale = tuple(each for mm in self.kernel.mms for each in stale_translations(mm, memory))
            end = replace(at_end(machine, memory, roots), strays=strays, stale=stale)
            for judge in judges:
                report: Report | None = judge.at_end(end)
                if report is not None:
                    return report
            return None

        program = self.kernel.program(
            self.name, cpus, observers=[observer(machine, oracles)] if oracles else (), at_end=last_check
        )
        return replace(program, assumptions=(*program.assumptions, self.kernel_in_words))

    @property
    def kernel_in_words(self) -> str:
        """Which kernel the verdict is about: release, format of the tables, and the choices that freeing depends on."""
        config = self.config
        freed = "after the flush" if config.table_free == "batch" else "by RCU"
        preempt = "" if config.preemptible else ", not preemptible"
        return (
            f"kernel {config.release}, {self.machine.format.name}, TLB flush by {config.flush}, tables "
            f"freed {freed}{preempt}"
        )
