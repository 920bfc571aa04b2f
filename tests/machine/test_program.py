"""A program is a plain description: frozen, with its CPUs in order."""

import dataclasses

import pytest

from ptwalk.machine.cells import Cells
from ptwalk.machine.program import CpuProgram, Program


async def _idle() -> None:
    return None


def test_a_program_cannot_be_changed() -> None:
    """A verdict speaks of the program it was given."""
    program = Program("p", Cells(), (CpuProgram("a", _idle),))
    with pytest.raises(dataclasses.FrozenInstanceError):
        program.name = "q"  # type: ignore[misc]
    assert (program.observers, program.at_end, program.cpus[0].daemon) == ((), None, False)
