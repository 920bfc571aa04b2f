"""Optimal DPOR: exactly one complete execution for each class of equivalent schedules.

Room: explore.  Knows the state space and wakeup trees.  Two schedules are equivalent (the same Mazurkiewicz trace) if
one becomes the other by exchanging neighbouring steps that are independent.  The search runs one execution, finds
its races, and for each race that can be reversed notes the shortest beginning that reverses it in the wakeup tree of
the place where the first of the two steps was taken.  Sleep sets say what was tried there before.  With both, no
execution is ever begun that turns out to be redundant: none is blocked.

Steps that wait need care.  An unlock comes right before the lock that waited for it, and this pair cannot be
reversed; the lock before that unlock is the one to reverse.  So for a step that may wait, a race counts only if the
step would be enabled with the other one (and all that depends on it) taken out; where it takes out several at once
to enable it, sets of concurrent steps are tried.  Steps still waiting when an execution ends race as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptwalk.explore.limits import Tally
from ptwalk.explore.logtrie import Node
from ptwalk.explore.space import StateSpace
from ptwalk.explore.wakeup import Branch, Event, insert, weak_initial

# A callback for each complete execution: (CPU of each step, report of the first violation or None).
Completed = Callable[[list[int], Any], None]


class OptimalDpor:
    """One search; `run` does it all and leaves the counts in the tally."""

    def __init__(self, space: StateSpace, tally: Tally, completed: Completed | None = None) -> None:
        self.space = space
        self.tally = tally
        self.completed = completed
        # The execution so far, by position: state before each step (one more than steps), who took it, its node,
        # and what happens before it as a bit mask over positions.
        self.states: list[int] = [space.initial]
        self.taken: list[int] = []
        self.nodes: list[Node] = []
        self.before: list[int] = []
        # For each place: who sleeps (bit mask over CPUs) and what is to be tried.
        self.sleep: list[int] = [0]
        self.trees: list[list[Branch]] = [[]]
        self._undo: list[list[int]] = []
        # For each CPU: its last step with all that happens before.  For each cell: positions of its writes and of
        # all accesses, and the same for what happens before and up to them.
        self._cpu_past = [0] * space.cpus
        self._writes: list[int] = []
        self._accesses: list[int] = []
        self._write_past: list[int] = []
        self._access_past: list[int] = []
        # The reversible races of the execution so far: (position of the second step, position of the first, all steps
        # that have to go, second step).  Steps up to `_fresh_from` had theirs found in an earlier execution.
        self._found: list[tuple[int, int, int, Node]] = []
        self._fresh_from = 0
        # (position, report) of violations in the execution so far.
        self._violations: list[tuple[int, Any]] = []

    def run(self, *, stop_at_first: bool) -> None:
        """Explore every trace; with `stop_at_first` until the first violation (then `tally.bug` is set)."""
        space, tally = self.space, self.tally
        tables, masks, work_out = space.tables, space.node_masks, space.work_out
        states, trees, sleep = self.states, self.trees, self.sleep
        arriving = True
        while True:
            state = states[-1]
            tree = trees[-1]
            if arriving and not tree:
                branch = self._choose(state)
                if branch is None:
                    if self._complete(state) and stop_at_first:
                        return
                    arriving = False
                    if not self._back():
                        return
                    continue
                tree.append(branch)
            elif not tree:
                if not self._back():
                    return
                continue
            cpu = tree[0].cpu
            node = tables[cpu][state & masks[cpu]]
            flips = node.outcomes.get(state & node.mask)
            if flips is None:
                flips = work_out(node, state)
            asleep = sleep[-1]
            if asleep:
                asleep = self._still_asleep(asleep, state, node)
            if node.bad:
                report = node.bad.get(state & node.mask)
                if report is not None:
                    self._violations.append((len(self.taken), report))
                    if stop_at_first:
                        tally.violations += 1
                        tally.bug = ([*self.taken, cpu], report)
                        return
            self._push(cpu, node)
            states.append(state ^ flips)
            sleep.append(asleep)
            trees.append(tree[0].below)
            arriving = True

    def _choose(self, state: int) -> Branch | None:
        # A step to go on with, or None if the execution is complete (or, never seen, redundant).
        space, asleep = self.space, self.sleep[-1]
        delta = space.delta
        enabled = False
        # Going on with the same CPU makes executions that are easy to read.
        last = self.taken[-1] if self.taken else 0
        for cpu in (last, *range(space.cpus)):
            if delta(state, cpu):
                enabled = True
                if not asleep >> cpu & 1:
                    node = space.tables[cpu][state & space.node_masks[cpu]]
                    return Branch(cpu, node.reads, node.writes)
        if enabled:
            self.tally.blocked += 1
            self._fresh_from = len(self.taken)
        return None

    def _complete(self, state: int) -> bool:
        # The end of an execution; True if there is a violation in it.
        tally, space = self.tally, self.space
        if any(space.delta(state, cpu) for cpu in range(space.cpus)):
            return False
        report = self._violations[0][1] if self._violations else None
        if report is None:
            report = space.at_end(state)
        if report is None and space.is_cut(state):
            tally.cut = True
        tally.executions += 1
        if report is not None:
            tally.violations += 1
            if tally.bug is None:
                tally.bug = (list(self.taken), report)
        if self.completed is not None:
            self.completed(list(self.taken), report)
        self._races(state)
        tally.tick()
        return report is not None

    def _still_asleep(self, asleep: int, state: int, node: Node) -> int:
        # Who goes on sleeping after the step of `node`: those whose next step is independent of it.
        space = self.space
        writes, touches = node.writes, node.reads | node.writes
        still = 0
        for cpu in range(space.cpus):
            if asleep >> cpu & 1 and cpu != node.cpu:
                other = space.tables[cpu][state & space.node_masks[cpu]]
                if not (other.writes & touches or other.reads & writes):
                    still |= 1 << cpu
        return still

    def _push(self, cpu: int, node: Node) -> None:
        # Add a step to the happens-before relation, keeping what it overwrites.
        writes, accesses = self._writes, self._accesses
        write_past, access_past = self._write_past, self._access_past
        if len(writes) < len(self.space.cell_masks):
            missing = len(self.space.cell_masks) - len(writes)
            for table in (writes, accesses, write_past, access_past):
                table.extend([0] * missing)
        me = 1 << len(self.taken)
        past = cpu_past = self._cpu_past[cpu]
        for cell in node.read_cells:
            past |= write_past[cell]
        for cell in node.write_cells:
            past |= access_past[cell]
        upto = past | me
        undo = [cpu_past]
        for cell in node.cells:
            undo.append(access_past[cell])
            access_past[cell] |= upto
            accesses[cell] |= me
        for cell in node.write_cells:
            undo.append(write_past[cell])
            write_past[cell] = upto
            writes[cell] |= me
        self._cpu_past[cpu] = upto
        self._undo.append(undo)
        self.taken.append(cpu)
        self.nodes.append(node)
        self.before.append(past)

    def _back(self) -> bool:
        # Leave this place: the step that led here is done with and sleeps from now on.  False at the very start.
        if not self.taken:
            return False
        self.states.pop()
        self.sleep.pop()
        self.trees.pop()
        cpu = self.taken.pop()
        node = self.nodes.pop()
        self.before.pop()
        position = len(self.taken)
        me = 1 << position
        values = iter(self._undo.pop())
        self._cpu_past[cpu] = next(values)
        for cell in node.cells:
            self._access_past[cell] = next(values)
            self._accesses[cell] ^= me
        for cell in node.write_cells:
            self._write_past[cell] = next(values)
            self._writes[cell] ^= me
        if self._violations and self._violations[-1][0] == position:
            self._violations.pop()
        while self._found and self._found[-1][0] >= position:
            self._found.pop()
        self.sleep[-1] |= 1 << cpu
        del self.trees[-1][0]
        self._fresh_from = min(self._fresh_from, position)
        return True

    # -- races ----------------------------------------------------------------------------------------------

    def _races(self, state: int) -> None:
        nodes, before, found = self.nodes, self.before, self._found
        length, known = len(nodes), len(self._found)
        # What every new step depends on.
        common = -1
        for position in range(self._fresh_from, length):
            self._races_of(nodes[position], before[position], position)
            common &= before[position]
        lasting = len(found)
        for node in self.space.nodes(state):
            if node.waits:
                past = self._cpu_past[node.cpu]
                for cell in node.read_cells:
                    past |= self._write_past[cell] if cell < len(self._write_past) else 0
                for cell in node.write_cells:
                    past |= self._access_past[cell] if cell < len(self._access_past) else 0
                self._races_of(node, past, length)
        # A race known from an earlier execution is planned again if this one ends in other steps that do not depend
        # on its first step: they go before the reversal, and may wake somebody who was asleep there.
        for number, (_, first, removed, node) in enumerate(found):
            if number >= known or not common & removed:
                self._reverse(first, removed, node)
        del found[lasting:]
        self._fresh_from = length

    def _races_of(self, node: Node, past: int, position: int) -> None:
        # Find each reversible race that ends in the step of `node` at `position`.
        below = (1 << position) - 1
        conflicting = 0
        known = len(self._writes)
        for cell in node.read_cells:
            if cell < known:
                conflicting |= self._writes[cell]
        for cell in node.write_cells:
            if cell < known:
                conflicting |= self._accesses[cell]
        conflicting &= below
        if not conflicting:
            return
        conflicting &= ~self._own_past(node.cpu, position)
        before, found = self.before, self._found
        if not node.waits:
            while conflicting:
                first = conflicting.bit_length() - 1
                conflicting &= ~(before[first] | 1 << first)
                found.append((position, first, 1 << first, node))
            return
        refused: list[int] = []
        while conflicting:
            first = conflicting.bit_length() - 1
            bit = 1 << first
            conflicting ^= bit
            if self._enabled_without(node, bit, below):
                conflicting &= ~before[first]
                found.append((position, first, bit, node))
            else:
                refused.append(first)
        if len(refused) > 1:
            self._several(node, refused, position)

    def _own_past(self, cpu: int, position: int) -> int:
        # All that happens before the last step of `cpu` before `position`, with that step.
        taken = self.taken
        if position == len(taken):
            return self._cpu_past[cpu]
        for earlier in range(position - 1, -1, -1):
            if taken[earlier] == cpu:
                return self.before[earlier] | 1 << earlier
        return 0

    def _enabled_without(self, node: Node, removed: int, below: int) -> bool:
        # Whether the step of `node` is enabled when `removed` and all that depends on it has not happened.
        before = self.before
        left = below
        for later in range(removed.bit_length() - 1 if removed & removed - 1 == 0 else 0, below.bit_length()):
            if before[later] & removed or removed >> later & 1:
                left ^= 1 << later
        space, states = self.space, self.states
        masks = space.cell_masks
        known = len(self._writes)
        state = 0
        for cell in node.cells:
            if cell < known:
                last = (self._writes[cell] & left).bit_length()
                state |= states[last] & masks[cell]
        flips = node.outcomes.get(state & node.mask)
        if flips is None:
            flips = space.work_out(node, state)
        return flips != 0

    def _several(self, node: Node, refused: list[int], position: int) -> None:
        # Sets of concurrent steps that only together keep the step of `node` waiting.
        before, below = self.before, (1 << position) - 1
        # Positions fall, so a set grows by earlier steps that do not happen before any of its members.
        sets: list[tuple[int, int, int]] = [(index, 1 << at, before[at]) for index, at in enumerate(refused)]
        tried = 0
        while sets and tried < 4096:
            index, members, past = sets.pop()
            for next_index in range(index + 1, len(refused)):
                at = refused[next_index]
                if past >> at & 1:
                    continue
                tried += 1
                larger = members | 1 << at
                if self._enabled_without(node, larger, below):
                    self._found.append((position, at, larger, node))
                else:
                    sets.append((next_index, larger, past | before[at]))

    def _reverse(self, first: int, removed: int, node: Node) -> None:
        # Plan the executions in which `node` steps before all of `removed`, of which `first` came first.
        nodes, before, space = self.nodes, self.before, self.space
        state = self.states[first]
        sequence: list[Event] = []
        for later in range(first + 1, len(nodes)):
            if not (before[later] & removed or removed >> later & 1):
                other = nodes[later]
                sequence.append((other.cpu, other.reads, other.writes))
        sequence.append((node.cpu, node.reads, node.writes))
        asleep = self.sleep[first]
        cpu = 0
        while asleep:
            if asleep & 1:
                other = space.tables[cpu][state & space.node_masks[cpu]]
                if weak_initial(cpu, other.reads, other.writes, sequence) >= 0:
                    return
            asleep >>= 1
            cpu += 1
        insert(self.trees[first], sequence)
