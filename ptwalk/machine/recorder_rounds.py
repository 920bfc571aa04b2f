"""A run that gets nowhere, noticed as it happens: a deadlock, or CPUs that go round in circles.

Room: machine.  Keeps the last steps of each CPU of a recorded run.  What it says are the explorer's words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from typing import Any

from ptwalk.machine.circles import LOOK_BACK, Step, goes_on_for_ever, in_circles, loop_length
from ptwalk.machine.operation import Operation
from ptwalk.machine.program import Program
from ptwalk.trace.verdict import Finding


class Rounds:
    """The last steps of each CPU, and what they say about the run."""

    def __init__(self, program: Program) -> None:
        self._cpus = program.cpus
        self._taken = [0] * len(program.cpus)
        self._last: list[deque[tuple[str, Step]]] = [deque(maxlen=LOOK_BACK) for _ in program.cpus]

    def step(self, cpu: int, operation: Operation, result: Hashable) -> tuple[int, str, int]:
        """Note a step; gives (CPU, name, steps it has taken)."""
        self._taken[cpu] += 1
        self._last[cpu].append((operation.text(), (operation, result)))
        return cpu, self._cpus[cpu].name, self._taken[cpu]

    def judged(
        self, pending: Sequence[Operation | None], runnable: Sequence[int], memory: list[Any]
    ) -> Finding | None:
        """A deadlock or a livelock, if the run is in one; `pending` is what each CPU does next, None if it ended."""
        waiting = [
            (cpu, operation)
            for cpu, operation in enumerate(pending)
            if operation is not None and cpu not in runnable
        ]
        if runnable:
            return self._livelock(waiting, runnable, memory)
        stuck = [(cpu, operation) for cpu, operation in waiting if not self._cpus[cpu].daemon]
        if not stuck:
            return None
        parts = "; ".join(
            f"CPU {cpu} ({self._cpus[cpu].name}) waits at '{operation.text()}'" for cpu, operation in stuck
        )
        return Finding("deadlock", f"{parts}; nobody can take a step", stuck[0][0])

    def _livelock(
        self, waiting: Sequence[tuple[int, Operation]], runnable: Sequence[int], memory: list[Any]
    ) -> Finding | None:
        loops: list[tuple[int, list[Step]]] = []
        for cpu in runnable:
            last = list(self._last[cpu])[::-1]
            length = loop_length([(text, result) for text, (_, result) in last])
            if not length:
                return None
            loops.append((cpu, [step for _, step in last[:length]][::-1]))
        if not goes_on_for_ever(loops, waiting, memory):
            return None
        cpu, steps = loops[0]
        rounds = ", ".join(f"'{operation.text()}'" for operation, _ in steps)
        return Finding("livelock", f"CPU {cpu} ({self._cpus[cpu].name}) {in_circles(rounds, 0)}", cpu)
