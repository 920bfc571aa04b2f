"""Programs on which a version of the DPOR engine once went wrong."""

from ptwalk.explore import executions
from ptwalk.machine.program import Program
from ptwalk.machine.shared import Shared

from .oracle import judge, run


def wakes_a_sleeper_late(order: tuple[int, ...]) -> Program:
    """The reversal of one race goes with two ends of the execution, and only one of them wakes the reader of x."""
    shared = Shared(4)
    x, y, z = (shared.variable(name) for name in "xyz")

    async def reads() -> None:
        await x.read()

    async def waits() -> None:
        await shared.wait(lambda one, two: one == two, y, z)
        if await y.read() == 1:
            await x.write(1)

    async def looks() -> None:
        if await y.read() == 0:
            await x.write(1)

    async def writes() -> None:
        await z.write(0)
        await y.write(1)

    functions = (reads, waits, looks, writes)
    return shared.program(*(functions[number] for number in order))


def test_a_race_is_planned_again_when_the_execution_ends_otherwise() -> None:
    """Planned once for each race, one of the 25 traces was never run; in another order of CPUs, another one."""
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1)):
        program = wakes_a_sleeper_late(order)
        truth = judge(program)
        traces = [run(program, list(one.schedule.cpus())).trace for one in executions(program)]
        assert len(traces) == len(truth.traces) == 25
        assert set(traces) == truth.traces
