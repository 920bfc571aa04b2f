"""Operations outside of the explorer: awaited by a foreign event loop, dropped, half written."""

import asyncio
import gc

import pytest

from ptwalk.machine.operation import Operation, OutsideSimulation
from ptwalk.machine.shared import Shared


def test_an_event_loop_gets_a_sentence() -> None:
    """Awaited in a notebook's event loop, a step says what to do instead."""
    x = Shared(1).variable("x")

    async def cell() -> None:
        await x.read()

    with pytest.raises(OutsideSimulation, match="'reads x' is a step of a simulated CPU"):
        asyncio.run(cell())


def test_a_dropped_operation_is_nobodys_business() -> None:
    """Outside of a simulated CPU, making an operation and dropping it is silent."""
    Shared(1).variable("x").read()
    gc.collect()


def test_an_unfinished_operation_says_what_is_missing() -> None:
    """A subclass without footprint() or execute()."""

    class Half(Operation):
        pass

    with pytest.raises(NotImplementedError, match="define footprint"):
        Half().footprint(0)
    with pytest.raises(NotImplementedError, match="define execute"):
        Half().execute([], 0)
    assert Half().enabled([], 0) and Half().text() == "step"
