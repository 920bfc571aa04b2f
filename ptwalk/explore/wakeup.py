"""Wakeup trees: the sequences of steps that a search still has to try from one point.

Room: explore.  Knows nothing of programs: an event here is a CPU with the footprint of its step.  The tree is
ordered; an edge is an event.  Inserting a sequence adds it only if no sequence in the tree already leads to the
same executions (Abdulla, Aronis, Jonsson, Sagonas: Optimal dynamic partial order reduction, POPL 2014).
"""

from __future__ import annotations

from collections.abc import Sequence

# An event: CPU, cells read and cells written by its step as bit masks.
Event = tuple[int, int, int]


class Branch:
    """An edge of a wakeup tree with everything below it."""

    __slots__ = ("below", "cpu", "reads", "writes")

    def __init__(self, cpu: int, reads: int, writes: int) -> None:
        self.cpu = cpu
        self.reads = reads
        self.writes = writes
        self.below: list[Branch] = []


def weak_initial(cpu: int, reads: int, writes: int, sequence: Sequence[Event]) -> int:
    """Whether `cpu`, whose next step has this footprint, can go first without changing what `sequence` does.

    Returns the position of its step in the sequence if it can, the length if the sequence does not contain it,
    and -1 if it cannot: a step before its own depends on it.
    """
    touches = reads | writes
    position = 0
    for other, other_reads, other_writes in sequence:
        if other == cpu:
            return position
        if other_writes & touches or other_reads & writes:
            return -1
        position += 1
    return position


def insert(tree: list[Branch], sequence: list[Event]) -> bool:
    """Add `sequence` to the tree unless what it leads to will be explored anyway; True if it was added."""
    rest = sequence
    while True:
        for branch in tree:
            position = weak_initial(branch.cpu, branch.reads, branch.writes, rest)
            if position < 0:
                continue
            if not branch.below:
                return False
            if position < len(rest):
                rest = rest[:position] + rest[position + 1 :]
            tree = branch.below
            break
        else:
            break
    if not rest:
        return False
    for cpu, reads, writes in rest:
        branch = Branch(cpu, reads, writes)
        tree.append(branch)
        tree = branch.below
    return True
