"""The state space: a whole state of the program as one integer, a step as one exclusive-or.

Room: explore.  Knows programs and log-tries.  Every cell and every CPU owns some bits of the integer; they get one
more bit when they have one more value than their bits can number, always at the top, so that states made earlier
stay valid.  What a step does depends on its footprint only, so it is worked out once for each contents of the
footprint and looked up ever after.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.explore.ends import wrong_at_end
from ptwalk.explore.limits import LimitReached, Limits
from ptwalk.explore.logtrie import LogTrie, Node
from ptwalk.machine.operation import Operation, Violation
from ptwalk.machine.program import Program
from ptwalk.machine.watchdog import Endless, Watchdog, is_strange, watched
from ptwalk.trace.verdict import Finding

# What is wrong with an end is remembered for so many of them.
_REMEMBERED_ENDS = 100_000


class FootprintError(PtwalkError):
    """An operation or an observer touched a cell that the operation's footprint does not name."""


class _Guarded:
    # The memory vector as one step may see it.
    __slots__ = ("_names", "_operation", "_writable", "values")

    def __init__(
        self, values: dict[int, Any], writable: tuple[int, ...], names: Any, operation: Operation
    ) -> None:
        self.values = values
        self._writable = writable
        self._names = names
        self._operation = operation

    def __getitem__(self, cell: int) -> Any:
        try:
            return self.values[cell]
        except KeyError:
            raise self._stray("looks at", cell) from None

    def __setitem__(self, cell: int, value: Any) -> None:
        if cell not in self._writable:
            raise self._stray("writes", cell)
        self.values[cell] = value

    def _stray(self, verb: str, cell: int) -> FootprintError:
        name = (
            self._names.name(cell) if isinstance(cell, int) and 0 <= cell < len(self._names) else repr(cell)
        )
        return FootprintError(
            f"'{self._operation.text()}' {verb} cell {name}, which its footprint() does not name: "
            "add the cell there, or the search would miss schedules"
        )


class StateSpace:
    """All states of one program, packed; grows as steps are asked for."""

    def __init__(self, program: Program, limits: Limits | None = None) -> None:
        self.program = program
        limits = limits or Limits()
        self._logs_left = limits.logs
        self.cpus = len(program.cpus)
        self._cells = program.cells
        self._bits = 0
        # For each cell: the bits it owns, packed bits -> value, value -> packed bits.
        self.cell_masks: list[int] = []
        self._values: list[dict[int, Any]] = []
        self._codes: list[dict[Hashable, int]] = []
        self._bit_lists: list[list[int]] = []
        self._users: list[list[Node]] = []
        # For each CPU: the bits that number its node, and the node of each number.
        self.node_masks = [0] * self.cpus
        self._node_bits: list[list[int]] = [[] for _ in range(self.cpus)]
        self.tables: list[dict[int, Node]] = [{} for _ in range(self.cpus)]
        depth = limits.depth or sys.maxsize
        self.tries = [LogTrie(number, cpu, depth) for number, cpu in enumerate(program.cpus)]
        for trie in self.tries:
            self._number(trie.root)
        self.initial = 0
        self._ends: dict[int, Any] = {}
        self._strange = any(map(is_strange, program.observers))

    # -- bits -----------------------------------------------------------------------------------------------

    def _number(self, node: Node) -> None:
        # Give a node its bits; the root of each trie is all zeros.
        cpu = node.cpu
        if self._logs_left is not None and node.parent is not None:
            self._logs_left -= 1
            if self._logs_left < 0:
                raise LimitReached(
                    f"the limit of different ways through the code was reached (Limits.logs), by CPU {cpu} "
                    f"({self.program.cpus[cpu].name}) after line {node.parent.place[1]}"
                )
        table, bits = self.tables[cpu], self._node_bits[cpu]
        number = len(table)
        if number >> len(bits):
            bits.append(self._bits)
            self.node_masks[cpu] |= 1 << self._bits
            self._bits += 1
        node.code = sum(1 << bit for place, bit in enumerate(bits) if number >> place & 1)
        table[node.code] = node
        for cell in node.cells:
            self._grow_cells(cell)
            self._users[cell].append(node)
            node.mask |= self.cell_masks[cell]

    def _grow_cells(self, cell: int) -> None:
        while len(self.cell_masks) <= cell:
            value = self._cells.initial[len(self.cell_masks)]
            self.cell_masks.append(0)
            self._bit_lists.append([])
            self._values.append({0: value})
            self._codes.append({value: 0})
            self._users.append([])

    def _encode(self, cell: int, value: Hashable) -> int:
        codes = self._codes[cell]
        code = codes.get(value)
        if code is None:
            bits = self._bit_lists[cell]
            number = len(codes)
            if number >> len(bits):
                bits.append(self._bits)
                self.cell_masks[cell] |= 1 << self._bits
                # What these nodes looked up before had zeros in the new bit, so their outcomes stay right.
                for node in self._users[cell]:
                    node.mask |= 1 << self._bits
                self._bits += 1
            code = sum(1 << bit for place, bit in enumerate(bits) if number >> place & 1)
            codes[value] = code
            self._values[cell][code] = value
        return code

    def value(self, state: int, cell: int) -> Any:
        """Contents of one cell in `state`."""
        if cell >= len(self.cell_masks):
            return self._cells.initial[cell]
        return self._values[cell][state & self.cell_masks[cell]]

    def memory(self, state: int) -> list[Any]:
        """The whole memory vector of `state`."""
        return [self.value(state, cell) for cell in range(len(self._cells))]

    def nodes(self, state: int) -> list[Node]:
        """The node of each CPU in `state`."""
        return [table[state & mask] for table, mask in zip(self.tables, self.node_masks, strict=True)]

    def steps_taken(self, state: int) -> int:
        """Number of steps from the start to `state`: the same on every way."""
        return sum(node.depth for node in self.nodes(state))

    # -- steps ----------------------------------------------------------------------------------------------

    def delta(self, state: int, cpu: int) -> int:
        """The step of `cpu` as bits to flip in `state`; 0 if it is blocked or has ended."""
        node = self.tables[cpu][state & self.node_masks[cpu]]
        found = node.outcomes.get(state & node.mask)
        return self.work_out(node, state) if found is None else found

    def enabled(self, state: int) -> list[int]:
        """The CPUs that can take a step."""
        return [cpu for cpu in range(self.cpus) if self.delta(state, cpu)]

    def report(self, state: int, cpu: int) -> Any:
        """What is wrong with the step of `cpu` in `state`, or None."""
        node = self.tables[cpu][state & self.node_masks[cpu]]
        return node.bad.get(state & node.mask) if node.bad else None

    def work_out(self, node: Node, state: int) -> int:
        """`delta` for a footprint that was not met before."""
        operation = node.operation
        if operation is None:
            node.outcomes[0] = 0
            return 0
        trie = self.tries[node.cpu]
        report: Any = None
        known = len(trie.nodes)
        watchdog = Watchdog() if node.watched or self._strange else None
        if watchdog is not None:
            watchdog.start()
        try:
            effect = self._effect(node, operation, state)
            if effect is None:
                node.outcomes[state & node.mask] = 0
                return 0
            flips, result, before, after = effect
            for observer in self.program.observers:
                report = observer(before, node.cpu, operation, result, after)
                if report is not None:
                    break
            child = trie.child(node, result)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            flips = 0
            child = trie.stopped(node, self._failed(node, error))
        finally:
            if watchdog is not None:
                watchdog.stop()
        if report is None:
            report = child.finding
        elif isinstance(report, str):
            file, line = node.place
            report = Finding("observer", report, node.cpu, file, line, node.depth + 1)
        if len(trie.nodes) > known:
            for new_node in trie.nodes[known:]:
                self._number(new_node)
        flips ^= node.code ^ child.code
        # The mask may have grown meanwhile; the state has zeros there.
        key = state & node.mask
        node.outcomes[key] = flips
        if report is not None:
            node.bad[key] = report
        return flips

    def _effect(self, node: Node, operation: Operation, state: int) -> tuple[int, Hashable, Any, Any] | None:
        # Do the step: bits of cells to flip, result, memory before and after; None if it must wait.
        before = {cell: self.value(state, cell) for cell in node.cells}
        after = dict(before)
        guarded: Any = _Guarded(after, (), self._cells, operation)
        if node.waits and not operation.enabled(guarded, node.cpu):
            return None
        guarded._writable = node.write_cells
        result = operation.execute(guarded, node.cpu)
        hash(result)
        flips = 0
        for cell in node.write_cells:
            old, new = before[cell], after[cell]
            if new is not old:
                flips ^= self._encode(cell, old) ^ self._encode(cell, new)
        guarded._writable = ()
        return flips, result, _Guarded(before, (), self._cells, operation), guarded

    def _failed(self, node: Node, error: BaseException) -> Finding:
        assert node.operation is not None
        file, line = node.place
        where = f" (line {line} of {Path(file).name})" if line else ""
        who = f"CPU {node.cpu} ({self.program.cpus[node.cpu].name})"
        if isinstance(error, Violation):
            kind, text = "violation", str(error)
        elif isinstance(error, FootprintError):
            kind, text = "misuse", str(error)
        elif isinstance(error, Endless):
            kind, text = "misuse", f"'{node.operation.text()}' asks a function that runs on and on"
            file, line = error.place
            where = f" (line {line} of {Path(file).name})"
        else:
            kind, text = "exception", f"'{node.operation.text()}' raised {type(error).__name__}: {error}"
        return Finding(kind, f"{who}: {text}{where}", node.cpu, file, line, node.depth + 1)

    # -- ends -----------------------------------------------------------------------------------------------

    def at_end(self, state: int) -> Any:
        """What is wrong with a state in which nobody can step: a report, or None.

        Where a CPU was cut short (see `is_cut`), None means only that nothing is known to be wrong.
        """
        if state in self._ends:
            return self._ends[state]
        if len(self._ends) >= _REMEMBERED_ENDS:
            self._ends.clear()
        self._ends[state] = report = wrong_at_end(self.program, self.nodes(state), self.memory(state))
        return report

    def is_cut(self, state: int) -> bool:
        """Whether a CPU of `state` ran into the limit of operations for one CPU."""
        return any(node.ending == "cut" for node in self.nodes(state))

    def too_deep(self) -> bool:
        """Whether some CPU has reached the limit of operations."""
        return any(trie.cut is not None and trie.cut.depth >= trie.depth_limit for trie in self.tries)

    def root_finding(self) -> Any:
        """What is wrong before any step, or None."""
        for trie in self.tries:
            if trie.root.finding is not None:
                return trie.root.finding
        return None

    def verify(self) -> Finding | None:
        """Spot check that the code depends on its results only, and steps of somebody else's on their cells only."""
        for trie in self.tries:
            difference = trie.verify()
            for node in trie.nodes:
                if node.watched and difference is None:
                    difference = self._asked_again(node)
            if difference is not None:
                return difference
        return None

    def _asked_again(self, node: Node) -> Finding | None:
        assert node.operation is not None
        for contents, flips in list(node.outcomes.items())[:4]:
            try:
                effect = watched(self._effect, node, node.operation, contents)
            except (Exception, Endless):
                continue
            again = 0
            if effect is not None:
                child = node.children.get(effect[1])
                again = effect[0] ^ node.code ^ child.code if child is not None else -1
            if again != flips and contents not in node.bad:
                file, line = node.place
                text = (
                    f"CPU {node.cpu} ({self.program.cpus[node.cpu].name}): '{node.operation.text()}' does something "
                    f"else when it is done again on the same cells (line {line} of {Path(file).name}): what it does "
                    "must depend on the cells of its footprint only"
                )
                return Finding("misuse", text, node.cpu, file, line, node.depth + 1)
        return None

    def close(self) -> None:
        """Let go of every suspended coroutine."""
        for trie in self.tries:
            trie.close()
