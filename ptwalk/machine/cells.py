"""Cells: every place of the simulated machine that can change, by number.

Room: machine.  Knows only the errors.  A cell is a slot of one flat list, the *memory vector*: a word of
a page table, the owner of a lock, the interrupt flag of a CPU.  An operation names the cells it reads and
writes by these numbers, and that is all the explorer ever learns about them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from ptwalk.errors import PtwalkError


class CellError(PtwalkError):
    """A cell was named that does not exist, or declared twice with different contents."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of one cell besides its number.

    `holds_cpu` marks a cell whose value is a CPU's number plus one, or 0 for nobody: pictures show it as a lock.
    """

    name: str
    initial: Hashable
    holds_cpu: bool


class Cells:
    """The register of all cells of one program: names to numbers, and what each holds at the start.

    It only grows.  Cells may be added in the middle of a run (a frame that is first used then): wherever a
    memory vector is shorter than the register, the missing tail holds the initial values.
    """

    __slots__ = ("_ids", "initial", "registered")

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self.registered: list[Cell] = []
        self.initial: list[Hashable] = []

    def add(self, name: str, initial: Hashable = 0, *, holds_cpu: bool = False) -> int:
        """Number of the cell called `name`; it is made at the first call.

        `initial` is any hashable value.  The same name gives the same number for ever, so code that may run
        many times can call this freely.  Raises `CellError` if the name is declared again differently.
        """
        found = self._ids.get(name)
        if found is not None:
            cell = self.registered[found]
            if (cell.initial, cell.holds_cpu) != (initial, holds_cpu):
                raise CellError(
                    f"cell {name!r} was declared before with other contents ({cell.initial!r}); "
                    "use another name, or declare it the same way"
                )
            return found
        number = len(self.registered)
        self._ids[name] = number
        self.registered.append(Cell(name, initial, holds_cpu))
        self.initial.append(initial)
        return number

    def number(self, name: str) -> int:
        """Number of a cell that exists; raises `CellError` otherwise."""
        found = self._ids.get(name)
        if found is None:
            raise CellError(f"there is no cell {name!r}; declare it with add() first")
        return found

    def name(self, number: int) -> str:
        """Name of cell `number`."""
        return self.registered[number].name

    def memory(self) -> list[Hashable]:
        """A fresh memory vector with the initial contents."""
        return list(self.initial)

    def __contains__(self, name: object) -> bool:
        return name in self._ids

    def __len__(self) -> int:
        return len(self.registered)

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.registered)
