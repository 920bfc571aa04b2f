"""Livelock: CPUs that go on stepping for ever and get nowhere.

Room: explore.  Knows log-tries and programs.  A CPU that took the same steps with the same results many times in a
row is cut short by its trie.  It is a livelock if nobody is left who could free it: the others have ended or
wait, and one more round of the loop leaves the memory as it was.  The rest (a loop that another CPU would still
end) is only an unfair schedule; the search says "incomplete" there, and that such a wait should be a blocked step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptwalk.explore.logtrie import Node, rounds_of
from ptwalk.machine.circles import Step, goes_on_for_ever, in_circles
from ptwalk.machine.program import Program
from ptwalk.trace.verdict import Finding


def livelock(program: Program, nodes: Sequence[Node], memory: list[Any]) -> Finding | None:
    """The livelock in a state where every CPU has ended, waits or goes round in circles; None if there is none."""
    loops: list[tuple[Node, list[Step]]] = []
    for node in nodes:
        if node.ending == "cut":
            length = rounds_of(node)
            if not length:
                return None
            loops.append((node, _steps(node, length)))
    rounds = [(node.cpu, steps) for node, steps in loops]
    waiting = [
        (node.cpu, node.operation) for node in nodes if node.ending is None and node.operation is not None
    ]
    if not goes_on_for_ever(rounds, waiting, memory):
        return None
    node, steps = loops[0]
    name = program.cpus[node.cpu].name
    assert node.parent is not None
    file, line = node.parent.place
    round_ = ", ".join(f"'{operation.text()}'" for operation, _ in steps)
    text = f"livelock: CPU {node.cpu} ({name}) {in_circles(round_, line)}"
    return Finding("livelock", text, node.cpu, file, line, node.depth)


def _steps(node: Node, length: int) -> list[Step]:
    steps: list[Step] = []
    while len(steps) < length:
        parent = node.parent
        assert parent is not None and parent.operation is not None
        steps.append((parent.operation, node.result))
        node = parent
    return steps[::-1]
