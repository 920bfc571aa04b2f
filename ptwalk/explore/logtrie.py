"""The log-trie: each CPU run once for every list of results it can get.

Room: explore.  Knows programs and coroutines.  Simulated code communicates through operations only, so what a
CPU does next is a function of the results it got so far, its log.  The trie holds one node for each log, with the
pending operation; a CPU's control state is a pointer to a node, free to copy, compare and hash, and no prefix is
ever run a second time for its own sake.  Where one is run again (to reach another branch), it is compared.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from ptwalk.machine.circles import LOOK_BACK, loop_length
from ptwalk.machine.coroutine import Frame, Pause, abandon, begin, place, run
from ptwalk.machine.operation import Operation
from ptwalk.machine.program import CpuProgram
from ptwalk.machine.watchdog import is_strange
from ptwalk.trace.verdict import Finding


class Node:
    """A CPU after one particular log: its pending operation, or how it ended.

    `ending` is None while an operation is pending, else "finished", "stopped" (see `finding`) or "cut" (the limit of
    operations for one CPU was reached, or it goes round in circles).  `reads` and `writes` are the footprint as bit
    masks over cells.
    """

    __slots__ = (
        "bad",
        "cells",
        "children",
        "code",
        "coroutine",
        "cpu",
        "depth",
        "ending",
        "finding",
        "frames",
        "mask",
        "number",
        "operation",
        "outcomes",
        "parent",
        "read_cells",
        "reads",
        "result",
        "waits",
        "watched",
        "write_cells",
        "writes",
    )

    def __init__(self, cpu: int, number: int, parent: Node | None, result: Hashable) -> None:
        self.cpu = cpu
        self.number = number
        self.parent = parent
        self.result = result
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: dict[Hashable, Node] = {}
        self.operation: Operation | None = None
        self.frames: tuple[Frame, ...] = ()
        self.ending: str | None = None
        self.finding: Finding | None = None
        self.coroutine: Any = None
        self.read_cells: tuple[int, ...] = ()
        self.write_cells: tuple[int, ...] = ()
        self.cells: tuple[int, ...] = ()
        self.reads = 0
        self.writes = 0
        self.waits = False
        # Whether the step runs code of somebody else: a class of their own, or a condition they gave.
        self.watched = False
        # Filled in by the state space: the node's bits in a packed state, the bits its footprint takes there,
        # and what the step does for each contents of them.
        self.code = 0
        self.mask = 0
        self.outcomes: dict[int, int] = {}
        self.bad: dict[int, Any] = {}

    @property
    def kind(self) -> str:
        """Kind of the pending operation, "" if there is none."""
        return self.operation.kind if self.operation is not None else ""

    @property
    def place(self) -> tuple[str, int]:
        """(file, line) of the pending operation in the source."""
        return place(self.frames)

    def log(self) -> list[Hashable]:
        """The results that led here, oldest first."""
        results: list[Hashable] = []
        node: Node = self
        while node.parent is not None:
            results.append(node.result)
            node = node.parent
        return results[::-1]


LOOP_LOOK = 10


def rounds_of(node: Node) -> int:
    """Number of steps of the loop that the log of `node` ends in, 0 if it ends in none."""
    tail: list[tuple[str, Hashable]] = []
    while node.parent is not None and len(tail) < LOOK_BACK:
        operation = node.parent.operation
        assert operation is not None
        tail.append((operation.text(), node.result))
        node = node.parent
    return loop_length(tail)


class LogTrie:
    """All logs of one CPU met so far."""

    def __init__(self, cpu: int, program: CpuProgram, depth_limit: int) -> None:
        self.cpu = cpu
        self.program = program
        self.depth_limit = depth_limit
        self.nodes: list[Node] = []
        self.cut: Node | None = None
        self.root = Node(cpu, 0, None, None)
        self._enter(self.root)
        self.root.coroutine, pause = begin(program.start, cpu, program.name)
        self._settle(self.root, pause)

    def child(self, node: Node, result: Hashable) -> Node:
        """The node reached from `node` when its operation answers `result`; run if it is new."""
        found = node.children.get(result)
        if found is not None:
            return found
        child = Node(self.cpu, len(self.nodes), node, result)
        self._enter(child)
        if child.depth >= self.depth_limit:
            self._cut(child)
        else:
            coroutine, difference = self._coroutine_at(node)
            if difference is not None:
                self._settle(child, Pause(None, (), difference))
            else:
                pause = run(
                    lambda: coroutine.send(result), coroutine, (self.cpu, self.program.name, child.depth)
                )
                child.coroutine = coroutine
                self._settle(child, pause)
                if child.depth % LOOP_LOOK == 0 and child.ending is None and rounds_of(child):
                    self._cut(child)
        node.children[result] = child
        return child

    def stopped(self, node: Node, finding: Finding) -> Node:
        """The node of a CPU whose pending operation could not happen."""
        key = ("stopped", finding.text)
        found = node.children.get(key)
        if found is None:
            found = Node(self.cpu, len(self.nodes), node, key)
            self._enter(found)
            found.ending, found.finding = "stopped", finding
            node.children[key] = found
        return found

    def verify(self, samples: int = 4) -> Finding | None:
        """Run some logs once more from the start and compare; a difference is told as a finding."""
        leaves = [
            node
            for node in self.nodes
            if not node.children and node.ending in ("finished", None) and node.depth
        ]
        # Objects of a run must not get the addresses that they had the time before, or the order of a set of them
        # would look as if it were always the same: so the runs are kept, and gaps of all sizes are filled.
        kept: list[Any] = []
        difference: Finding | None = None
        chosen = leaves[:: max(1, len(leaves) // samples)]
        for node in chosen * 2 if len(chosen) < samples // 2 else chosen:
            assert node.parent is not None
            kept.append([bytes(size) for size in range(0, 512, 8)])
            coroutine, difference = self._rerun(node.parent)
            if difference is None:
                result = node.result
                pause = run(
                    lambda c=coroutine, r=result: c.send(r),  # type: ignore[misc]
                    coroutine,
                    (self.cpu, self.program.name, node.depth),
                )
                difference = self._difference(node, pause)
            kept.append(coroutine)
            if difference is not None:
                break
        for coroutine in kept:
            if inspect.iscoroutine(coroutine):
                abandon(coroutine)
        return difference

    def close(self) -> None:
        """Abandon every coroutine that is still suspended."""
        for node in self.nodes:
            if node.coroutine is not None:
                abandon(node.coroutine)
                node.coroutine = None

    def _enter(self, node: Node) -> None:
        self.nodes.append(node)

    def _cut(self, node: Node) -> None:
        node.ending, node.operation = "cut", None
        node.read_cells = node.write_cells = node.cells = ()
        node.reads = node.writes = 0
        node.waits = False
        if self.cut is None or node.depth > self.cut.depth:
            self.cut = node
        if node.coroutine is not None:
            abandon(node.coroutine)
            node.coroutine = None

    def _settle(self, node: Node, pause: Pause) -> None:
        node.frames = pause.frames
        if pause.operation is None:
            node.operation = None
            node.ending = "stopped" if pause.finding is not None else "finished"
            node.finding = pause.finding
            if node.coroutine is not None:
                abandon(node.coroutine)
                node.coroutine = None
            return
        operation = node.operation = pause.operation
        try:
            node.read_cells, node.write_cells = operation.footprint(self.cpu)
        except (AttributeError, TypeError) as error:
            self._settle(node, Pause(None, pause.frames, self._impossible(operation, error, node)))
            return
        node.cells = tuple(dict.fromkeys((*node.read_cells, *node.write_cells)))
        for cell in node.read_cells:
            node.reads |= 1 << cell
        for cell in node.write_cells:
            node.writes |= 1 << cell
        node.waits = type(operation).enabled is not Operation.enabled
        node.watched = is_strange(type(operation)) or is_strange(getattr(operation, "condition", Operation))

    def _impossible(self, operation: Operation, error: Exception, node: Node) -> Finding:
        # The step was made of None, or of a thing of another kind, and shows it only now.
        file, line = node.place
        where = f" (line {line} of {Path(file).name})" if line else ""
        text = (
            f"CPU {self.cpu} ({self.program.name}) awaits a step of kind {operation.kind!r} on something it cannot be"
            f" done on: {type(error).__name__}: {error}{where}. Is it None, or the mm where the machine is asked for?"
        )
        return Finding("exception", text, self.cpu, file, line, node.depth + 1)

    def _coroutine_at(self, node: Node) -> tuple[Any, Finding | None]:
        # A coroutine standing at `node`: the one that is there if nobody took it yet, else a fresh one.
        if node.coroutine is not None:
            coroutine, node.coroutine = node.coroutine, None
            return coroutine, None
        return self._rerun(node)

    def _rerun(self, node: Node) -> tuple[Any, Finding | None]:
        path = [node]
        while path[-1].parent is not None:
            path.append(path[-1].parent)
        path.reverse()
        coroutine, pause = begin(self.program.start, self.cpu, self.program.name)
        difference = self._difference(path[0], pause)
        for one in path[1:]:
            if difference is not None:
                break
            result = one.result
            pause = run(
                lambda r=result: coroutine.send(r),  # type: ignore[misc]
                coroutine,
                (self.cpu, self.program.name, one.depth),
            )
            difference = self._difference(one, pause)
        if difference is not None and coroutine is not None:
            abandon(coroutine)
            coroutine = None
        return coroutine, difference

    def _difference(self, node: Node, pause: Pause) -> Finding | None:
        first, second = _wording(node.operation, self.cpu), _wording(pause.operation, self.cpu)
        if first == second:
            return None
        file, line = place(pause.frames) if pause.operation is not None else node.place
        where = f" (line {line} of {Path(file).name})" if line else ""
        text = (
            f"CPU {self.cpu} ({self.program.name}) used something besides the simulated memory{where}: given the "
            f"same results, its step {node.depth + 1} first was '{first[0]}' and now is '{second[0]}'. Look for a "
            "global, a clock, a random number or the order of a set, and keep state in local variables or cells"
        )
        return Finding("misuse", text, self.cpu, file, line, node.depth + 1)


def _wording(operation: Operation | None, cpu: int) -> tuple[str, Any]:
    if operation is None:
        return "the end", None
    return operation.text(), (operation.kind, operation.footprint(cpu))
