"""Livelock: CPUs that go on stepping for ever and get nowhere.

Room: explore.  Knows log-tries and programs.  A CPU that took the same steps with the same results many times in a
row is cut short by its trie.  It is a livelock if nobody is left who could free it: the others have ended or
wait, and one more round of the loop leaves the memory as it was.  The rest (a loop that another CPU would still
end) is only an unfair schedule; the search says "incomplete" there, and that such a wait should be a blocked step.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

from ptwalk.explore.logtrie import LOOP_ROUNDS, Node, loop_length
from ptwalk.machine.operation import Operation
from ptwalk.machine.program import Program
from ptwalk.trace.verdict import Finding


def livelock(program: Program, nodes: Sequence[Node], memory: list[Any]) -> Finding | None:
    """The livelock in a state where every CPU has ended, waits or goes round in circles; None if there is none."""
    loops: list[tuple[Node, list[tuple[Operation, Hashable]]]] = []
    for node in nodes:
        if node.ending == "cut":
            length = loop_length(node)
            if not length:
                return None
            loops.append((node, _steps(node, length)))
    if not _repeats(loops, [node for node in nodes if node.ending is None], memory):
        return None
    node, steps = loops[0]
    name = program.cpus[node.cpu].name
    assert node.parent is not None
    file, line = node.parent.place
    round_ = ", ".join(f"'{operation.text()}'" for operation, _ in steps)
    text = (
        f"livelock: CPU {node.cpu} ({name}) goes round in circles at line {line}: {round_}, with the same results "
        f"each time ({LOOP_ROUNDS} rounds were run), and nobody is left to change that"
    )
    return Finding("livelock", text, node.cpu, file, line, node.depth)


def _steps(node: Node, length: int) -> list[tuple[Operation, Hashable]]:
    steps: list[tuple[Operation, Hashable]] = []
    while len(steps) < length:
        parent = node.parent
        assert parent is not None and parent.operation is not None
        steps.append((parent.operation, node.result))
        node = parent
    return steps[::-1]


def _repeats(
    loops: list[tuple[Node, list[tuple[Operation, Hashable]]]], waiting: list[Node], memory: list[Any]
) -> bool:
    # Let the loops take turns for a whole common round: same results, nobody freed, same memory at the end.
    start = list(memory)
    for turn in range(math.lcm(*(len(steps) for _, steps in loops))):
        for node, steps in loops:
            operation, result = steps[turn % len(steps)]
            if not operation.enabled(memory, node.cpu) or operation.execute(memory, node.cpu) != result:
                return False
            for other in waiting:
                assert other.operation is not None
                if other.operation.enabled(memory, other.cpu):
                    return False
    return memory == start
