"""A second independent judge, for programs with too many interleavings to run: prefixes of traces, step by step.

Two beginnings of a run that are equivalent lead to the same state.  So it is enough to know, for each state, which
classes of beginnings lead there; and a class is the vector clock of every step.  It knows programs and operations
only, and shares nothing with the explorer or with `oracle`.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from ptwalk.machine.operation import Operation, Violation
from ptwalk.machine.program import Program

from .oracle import TooMany

Log = tuple[Hashable, ...]
State = tuple[tuple[Any, ...], tuple[Log, ...]]  # memory, and what each CPU got so far
Clock = tuple[int, ...]
Trace = tuple[tuple[Clock, ...], ...]  # for each CPU the clocks of its steps

FINISHED, RAISED, STOPPED = "finished", "raised", "stopped"


@dataclass
class _Ways:
    """How a state can be reached: the classes (and whether something went wrong), how many interleavings, and for
    those where nothing went wrong the fewest switches by the CPU that ran last."""

    traces: dict[Trace, bool] = field(default_factory=dict)
    interleavings: int = 0
    switches: dict[int, int] = field(default_factory=dict)


class PrefixJudge:
    """All executions of a program, counted; `limit` bounds the classes of beginnings looked at."""

    def __init__(self, program: Program, limit: int = 20_000) -> None:
        self.program = program
        self.cpus = len(program.cpus)
        self.states = self.interleavings = 0
        self.traces: set[tuple[Trace, tuple[Log, ...]]] = set()
        self.failing = 0
        self.best: tuple[int, int] | None = None  # switches, steps
        self._next: dict[tuple[int, Log], Operation | str] = {}
        self._violations: dict[tuple[int, Log, str], Violation] = {}
        self._judge(limit)

    def _judge(self, limit: int) -> None:
        start: State = (tuple(self.program.cells.initial), ((),) * self.cpus)
        layer = {start: _Ways({((),) * self.cpus: False}, 1, {-1: 0})}
        steps = looked_at = 0
        while layer:
            following: dict[State, _Ways] = {}
            self.states += len(layer)
            for state, ways in layer.items():
                looked_at += len(ways.traces)
                if looked_at > limit:
                    raise TooMany
                moved = [self._step(state, cpu, ways, following, steps + 1) for cpu in range(self.cpus)]
                if not any(moved):
                    self._end(state, ways, steps)
            layer, steps = following, steps + 1

    def _operation(self, cpu: int, log: Log) -> Operation | str:
        """What a CPU does after these results, run from the start each time."""
        if log and isinstance(log[-1], Violation):
            return STOPPED
        if (cpu, log) not in self._next:
            coroutine = self.program.cpus[cpu].start()
            found: Operation | str = FINISHED
            try:
                for result in (None, *log):
                    found = coroutine.send(result)
            except StopIteration:
                found = FINISHED
            except Exception:
                found = RAISED
            coroutine.close()
            self._next[cpu, log] = found
        return self._next[cpu, log]

    def _step(self, state: State, cpu: int, ways: _Ways, following: dict[State, _Ways], steps: int) -> bool:
        memory, logs = state
        operation = self._operation(cpu, logs[cpu])
        if not isinstance(operation, Operation) or not operation.enabled(list(memory), cpu):
            return False
        after, wrong = list(memory), False
        result: Hashable
        try:
            result = operation.execute(after, cpu)
        except Violation as violation:
            after, wrong = list(memory), True
            result = self._violations.setdefault((cpu, logs[cpu], str(violation)), violation)
        else:
            wrong = any(
                watch(list(memory), cpu, operation, result, after) for watch in self.program.observers
            )
        log = (*logs[cpu], result)
        wrong = wrong or self._operation(cpu, log) == RAISED
        there = following.setdefault((tuple(after), (*logs[:cpu], log, *logs[cpu + 1 :])), _Ways())
        there.interleavings += ways.interleavings
        for last, switches in ways.switches.items():
            switches += last not in (-1, cpu)
            if wrong:
                self.best = min(self.best or (switches, steps), (switches, steps))
            else:
                there.switches[cpu] = min(there.switches.get(cpu, switches), switches)
        for trace, was_wrong in ways.traces.items():
            longer = self._with_step(trace, logs, cpu, operation)
            there.traces[longer] = there.traces.get(longer, False) or was_wrong or wrong
        return True

    def _with_step(self, trace: Trace, logs: tuple[Log, ...], cpu: int, operation: Operation) -> Trace:
        clock = list(trace[cpu][-1]) if trace[cpu] else [0] * self.cpus
        for other in range(self.cpus):
            for number in range(len(trace[other]), clock[other], -1):
                before = self._operation(other, logs[other][: number - 1])
                assert isinstance(before, Operation)
                if other != cpu and _dependent(before.footprint(other), operation.footprint(cpu)):
                    clock = [max(pair) for pair in zip(clock, trace[other][number - 1], strict=True)]
                    break
        clock[cpu] = len(trace[cpu]) + 1
        return (*trace[:cpu], (*trace[cpu], tuple(clock)), *trace[cpu + 1 :])

    def _end(self, state: State, ways: _Ways, steps: int) -> None:
        memory, logs = state
        ends = [self._operation(cpu, log) for cpu, log in enumerate(logs)]
        wrong = any(
            isinstance(end, Operation) and not cpu.daemon
            for end, cpu in zip(ends, self.program.cpus, strict=True)
        )
        if self.program.at_end is not None and all(end == FINISHED for end in ends):
            wrong = bool(self.program.at_end(list(memory)))
        self.interleavings += ways.interleavings
        self.traces |= {(trace, logs) for trace in ways.traces}
        self.failing += sum(was_wrong or wrong for was_wrong in ways.traces.values())
        if wrong and ways.switches:
            least = (min(ways.switches.values()), steps)
            self.best = min(self.best or least, least)


def _dependent(one: Any, two: Any) -> bool:
    (reads, writes), (others_reads, others_writes) = one, two
    return not (
        set(writes).isdisjoint((*others_reads, *others_writes))
        and set(others_writes).isdisjoint((*reads, *writes))
    )
