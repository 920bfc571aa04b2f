"""Three philosophers, three forks: a deadlock, and two ways out of it."""

from functools import partial

from ptwalk.explore import explore
from ptwalk.machine.program import Program
from ptwalk.machine.shared import Shared


def table(seats: int, last_is_left_handed: bool) -> Program:
    shared = Shared(cpus=seats)
    forks = [shared.mutex(f"fork{number}") for number in range(seats)]

    async def philosopher(seat: int) -> None:
        first, second = forks[seat], forks[(seat + 1) % seats]
        if last_is_left_handed and seat == seats - 1:
            first, second = second, first
        await first.lock()
        await second.lock()
        await second.unlock()
        await first.unlock()

    return shared.program(*(partial(philosopher, seat) for seat in range(seats)), name="dining philosophers")


def polite_table() -> Program:
    """Who does not get the second fork puts the first one back, and tries again and again."""
    shared = Shared(cpus=2)
    forks = [shared.mutex("fork0"), shared.mutex("fork1")]

    async def philosopher(seat: int) -> None:
        first, second = forks[seat], forks[1 - seat]
        await first.lock()
        while not await second.try_lock():
            await first.unlock()
            await first.lock()
        await second.unlock()
        await first.unlock()

    return shared.program(*(partial(philosopher, seat) for seat in range(2)), name="polite philosophers")


for seats in (2, 3, 4):
    print(seats, "philosophers,", explore(table(seats, last_is_left_handed=False)))
    print(seats, "philosophers, one left-handed,", explore(table(seats, last_is_left_handed=True)))
print("polite,", explore(polite_table(), limit=1_000))
