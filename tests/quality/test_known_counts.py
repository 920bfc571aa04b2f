"""Programs whose number of traces is known, from closed forms or from the papers on optimal partial-order reduction.

The engine "dpor" must run exactly one execution for each trace, and none that is blocked.  Where there are few enough
interleavings, they are known too.
"""

from math import comb, factorial

import pytest

import ptwalk
from ptwalk.machine.shared import Shared


def writers(cpus):
    """Everybody writes to one cell: every order is a trace."""
    shared = Shared(cpus)
    cell = shared.variable("cell")

    def of(number):
        async def write():
            await cell.write(number)

        return write

    return shared.program(*(of(number) for number in range(cpus)))


def independent(cpus, steps=2):
    """Everybody writes to a cell of its own: one trace."""
    shared = Shared(cpus)

    def of(number):
        cell = shared.variable(f"cell{number}")

        async def write():
            for step in range(steps):
                await cell.write(step)

        return write

    return shared.program(*(of(number) for number in range(cpus)))


def readers(count):
    """The program readers(n) of the POPL 2014 paper: one writer, n readers, 2^n traces."""
    shared = Shared(count + 1)
    cell = shared.variable("x")

    async def write():
        await cell.write(1)

    async def read():
        await cell.read()

    return shared.program(write, *[read] * count)


def lastzero(count):
    """The program lastzero(n) of the same paper: somebody looks for the last zero while n others fill an array."""
    shared = Shared(count + 1)
    array = [shared.variable(f"array{number}") for number in range(count + 1)]

    async def look():
        at = count
        while await array[at].read() != 0:
            at -= 1

    def of(number):
        async def fill():
            await array[number].write(await array[number - 1].read() + 1)

        return fill

    return shared.program(look, *(of(number) for number in range(1, count + 1)))


def indexer(cpus, size=128, each=4):
    """The program indexer(n), from Flanagan and Godefroid (POPL 2005): a hash table filled with compare-and-swap."""
    shared = Shared(cpus)
    table = [shared.variable(f"table{number}") for number in range(size)]

    def of(cpu):
        async def insert():
            for message in range(1, each + 1):
                word = message * 11 + cpu
                slot = word * 7 % size
                while not await table[slot].compare_and_swap(0, word):
                    slot = (slot + 1) % size

        return insert

    return shared.program(*(of(number) for number in range(cpus)))


def filesystem(cpus, blocks=26, inodes=32):
    """The program filesystem(n) of the same authors: an inode each, and blocks that are looked for."""
    shared = Shared(cpus)
    inode_locks = [shared.mutex(f"inode lock {number}") for number in range(inodes)]
    inode = [shared.variable(f"inode {number}") for number in range(inodes)]
    block_locks = [shared.mutex(f"block lock {number}") for number in range(blocks)]
    busy = [shared.variable(f"busy {number}", False) for number in range(blocks)]

    def of(cpu):
        async def create():
            i = cpu % inodes
            await inode_locks[i].lock()
            if await inode[i].read() == 0:
                block = i * 2 % blocks
                while True:
                    await block_locks[block].lock()
                    if not await busy[block].read():
                        await busy[block].write(True)
                        await inode[i].write(block + 1)
                        await block_locks[block].unlock()
                        break
                    await block_locks[block].unlock()
                    block = (block + 1) % blocks
            await inode_locks[i].unlock()

        return create

    return shared.program(*(of(number) for number in range(cpus)))


def turns(one, other):
    """Two CPUs write to one cell so many times each."""
    shared = Shared(2)
    cell = shared.variable("cell")

    def of(times):
        async def write():
            for _ in range(times):
                await cell.write(times)

        return write

    return shared.program(of(one), of(other))


def mutexes(cpus):
    """Everybody takes one mutex once: n! orders."""
    shared = Shared(cpus)
    mutex = shared.mutex("m")

    async def enter():
        await mutex.lock()
        await mutex.unlock()

    return shared.program(*[enter] * cpus)


def pairs(count):
    """n cells, and two CPUs that write to each: the orders multiply."""
    shared = Shared(2 * count)

    def of(number):
        cell = shared.variable(f"cell{number}")

        async def write():
            await cell.write(1)

        return write

    functions = [of(number) for number in range(count)]
    return shared.program(*functions, *functions)


def semaphore(writing, reading):
    """Writers of a semaphore in every order, and each reader in one of the gaps between them."""
    shared = Shared(writing + reading)
    sem = shared.rwsem("sem")

    async def write():
        await sem.down_write()
        await sem.up_write()

    async def read():
        await sem.down_read()
        await sem.up_read()

    return shared.program(*[write] * writing, *[read] * reading)


def adders(cpus):
    """Everybody adds to one cell: every order."""
    shared = Shared(cpus)
    cell = shared.variable("sum")

    async def add():
        await cell.add(1)

    return shared.program(*[add] * cpus, check=lambda end: None if end["sum"] == cpus else "lost")


def store_buffers():
    """Two cells, each CPU writes one and reads the other: three of the four orders are possible."""
    shared = Shared(2)
    x, y = shared.variable("x"), shared.variable("y")

    async def first():
        await x.write(1)
        await y.read()

    async def second():
        await y.write(1)
        await x.read()

    return shared.program(first, second)


def waiters(cpus):
    """Everybody waits for the first one's word: one trace."""
    shared = Shared(cpus)
    word = shared.variable("word")

    async def say():
        await word.write(1)

    async def hear():
        await word.wait_for(1)

    return shared.program(say, *[hear] * (cpus - 1))


KNOWN = [
    *((writers, (n,), factorial(n)) for n in (1, 2, 3, 4, 5)),
    *((independent, (n,), 1) for n in (1, 2, 5, 9)),
    *((readers, (n,), 2**n) for n in (1, 2, 8)),
    *((lastzero, (n,), 2 ** (n - 2) * (n + 3)) for n in (2, 3, 5, 7, 10)),
    *((indexer, (n,), 8 ** max(0, n - 11)) for n in (2, 11, 12, 13)),
    *((filesystem, (n,), 2 ** max(0, n - 13)) for n in (13,)),
    (filesystem, (14,), 2),
    (filesystem, (16,), 8),
    *((turns, (a, b), comb(a + b, a)) for a, b in ((1, 1), (2, 3), (4, 4))),
    *((mutexes, (n,), factorial(n)) for n in (2, 3, 4, 5)),
    *((pairs, (n,), 2**n) for n in (1, 2, 3, 4)),
    *((semaphore, (w, r), factorial(w) * (w + 1) ** r) for w, r in ((1, 3), (2, 2), (3, 1), (0, 4))),
    *((adders, (n,), factorial(n)) for n in (2, 4)),
    (store_buffers, (), 3),
    (waiters, (4,), 1),
]


@pytest.mark.parametrize(
    ("made", "size", "traces"), KNOWN, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_the_number_of_traces_is_the_known_one(made, size, traces):
    """One complete execution for each trace, none blocked, none redundant."""
    verdict = ptwalk.explore(made(*size), stop_at_first=False)
    assert (verdict.outcome, verdict.executions, verdict.blocked) == ("safe", traces, 0)


@pytest.mark.parametrize(("cpus", "steps"), [(2, 2), (3, 2), (4, 3), (6, 4)])
def test_interleavings_of_independent_cpus_are_multinomial(cpus, steps):
    """(n·k)! / k!^n, by both engines that add them up; few of them also by running each."""
    known = factorial(cpus * steps) // factorial(steps) ** cpus
    for engine in ("dpor", "states"):
        assert ptwalk.explore(independent(cpus, steps), engine).interleavings == known
    if known < 1_000:
        assert ptwalk.explore(independent(cpus, steps), "brute").executions == known


@pytest.mark.parametrize(
    ("made", "size"),
    [
        (writers, (4,)),
        (readers, (3,)),
        (lastzero, (3,)),
        (mutexes, (3,)),
        (semaphore, (1, 2)),
        (waiters, (3,)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_brute_force_counts_the_same_traces(made, size):
    """The engine that runs every interleaving stands for as many of them as the other two say."""
    counts = [ptwalk.explore(made(*size), engine) for engine in ("dpor", "states", "brute")]
    assert len({(verdict.outcome, verdict.interleavings or verdict.executions) for verdict in counts}) == 1
