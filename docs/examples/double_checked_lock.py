"""Look, lock, look again: the double-checked lock, right, broken, and broken in the publication."""

from ptwalk.explore import explore
from ptwalk.machine.program import Program
from ptwalk.machine.shared import Shared


def initialise_once(second_look: bool, publish_last: bool) -> Program:
    shared = Shared(cpus=2)
    ready, value = shared.variable("ready", False), shared.variable("value", None)
    times = shared.variable("times")
    lock = shared.mutex("lock")

    async def use() -> None:
        if not await ready.read():
            await lock.lock()
            if not second_look or not await ready.read():
                await times.add(1)
                if publish_last:
                    await value.write("initialised")
                    await ready.write(True)
                else:
                    await ready.write(True)
                    await value.write("initialised")
            await lock.unlock()
        seen = await value.read()
        if seen is None:
            raise RuntimeError("used before it was initialised")

    return shared.program(
        use,
        use,
        name="double-checked lock",
        check=lambda end: None if end["times"] == 1 else f"initialised {end['times']} times",
    )


print("right:               ", explore(initialise_once(second_look=True, publish_last=True)))
print("no second look:      ", explore(initialise_once(second_look=False, publish_last=True)))
print("published too early: ", explore(initialise_once(second_look=True, publish_last=False)))
