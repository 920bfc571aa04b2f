"""Brute force: every interleaving, one after another, with no reduction at all.

Room: explore.  Knows the state space.  For small programs, and as the measure for everything cleverer: it counts
the interleavings by running them and the Mazurkiewicz traces by comparing them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from ptwalk.explore.limits import LimitReached, Tally
from ptwalk.explore.logtrie import Node
from ptwalk.explore.space import StateSpace

# What a trace costs in the set of those met: 16 bytes of digest, the object around them and its slot.
_BYTES_PER_TRACE = 120


def search(
    space: StateSpace,
    tally: Tally,
    *,
    stop_at_first: bool,
    completed: Callable[[list[int], Any], None] | None = None,
) -> None:
    """Run every interleaving; with `stop_at_first` up to the first failing one (then `tally.bug` is set)."""
    states = [space.initial]
    cpus: list[int] = []
    nodes: list[Node] = []
    reports: list[Any] = [None]
    # For each place: the CPUs still to be tried there.
    left = [space.enabled(space.initial)]
    ended = not left[0]
    traces: set[bytes] = set()
    megabytes = tally.limits.megabytes
    while True:
        if ended:
            state = states[-1]
            report = reports[-1]
            if report is None:
                report = space.at_end(state)
            if report is None and space.is_cut(state):
                tally.cut = True
            tally.executions += 1
            traces.add(_digest(nodes))
            if report is not None:
                tally.violations += 1
                if tally.bug is None:
                    tally.bug = (list(cpus), report)
            if completed is not None:
                completed(list(cpus), report)
            if report is not None and stop_at_first:
                return
            if megabytes is not None and len(traces) * _BYTES_PER_TRACE > megabytes * 1_000_000:
                raise LimitReached(f"the limit of {megabytes:g} megabytes was reached by the traces met")
            tally.tick()
        while not left[-1]:
            if not cpus:
                tally.interleavings = tally.executions
                tally.traces = len(traces)
                return
            for stack in (states, cpus, nodes, reports, left):
                stack.pop()
        cpu = left[-1].pop(0)
        state = states[-1]
        node = space.tables[cpu][state & space.node_masks[cpu]]
        after = state ^ space.delta(state, cpu)
        reports.append(reports[-1] or space.report(state, cpu))
        states.append(after)
        cpus.append(cpu)
        nodes.append(node)
        left.append(space.enabled(after))
        ended = not left[-1]


def _digest(nodes: Sequence[Node]) -> bytes:
    # The same value for equivalent executions only: each step with the number of steps of each CPU before it.
    clocks: list[dict[int, int]] = []
    for position, node in enumerate(nodes):
        clock: dict[int, int] = {node.cpu: node.depth + 1}
        touches = node.reads | node.writes
        for earlier in range(position):
            other = nodes[earlier]
            if other.cpu == node.cpu or other.writes & touches or other.reads & node.writes:
                for cpu, count in clocks[earlier].items():
                    if clock.get(cpu, 0) < count:
                        clock[cpu] = count
        clocks.append(clock)
    steps = sorted(
        (node.cpu, node.number, sorted(clock.items())) for node, clock in zip(nodes, clocks, strict=True)
    )
    return blake2b(repr(steps).encode(), digest_size=16).digest()
