"""Seeded random programs of another kind: operations with footprints and effects out of a hash.

Their code branches on all it has read, ends early or raises, and waits on conditions that come and go.  They are larger
than those of `random_programs`.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine, Hashable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from ptwalk.machine.cells import Cells
from ptwalk.machine.operation import Footprint, Memory, Operation, Violation
from ptwalk.machine.program import CpuProgram, Program


def chance(*what: object) -> int:
    """A number from 0 to 99 that depends on `what` only."""
    return crc32(repr(what).encode()) % 9973 % 100


@dataclass(frozen=True)
class Anything(Operation):
    """A step whose condition, effect and answer are functions of its cells, and of nothing anybody could guess."""

    kind = "anything"
    name: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    waits: int
    refuses: int

    def footprint(self, cpu: int) -> Footprint:
        return self.reads, self.writes

    def enabled(self, memory: Memory, cpu: int) -> bool:
        return chance(self.name, "waits", [memory[cell] for cell in self.reads]) >= self.waits

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        seen = [memory[cell] for cell in (*self.reads, *self.writes)]
        if chance(self.name, "refuses", seen) < self.refuses:
            raise Violation("refuses")
        for cell in self.writes:
            memory[cell] = chance(self.name, cell, seen) % 2
        return chance(self.name, "answers", seen) % 2

    def text(self) -> str:
        return f"does {self.name}"


def automaton(seed: int, order: tuple[int, ...] | None = None) -> Program:
    """The program of that seed, its CPUs in that order."""
    rng = random.Random(seed)
    cells = Cells()
    words = [cells.add(f"cell{number}", rng.randrange(2)) for number in range(rng.choice((1, 2, 3, 4)))]
    waits, refuses, writing = rng.choice((0, 0, 30, 60)), rng.choice((0, 0, 0, 15)), rng.choice((0.2, 0.5))
    steps = [
        Anything(
            rng.randrange(10**6),
            tuple(cell for cell in words if rng.random() < 0.4),
            tuple(cell for cell in words if rng.random() < writing),
            waits if rng.random() < 0.5 else 0,
            refuses,
        )
        for _ in range(rng.choice((2, 4, 8)))
    ]
    count = rng.choice((1, 2, 2, 3, 3, 4))
    longest = {1: 8, 2: rng.choice((4, 6)), 3: rng.choice((2, 3, 4)), 4: rng.choice((1, 2, 3))}[count]
    lengths = [rng.choice((longest, longest, rng.randint(0, longest))) for _ in range(count)]
    branches, ends, raises, wrong = (
        rng.choice(choices) for choices in ((0, 30, 99), (0, 10), (0, 5), (0, 0, 20))
    )

    def script(number: int) -> CpuProgram:
        async def cpu() -> None:
            log: list[Hashable] = []
            while len(log) < lengths[number]:
                key = (seed, number, len(log), log if chance(seed, number, len(log)) < branches else None)
                if log and chance(key, "ends") < ends:
                    return
                if log and chance(key, "raises") < raises:
                    raise ValueError
                log.append(await steps[chance(key) % len(steps)])

        def start() -> Coroutine[Any, Any, None]:
            return cpu()

        return CpuProgram(f"script{number}", start)

    def watch(before: Memory, cpu: int, operation: Operation, result: Hashable, after: Memory) -> str | None:
        reads, writes = operation.footprint(cpu)
        seen = [after[cell] for cell in (*reads, *writes)]
        return "seen" if chance(seed, operation.text(), seen) < wrong // 2 else None

    def at_end(memory: Memory) -> str | None:
        return "at end" if chance(seed, [memory[cell] for cell in words]) < wrong else None

    cpus = tuple(script(number) for number in (order or range(count)) if number < count)
    return Program(f"automaton {seed}", cells, cpus, (watch,), at_end)
