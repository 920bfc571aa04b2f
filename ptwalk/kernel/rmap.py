"""The reverse maps: anon_vma trees, file mappings, and their locks.

Room: kernel.  What a VMA needs so that a page's mappings can be found from the page.  A VMA stays on its
tree after munmap has detached it from the mm, until free_pgtables takes it off.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.machine.operation import Footprint, Operation
from ptwalk.machine.rwsem import RwSemaphore

if TYPE_CHECKING:
    from ptwalk.kernel.vma import Vma
    from ptwalk.machine.machine import Machine


class RmapTree:
    """An anon_vma tree or a file's i_mmap tree: an rwsem and the VMAs on it."""

    __slots__ = ("machine", "name", "rwsem", "vmas", "known")

    def __init__(self, machine: Machine, name: str, lock_class: str) -> None:
        self.machine = machine
        self.name = name
        self.rwsem = RwSemaphore(machine, f"{lock_class} of {name}", lock_class)
        self.known: dict[Hashable, Vma] = {}
        self.vmas = -1

    def start_with(self, vmas: tuple[Vma, ...]) -> None:
        """Sets the VMAs on the tree at the start; called once, when the mm is complete."""
        for vma in vmas:
            self.known[vma.rmap_key] = vma
        self.vmas = self.machine.cells.add(f"tree of {self.name}", tuple(v.rmap_key for v in vmas))


def anon_vma(machine: Machine, name: str) -> RmapTree:
    """The reverse map of anonymous pages."""
    return RmapTree(machine, name, "anon_vma")


def address_space(machine: Machine, name: str) -> RmapTree:
    """The reverse map of a file's pages (`struct address_space`)."""
    return RmapTree(machine, name, "i_mmap_rwsem")


class RmapTreeOperation(Operation):
    """A step on the tree; the caller holds its lock."""

    __slots__ = ("tree",)

    def __init__(self, tree: RmapTree) -> None:
        self.tree = tree


class RmapVmas(RmapTreeOperation):
    """Reads which VMAs are on the tree; awaiting gives the tuple of VMAs."""

    __slots__ = ()
    kind = "rmap_vmas"

    def footprint(self, cpu: int) -> Footprint:
        return (self.tree.vmas,), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        found: Hashable = memory[self.tree.vmas]
        return found

    def __await__(self) -> Generator[Any, Any, tuple[Vma, ...]]:
        keys = yield from super().__await__()
        return tuple(self.tree.known[key] for key in keys)

    def text(self) -> str:
        return f"looks through the tree of {self.tree.name}"


class RmapChange(RmapTreeOperation):
    """Takes VMAs off the tree, and puts others on it."""

    __slots__ = ("off", "on")
    kind = "rmap_tree"

    def __init__(self, tree: RmapTree, off: tuple[Vma, ...] = (), on: tuple[Vma, ...] = ()) -> None:
        self.tree = tree
        self.off = off
        self.on = on
        for vma in on:
            tree.known[vma.rmap_key] = vma

    def footprint(self, cpu: int) -> Footprint:
        return (self.tree.vmas,), (self.tree.vmas,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        off = {vma.rmap_key for vma in self.off}
        kept = tuple(key for key in memory[self.tree.vmas] if key not in off)
        memory[self.tree.vmas] = kept + tuple(vma.rmap_key for vma in self.on)
        return None

    def text(self) -> str:
        words = [f"takes {vma} off" for vma in self.off] + [f"puts {vma} on" for vma in self.on]
        return f"{', '.join(words)} the tree of {self.tree.name}"
