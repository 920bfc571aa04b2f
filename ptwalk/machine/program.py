"""A program: what every CPU runs, on which cells, watched by whom.

Room: machine.  Knows cells and operations.  A program is only a description; to run it is the explorer's
matter.  The same program and the same schedule give the same steps, always.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from ptwalk.machine.cells import Cells
from ptwalk.machine.operation import Memory, Operation

# Called after each step: (memory before, cpu, operation, its result, memory after) -> a report, or None if all
# is well.  Both memories show the cells of the step's footprint only, and that is no accident: if a verdict
# depended on another cell, steps that change that cell would have to count as dependent on this one.  What an
# observer needs to remember therefore lives in cells which the operations declare.  A report is any value
# whose str() reads well; one with to_json() keeps its structure in JSON.
Observer = Callable[[Memory, int, Operation, Hashable, Memory], Any]

Start = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class CpuProgram:
    """What one CPU runs.

    `start()` makes a fresh coroutine that awaits operations and nothing else, and keeps no mutable state outside
    its own local variables: its next step may depend only on the results it got so far.
    A `daemon` may wait for ever: when only daemons are left waiting, that is no deadlock.
    """

    name: str
    start: Start
    daemon: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """A whole program: its cells, its CPUs (numbered from 0 in this order), its observers and its last check.

    `at_end(memory)` is called with the whole memory vector when every CPU has finished, and returns what is
    wrong (a string or a report), or None.  `assumptions` are sentences that every verdict repeats.
    """

    name: str
    cells: Cells
    cpus: tuple[CpuProgram, ...]
    observers: tuple[Observer, ...] = ()
    at_end: Callable[[Memory], Any] | None = None
    assumptions: tuple[str, ...] = ()
