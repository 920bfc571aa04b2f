"""Variables, locks and objects for plain programs, each in its smallest program."""

from collections.abc import Callable
from typing import Any

import pytest

from ptwalk.errors import PtwalkError
from ptwalk.explore import explore
from ptwalk.machine.shared import Shared


def _verdict(build: Callable[[Shared], tuple[Any, ...]], **options: Any) -> Any:
    shared = Shared(2)
    return explore(shared.program(*build(shared), **options))


def test_a_mutex_makes_an_update_whole() -> None:
    """With the lock no update is lost; with an atomic add none either."""

    def locked(shared: Shared) -> tuple[Any, ...]:
        x, m = shared.variable("x"), shared.mutex("m")

        async def adds() -> None:
            await m.lock()
            await x.write(await x.read() + 1)
            await m.unlock()

        async def adds_at_once() -> None:
            await m.lock()
            assert await x.add(1) in (0, 1)
            await m.unlock()

        return adds, adds_at_once

    assert _verdict(locked, check=lambda end: None if end["x"] == 2 else "lost").outcome == "safe"


def test_compare_and_swap_tells_whether_it_did() -> None:
    """Exactly one of two wins."""

    def race(shared: Shared) -> tuple[Any, ...]:
        x, winners = shared.variable("x"), shared.variable("winners")

        async def tries() -> None:
            if await x.compare_and_swap(0, 1):
                await winners.add(1)

        return tries, tries

    assert _verdict(race, check=lambda end: None if end["winners"] == 1 else "two winners").outcome == "safe"


def test_a_writer_waits_for_readers_and_a_downgrade_lets_them_in() -> None:
    """What a writer wrote before its downgrade is all a reader can see."""

    def race(shared: Shared) -> tuple[Any, ...]:
        s, x, y = shared.rwsem("s"), shared.variable("x"), shared.variable("y")

        async def writer() -> None:
            await s.down_write()
            await x.write(1)
            await x.write(2)
            await s.downgrade_write()
            await y.write(1)
            await s.up_read()

        async def reader() -> None:
            await s.down_read()
            if await x.read() == 1:
                await y.write("seen half")
            await s.up_read()

        return writer, reader

    verdict = _verdict(race, check=lambda end: "half" if end["y"] == "seen half" else None)
    assert verdict.outcome == "safe"
    assert verdict.executions == 2


@pytest.mark.parametrize("waits", [True, False])
def test_a_grace_period_keeps_an_object_for_its_readers(waits: bool) -> None:
    """Freed after unlink and a grace period: safe. Without the wait: use after free."""

    def race(shared: Shared) -> tuple[Any, ...]:
        rcu, node, head = shared.rcu(), shared.object("node"), shared.variable("head", 1)
        field = node.variable("field")

        async def reader() -> None:
            await rcu.read_lock()
            if await head.read():
                await field.read()
            await rcu.read_unlock()

        async def remover() -> None:
            await head.write(0)
            if waits:
                await rcu.synchronize()
            await node.free()

        return reader, remover

    verdict = _verdict(race)
    assert verdict.outcome == ("safe" if waits else "bug")
    assert waits or "use after free" in str(verdict.report)


def test_an_interrupt_waits_until_it_is_let_in() -> None:
    """The sender cannot pass while the target has interrupts off."""

    def race(shared: Shared) -> tuple[Any, ...]:
        irq, x = shared.interrupts(), shared.variable("x")

        async def target() -> None:
            await irq.disable()
            await x.write(1)
            await x.write(0)
            await irq.enable()

        async def sender() -> None:
            await irq.send(0)
            await x.read()

        return target, sender

    assert _verdict(race).outcome == "safe"


def test_what_is_given_back_must_be_held() -> None:
    """Each kind of lock refuses, in words."""
    shared = Shared(1)
    s, r, i = shared.rwsem("s"), shared.rcu(), shared.interrupts()
    for make, words in (
        (s.up_read, "not hold for reading"),
        (s.up_write, "not hold for writing"),
        (s.downgrade_write, "not hold for writing"),
        (r.read_unlock, "never entered"),
        (i.enable, "never entered"),
    ):

        async def gives_back(make: Any = make) -> None:
            await make()

        assert words in str(explore(shared.program(gives_back)).report)


@pytest.mark.parametrize("what", ["down_read", "down_write", "rcu", "free twice"])
def test_what_is_left_behind_is_told(what: str) -> None:
    """A lock kept at the end, a section never left, an object freed twice."""

    def build(shared: Shared) -> tuple[Any, ...]:
        s, r, o = shared.rwsem("s"), shared.rcu(), shared.object("o")

        async def leaves() -> None:
            match what:
                case "rcu":
                    await r.read_lock()
                case "free twice":
                    await o.free()
                    await o.free()
                case _:
                    await getattr(s, what)()

        return (leaves,)

    words = {"rcu": "inside a section of rcu", "free twice": "a second time"}.get(what, "still holds s")
    assert words in str(_verdict(build).report)


def test_senseless_numbers_of_cpus_are_refused() -> None:
    """With a sentence."""

    async def idle() -> None:
        return None

    with pytest.raises(PtwalkError, match="16"):
        Shared(0)
    with pytest.raises(PtwalkError, match="2 functions for 1 CPUs"):
        Shared(1).program(idle, idle)


def test_the_same_function_twice() -> None:
    """The CPUs get numbered names."""

    async def walker() -> None:
        return None

    program = Shared(3).program(walker, walker)
    assert [cpu.name for cpu in program.cpus] == ["walker0", "walker1"]
