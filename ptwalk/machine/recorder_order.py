"""Which earlier steps a step had to come after: happens-before, from footprints alone.

Storey 2 (machine).  Two steps are ordered if they share a cell that one of them writes, or run on the same
CPU; of all such steps only those are kept that do not follow from the others.
"""

from __future__ import annotations

from ptwalk.machine.operation import Footprint


class Order:
    """Vector clocks over steps, counted from 1."""

    def __init__(self, cpus: int) -> None:
        self._clocks: list[list[int]] = [[0] * cpus for _ in range(cpus)]
        self._by_step: list[tuple[int, tuple[int, ...]]] = []
        self._wrote: dict[int, int] = {}
        self._read: dict[int, dict[int, int]] = {}

    def step(self, cpu: int, footprint: Footprint) -> tuple[int, ...]:
        """Enter the next step; gives the steps of other CPUs that it directly had to come after."""
        reads, writes = footprint
        written = set(writes)
        before: dict[int, int] = {}
        for cell in {*reads, *writes}:
            self._note(before, self._wrote.get(cell, 0))
            if cell in written:
                for step in self._read.get(cell, {}).values():
                    self._note(before, step)
        clock = self._clocks[cpu]
        found: list[int] = []
        for other, step in before.items():
            if other == cpu or clock[other] >= step:
                continue
            if not any(
                self._by_step[s - 1][1][other] >= step for o, s in before.items() if o not in (other, cpu)
            ):
                found.append(step)
        for step in before.values():
            for other, seen in enumerate(self._by_step[step - 1][1]):
                clock[other] = max(clock[other], seen)
        number = len(self._by_step) + 1
        clock[cpu] = number
        self._by_step.append((cpu, tuple(clock)))
        for cell in writes:
            self._wrote[cell] = number
            self._read[cell] = {}
        for cell in reads:
            if cell not in written:
                self._read.setdefault(cell, {})[cpu] = number
        return tuple(sorted(found))

    def _note(self, before: dict[int, int], step: int) -> None:
        if step:
            cpu = self._by_step[step - 1][0]
            before[cpu] = max(before.get(cpu, 0), step)
