"""One operation run alone, straight through, and told in words.

Room: conformance. CPU 0 does the operation; another CPU, if there is one, stays in user mode and only answers
interrupts. What RCU frees later is run at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptwalk.actors.user import touch
from ptwalk.conformance.layout import Layout
from ptwalk.conformance.operations import Modelled
from ptwalk.conformance.projection import Projection
from ptwalk.conformance.vocabulary import Spoken, canonical, without_repeats
from ptwalk.errors import PtwalkError
from ptwalk.machine.operation import Operation
from ptwalk.machine.program import CpuProgram, Program


class CannotGoOn(PtwalkError):
    """The simulated operation, run alone, waits for something that nobody will do."""


def program_of(name: str, layout: Layout, operation: Modelled, projection: Projection) -> Program:
    """The operation on CPU 0, and a thread of the process in user mode on each other CPU.

    CPU 0 is listened to by `projection`.
    """
    kernel = layout.kernel
    doing = kernel.cpu("operation", operation.code, layout)
    first = CpuProgram(doing.name, lambda: projection.listen(doing.start()))
    user = [cpu for cpu in kernel.machine.cpus[1:] if not cpu.softirq]
    others = [kernel.cpu("thread", touch, layout.mm, layout.region.start) for _ in user]
    return kernel.program(name, [first, *others])


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is over: the kind of each step and what it said, and memory as it was left."""

    steps: tuple[tuple[str, tuple[str, ...]], ...]
    memory: Sequence[Any]

    @property
    def words(self) -> list[Spoken]:
        """What it said, equal words in a row once."""
        said = [
            Spoken(canonical(word), number) for number, (_, words) in enumerate(self.steps) for word in words
        ]
        return without_repeats(said)


def run_alone(name: str, layout: Layout, operation: Modelled) -> Run:
    """Runs the operation from its start to its end; raises `CannotGoOn` if it is blocked on the way."""
    projection = Projection(layout)
    program = program_of(name, layout, operation, projection)
    memory: list[Any] = list(program.cells.memory())
    done: list[tuple[str, tuple[str, ...]]] = []
    later = [number for number, cpu in enumerate(program.cpus) if cpu.daemon]
    for cpu in (0, *later):
        coroutine = program.cpus[cpu].start()
        try:
            step = _next(coroutine, None)
            while step is not None:
                step.footprint(cpu)  # names the cells it needs, some for the first time
                memory.extend(program.cells.initial[len(memory) :])
                if not step.enabled(memory, cpu):
                    if cpu:
                        break  # nothing more to free
                    raise CannotGoOn(f"{operation.by} alone is blocked where it {step.text()}")
                result = step.execute(memory, cpu)
                following = _next(coroutine, result)
                done.append((step.kind, projection.words(cpu, step, result)))
                step = following
        finally:
            coroutine.close()
    return Run(tuple(done), memory)


def _next(coroutine: Any, result: Any) -> Operation | None:
    try:
        operation: Operation = coroutine.send(result)
    except StopIteration:
        return None
    return operation
