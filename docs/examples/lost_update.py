"""Two CPUs add one to the same counter, and one of the updates is lost."""

from ptwalk.explore import explore, replay
from ptwalk.machine.program import Program
from ptwalk.machine.shared import Shared


def counter(locked: bool) -> Program:
    shared = Shared(cpus=2)
    count = shared.variable("count")
    lock = shared.mutex("lock")

    async def add_one() -> None:
        if locked:
            await lock.lock()
        value = await count.read()
        await count.write(value + 1)
        if locked:
            await lock.unlock()

    return shared.program(
        add_one,
        add_one,
        name="counter",
        check=lambda end: None if end["count"] == 2 else f"an update is lost: count is {end['count']}, not 2",
    )


verdict = explore(counter(locked=False))
print(verdict)
print(verdict.schedule)
print(replay(counter(locked=False), verdict.schedule))
print(explore(counter(locked=True)))
