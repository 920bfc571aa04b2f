"""Deadlock and livelock are verdicts; a loop that somebody would still end is "incomplete", with advice."""

import pytest

from ptwalk.explore import explore
from ptwalk.machine.shared import Shared


def _spinning(other: str) -> object:
    shared = Shared(2)
    flag, work = shared.variable("flag"), shared.variable("work")

    async def spins() -> None:
        while not await flag.read():
            pass

    async def sets() -> None:
        await work.write(1)
        await flag.write(1)

    async def forgets() -> None:
        await work.write(1)

    return shared.program(spins, sets if other == "sets" else forgets)


@pytest.mark.parametrize("engine", ["dpor", "states"])
def test_a_flag_that_nobody_sets_is_a_livelock(engine: str) -> None:
    """The loop and its line are named."""
    verdict = explore(_spinning("forgets"), engine)  # type: ignore[arg-type]
    assert verdict.outcome == "bug"
    assert verdict.report.kind == "livelock"
    assert "goes round in circles" in verdict.report.text and "'reads flag'" in verdict.report.text


@pytest.mark.parametrize("engine", ["dpor", "states"])
def test_spinning_for_a_flag_is_incomplete(engine: str) -> None:
    """The search cannot run all rounds of a loop; it says so and how to write it instead."""
    verdict = explore(_spinning("sets"), engine)  # type: ignore[arg-type]
    assert verdict.outcome == "incomplete"
    assert "wait with an operation that blocks" in verdict.limit


@pytest.mark.parametrize("engine", ["dpor", "states"])
def test_counting_for_ever_is_incomplete(engine: str) -> None:
    """Operations without end, never twice the same: the limit of operations is named."""
    shared = Shared(2)
    x = shared.variable("x")

    async def counts() -> None:
        while True:
            await x.add(1)

    verdict = explore(shared.program(counts), engine)
    assert verdict.outcome == "incomplete"
    assert "limit of 1,000 operations" in verdict.limit


@pytest.mark.parametrize("engine", ["dpor", "states", "brute"])
def test_two_orders_of_locking_deadlock(engine: str) -> None:
    """Both waiting CPUs are named with what they wait for."""
    shared = Shared(2)
    a, b = shared.mutex("a"), shared.mutex("b")

    async def a_then_b() -> None:
        await a.lock()
        await b.lock()
        await b.unlock()
        await a.unlock()

    async def b_then_a() -> None:
        await b.lock()
        await a.lock()
        await a.unlock()
        await b.unlock()

    verdict = explore(shared.program(a_then_b, b_then_a), engine)
    assert (verdict.outcome, verdict.switches, verdict.steps) == ("bug", 1, 2)
    assert "CPU 0 (a_then_b) waits at 'locks b'" in verdict.report.text
    assert "CPU 1 (b_then_a) waits at 'locks a'" in verdict.report.text


def test_a_daemon_may_wait_for_ever() -> None:
    """When only daemons are left waiting, the program has ended well."""
    from dataclasses import replace

    shared = Shared(2)
    m = shared.mutex("m")

    async def waits() -> None:
        await m.lock()
        await m.lock()

    program = shared.program(waits)
    daemon = replace(program, cpus=(replace(program.cpus[0], daemon=True),), at_end=None)
    assert explore(program).outcome == "bug"
    assert explore(daemon).outcome == "safe"
