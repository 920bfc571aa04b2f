"""The register of cells: names to numbers, growing only."""

import pytest

from ptwalk.machine.cells import CellError, Cells


def test_a_name_keeps_its_number() -> None:
    """Declared again in the same way it is the same cell."""
    cells = Cells()
    assert cells.add("x", 7) == 0
    assert cells.add("y") == 1
    assert cells.add("x", 7) == 0
    assert (cells.number("y"), cells.name(0), len(cells), "x" in cells) == (1, "x", 2, True)
    assert cells.memory() == [7, 0]


def test_a_memory_is_fresh() -> None:
    """Changing one does not change the next."""
    cells = Cells()
    cells.add("x")
    cells.memory()[0] = 5
    assert cells.memory() == [0]


def test_what_cannot_be_is_refused() -> None:
    """Two contents for one name, and a name that is not there."""
    cells = Cells()
    cells.add("x", 1)
    with pytest.raises(CellError, match="declared before"):
        cells.add("x", 2)
    with pytest.raises(CellError, match="no cell 'z'"):
        cells.number("z")


def test_a_cell_knows_what_it_holds() -> None:
    """Whether its value names a CPU is kept for pictures."""
    cells = Cells()
    cells.add("irq 1")
    cells.add("owner", holds_cpu=True)
    assert [cell.holds_cpu for cell in cells] == [False, True]
