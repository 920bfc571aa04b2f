"""An independent judge: every interleaving run afresh from the start, with nothing shared with the explorer.

Slow and simple on purpose.  It knows programs and operations only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ptwalk.machine.operation import Operation, Violation
from ptwalk.machine.program import Program


class TooMany(Exception):
    """The program has more interleavings than the judge wants to run."""


@dataclass
class Run:
    """One execution: who stepped, the class of equivalent executions it belongs to, where it first goes wrong."""

    cpus: list[int] = field(default_factory=list)
    trace: Any = None
    failed_after: int | None = None
    choices: list[list[int]] = field(default_factory=list)


def run(program: Program, chosen: list[int]) -> Run:
    """Follow `chosen`, then always the first CPU that can step, to the end."""
    memory = program.cells.memory()
    coroutines = [cpu.start() for cpu in program.cpus]
    pending: list[Any] = [coroutine.send(None) for coroutine in coroutines]
    result = Run()
    events: list[tuple[int, str, str, frozenset[int], frozenset[int]]] = []
    while True:
        memory += program.cells.initial[len(memory) :]
        choices = [
            cpu
            for cpu, operation in enumerate(pending)
            if isinstance(operation, Operation) and operation.enabled(memory, cpu)
        ]
        if not choices:
            break
        step = len(result.cpus)
        cpu = chosen[step] if step < len(chosen) else choices[0]
        assert cpu in choices
        result.choices.append(choices)
        result.cpus.append(cpu)
        operation = pending[cpu]
        reads, writes = operation.footprint(cpu)
        before = list(memory)
        try:
            answer = operation.execute(memory, cpu)
        except Violation as violation:
            memory[:] = before
            pending[cpu], answer = None, violation
            coroutines[cpu].close()
            result.failed_after = result.failed_after or step + 1
        else:
            for observer in program.observers:
                if observer(before, cpu, operation, answer, memory) and result.failed_after is None:
                    result.failed_after = step + 1
            try:
                pending[cpu] = coroutines[cpu].send(answer)
            except StopIteration:
                pending[cpu] = "finished"
        text = operation.text()
        events.append((cpu, text, str(answer), frozenset((*reads, *writes)), frozenset(writes)))
    waiting = any(isinstance(operation, Operation) for operation in pending)
    at_end = all(p == "finished" for p in pending) and program.at_end is not None and program.at_end(memory)
    if (waiting or at_end) and result.failed_after is None:
        result.failed_after = len(result.cpus)
    for coroutine in coroutines:
        coroutine.close()
    result.trace = canonical(events)
    return result


def canonical(events: list[tuple[int, str, str, frozenset[int], frozenset[int]]]) -> Any:
    """The same value for two executions just when they are equivalent: each event with its vector clock."""
    clocks: list[dict[int, int]] = []
    for position, (cpu, _, _, touched, written) in enumerate(events):
        clock: dict[int, int] = {}
        for earlier in range(position):
            other, _, _, other_touched, other_written = events[earlier]
            if other == cpu or written & other_touched or other_written & touched:
                for one, count in clocks[earlier].items():
                    clock[one] = max(clock.get(one, 0), count)
        clock[cpu] = clock.get(cpu, 0) + 1
        clocks.append(clock)
    return frozenset(
        (cpu, clock[cpu], text, answer, tuple(sorted(clock.items())))
        for (cpu, text, answer, _, _), clock in zip(events, clocks, strict=True)
    )


@dataclass
class Judgement:
    """All interleavings of a program, counted."""

    interleavings: int = 0
    traces: set[Any] = field(default_factory=set)
    failing_traces: set[Any] = field(default_factory=set)
    best: tuple[int, int] | None = None  # switches, steps


def judge(program: Program, limit: int = 1_500) -> Judgement:
    """Run every interleaving of `program`; raises `TooMany` beyond `limit`."""
    judgement = Judgement()
    chosen: list[int] = []
    while True:
        one = run(program, chosen)
        judgement.interleavings += 1
        if judgement.interleavings > limit:
            raise TooMany
        judgement.traces.add(one.trace)
        if one.failed_after is not None:
            judgement.failing_traces.add(one.trace)
            prefix = one.cpus[: one.failed_after]
            cost = (sum(a != b for a, b in pairwise(prefix)), len(prefix))
            judgement.best = min(judgement.best or cost, cost)
        for step in range(len(one.cpus) - 1, -1, -1):
            later = [cpu for cpu in one.choices[step] if cpu > one.cpus[step]]
            if later:
                chosen = [*one.cpus[:step], later[0]]
                break
        else:
            return judgement
