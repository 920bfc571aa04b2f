"""Somebody's own walker: verdicts like everybody's, and every slip told in one kind message."""

import functools
import random

import pytest

import ptwalk
from ptwalk.actors.fault import page_fault
from ptwalk.kernel import (
    find_vma,
    irqs_off,
    is_table,
    local_irq_disable,
    lock_vma_under_rcu,
    mm_find_pmd,
    mmap_read_lock,
    mmap_read_unlock,
    offset_lockless,
    pmd_lockptr,
    pte_offset_map_lock,
    pte_unmap_unlock,
    rcu_read_lock,
    vma_end_read,
)
from ptwalk.trials.own_walker import NotAWalker, Row


async def unlocked(mm, addr):
    """Only the page-table lock."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return None
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return None
    entry = await pte.read()
    await pte_unmap_unlock(mm, ptl)
    return entry.accessed


async def locked(mm, addr):
    """In a VMA, under mmap_lock."""
    await mmap_read_lock(mm)
    vma = await find_vma(mm, addr)
    young = await unlocked(mm, addr) if vma is not None and addr in vma else None
    await mmap_read_unlock(mm)
    return young


async def forgets_await(mm, addr):
    """The lock is never taken."""
    mmap_read_lock(mm)
    await mmap_read_unlock(mm)


async def forgets_await_of_a_call(mm, addr):
    """The call gives a coroutine."""
    pmd = mm_find_pmd(mm, addr)
    return pmd.read()


async def loops(mm, addr):
    """Never awaits."""
    while True:
        addr += 1


async def goes_round(mm, addr):
    """Awaits, and never ends."""
    while True:
        await mm_find_pmd(mm, addr)


async def raises(mm, addr):
    """Divides by zero."""
    await mm_find_pmd(mm, addr)
    return 1 // 0


async def keeps(mm, addr):
    """Keeps mmap_lock."""
    await mmap_read_lock(mm)


async def drops(mm, addr):
    """Drops what it does not hold."""
    await mmap_read_unlock(mm)


async def leaves_irqs_off(mm, addr):
    """Leaves interrupts off."""
    await local_irq_disable(mm.machine)


async def sleeps(mm, addr):
    """Takes a sleeping lock under a spinlock."""
    async with pmd_lockptr(mm, await mm_find_pmd(mm, addr)):
        await mmap_read_lock(mm)
        await mmap_read_unlock(mm)


async def stores(mm, addr):
    """Interrupts off, and a store all the same."""
    async with irqs_off(mm.machine):
        pmd = await mm_find_pmd(mm, addr)
        await offset_lockless(pmd, await pmd.read(), addr).test_and_clear_young()


async def locks_twice(mm, addr):
    """Takes one spinlock twice."""
    ptl = pmd_lockptr(mm, await mm_find_pmd(mm, addr))
    async with ptl, ptl:
        pass


async def zaps(mm, addr):
    """Clears a mapping and keeps the page's reference."""
    await mmap_read_lock(mm)
    pte, ptl = await pte_offset_map_lock(mm, await mm_find_pmd(mm, addr), addr)
    await pte.get_and_clear()
    await pte_unmap_unlock(mm, ptl)
    await mmap_read_unlock(mm)


DICE = random.Random(7)  # the same throws in every run of the tests, another at every call


async def throws_dice(mm, addr):
    """Uses something besides the simulated memory."""
    for _ in range(DICE.randrange(1, 50)):
        await mm_find_pmd(mm, addr)


async def does_nothing(mm, addr):
    """Touches no table."""


async def one_argument(mm):
    """Takes too little."""


async def yields(mm, addr):
    """An async generator."""
    yield addr


async def unlocks_nothing(mm, addr):
    """Hands None to an unlock, as after a pte_offset_map_lock that found nothing."""
    await pte_unmap_unlock(mm, None)


async def takes_the_mm_for_the_machine(mm, addr):
    """RCU is the machine's."""
    await rcu_read_lock(mm)


async def changes_what_is_not(mm, addr):
    """No entry can be made blue."""
    pmd = await mm_find_pmd(mm, addr)
    await pmd.update("mkblue")


async def of_a_vma(vma, addr):
    """Wants its VMA from the caller."""


async def the_other_way_round(addr, mm):
    """Address first."""


async def of_a_range(mm, start, end):
    """Takes more than an address."""


class Ops:
    """A walker with its callbacks."""

    async def __call__(self, mm, addr):
        await locked(mm, addr)


async def faults(mm, addr):
    """Does what a page fault does, and so allocates."""
    await page_fault(mm, addr)


def plain(mm, addr):
    """Not async."""


def test_a_walker_without_the_lock_fails_and_one_with_it_does_not():
    """The verdicts of a scenario, for 15 lines of one's own; places are lines of one's own file."""
    verdict = ptwalk.check_walker(unlocked, against="munmap", release="6.1")
    assert verdict.outcome == "bug" and verdict.switches == 2
    assert "test_own_walker.py" in str(verdict.report)
    assert ptwalk.check_walker(locked, against="munmap", release="6.1").outcome == "safe"


def test_a_list_or_all_gives_a_row():
    """One verdict for each changer that this kernel has."""
    row = ptwalk.check_walker(unlocked, against=["munmap", "munmap-neighbour"], release="5.15.0")
    assert isinstance(row, Row) and row.outcome == "bug"
    assert [verdict.outcome for verdict in row.values()] == ["bug", "safe"]
    everything = ptwalk.check_walker(locked, against="all", release="7.1")
    assert everything.outcome == "safe" and "reclaim" in everything
    assert "reclaim" not in ptwalk.check_walker(locked, against="all", release="6.1")
    assert "munmap" in str(row) and set(row.to_json()) == set(row)


def test_a_partial_is_a_walker_too():
    """functools.partial, methods and objects that are called are taken."""

    async def with_flag(mm, addr, flag):
        return await locked(mm, addr) if flag else None

    assert ptwalk.check_walker(functools.partial(with_flag, flag=True)).outcome == "safe"


def test_a_walker_that_touches_nothing_is_told_so():
    """Its verdict is safe, and says that it says nothing."""
    verdict = ptwalk.check_walker(does_nothing)
    assert verdict.outcome == "safe" and "says nothing" in verdict.assumptions[-1]


@pytest.mark.parametrize(
    ("walker", "words"),
    [
        (plain, "is not async: begin it with 'async def plain(mm, addr)'"),
        (forgets_await, "forgets 'await'"),
        (forgets_await_of_a_call, "forgets 'await'"),
        (loops, "without an operation"),
        (goes_round, "round in circles"),
        (raises, "ZeroDivisionError"),
        (throws_dice, "besides the simulated memory"),
        (one_argument, "cannot be called with an address space and an address"),
        (of_a_range, "give whatever else it takes a default"),
        (of_a_vma, "looks the VMA up itself"),
        (the_other_way_round, "the address space comes first"),
        (Ops, "Ops is a class; hand in an object of it"),
        (unlocks_nothing, "awaits a step of kind 'unlock' on something it cannot be done on"),
        (takes_the_mm_for_the_machine, "or the mm where the machine is asked for?"),
        (changes_what_is_not, "there is no change 'mkblue' of an entry; there are mkold"),
        (yields, "has a yield in it"),
        (3, "a walker is a function"),
        (None, "a walker is a function"),
    ],
)
def test_slips_are_told(walker, words):
    """What a learner gets wrong is told in one message with its place, never as a race."""
    with pytest.raises(NotAWalker) as told:
        ptwalk.check_walker(walker)
    assert words in str(told.value), str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("walker", "words"),
    [
        (keeps, "has ended"),
        (drops, "does not hold"),
        (leaves_irqs_off, "interrupts left off"),
        (sleeps, "sleeping while atomic"),
        (stores, "mapping changed without its lock"),
        (locks_twice, "deadlock"),
        (zaps, "leaked page reference"),
    ],
)
def test_a_rule_broken_alone_is_a_bug(walker, words):
    """Nobody else is needed for it; the verdict has the report, and says that it happens alone too."""
    verdict = ptwalk.check_walker(walker, against="munmap-neighbour")
    assert verdict.outcome == "bug" and words in str(verdict.report)
    assert walker.__name__ in verdict.assumptions[-1]


def test_who_ended_with_a_lock_is_named():
    """Somebody waits for a lock that nobody will drop: the CPU that has ended is part of the story."""

    async def keeps_sometimes(mm, addr):
        await mmap_read_lock(mm)
        vma = await find_vma(mm, addr)
        if vma is not None and addr in vma:
            await mmap_read_unlock(mm)

    verdict = ptwalk.check_walker(keeps_sometimes, against="munmap-last")
    assert verdict.outcome == "bug"
    assert "CPU 0 (keeps_sometimes) has ended" in str(verdict.report)


def test_vma_locks_on_a_kernel_without_them():
    """lock_vma_under_rcu gives None there, as its stub does: the way back to mmap_lock is taken."""

    async def falls_back(mm, addr):
        vma = await lock_vma_under_rcu(mm, addr)
        if vma is None:
            return await locked(mm, addr)
        young = await unlocked(mm, addr)
        await vma_end_read(vma)
        return young

    for release in ("6.1", "6.6", "7.1"):
        row = ptwalk.check_walker(falls_back, against="all", release=release)
        assert row.outcome == "safe", row


def test_a_walk_that_was_started_is_told():
    """The coroutine instead of the function."""
    with pytest.raises(NotAWalker, match="started already"):
        ptwalk.check_walker(locked(None, 0))


def test_unknown_changers_and_kernels_are_told():
    """With what there is."""
    with pytest.raises(NotAWalker, match="munmap"):
        ptwalk.check_walker(locked, against="gremlin")
    with pytest.raises(NotAWalker, match="newer release"):
        ptwalk.check_walker(locked, against="reclaim", release="5.15.0")


@pytest.mark.parametrize("kernel", [{}, {"arch": "arm64"}, {"own": True, "preemptible": True}])
def test_the_replay_line_of_a_nested_function_is_python(kernel):
    """A walker that is no function of a file's top level is replayed from Python; the line is whole."""

    async def nested(mm, addr):
        await unlocked(mm, addr)

    verdict = ptwalk.check_walker(nested, against="munmap", release="6.1", **kernel)
    line = verdict.report.replay
    assert line.startswith("ptwalk.replay(ptwalk.trials.own_scenario(nested, ")
    assert eval(line, {"ptwalk": ptwalk, "nested": nested}).report.title == verdict.report.title


@pytest.mark.parametrize(
    "kernel",
    [{"release": "6.1", "arch": "arm64"}, {"release": "6.6", "flush": "broadcast"}, {"table_free": "rcu"}],
)
def test_a_replay_line_says_the_whole_kernel(kernel):
    """Release, architecture and axes are in the name, in the way that names are read."""
    verdict = ptwalk.explore("munmap-vs-damon-v34", **kernel)
    name = verdict.report.replay.split()[2]
    assert ptwalk.replay(name, verdict.schedule).report.title == verdict.report.title


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ptwalk.check_walker(locked, against="mummap"), "did you mean munmap?"),
        (lambda: ptwalk.check_walker(locked, against=None), "takes a changer's name"),
        (lambda: ptwalk.explore("munmap-vs-damon-v34", release="6.12"), "between 6.6 and 6.14: try both"),
        (lambda: ptwalk.explore("munmap-vs-damon-v34", release=6.1), 'release="6.1"'),
        (lambda: ptwalk.check_walker(locked, against="khugepaged"), "did you mean collapse-anon?"),
        (lambda: ptwalk.check_walker(locked, against=[]), "names nobody"),
        (lambda: ptwalk.check_walker(locked, against=["munmap", "reclaim"]), "has no 'reclaim'"),
        (lambda: ptwalk.explore("munmap-vs-damon-v34", preemptable=True), "did you mean preemptible?"),
    ],
)
def test_near_names_are_offered(call, words):
    """A wrong name gets the nearest right one."""
    with pytest.raises(ptwalk.PtwalkError) as told:
        call()
    assert words in str(told.value)


def test_objects_and_those_that_allocate_are_taken():
    """An object that is called, and a walker that needs a page of its own."""
    assert ptwalk.check_walker(Ops()).outcome == "safe"
    assert ptwalk.check_walker(faults, "dontneed", own=True).outcome == "safe"


def test_a_file_and_its_function_in_one_text(tmp_path):
    """As on the command line; what C calls otherwise is told by its name here."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from ptwalk.kernel import vma_lookup\n\n\nasync def walk(mm, addr):\n    await vma_lookup(mm, addr)\n"
    )
    assert ptwalk.check_walker(f"{file}:walk").outcome == "safe"
    file.write_text("\nfrom ptwalk.kernel import pte_present\n")
    with pytest.raises(
        NotAWalker, match=r"mine.py, line 2: ptwalk.kernel has no pte_present; here it is .*linux_present"
    ):
        ptwalk.check_walker(f"{file}:walk")
    file.write_text("from ptwalk.kernel import mmap_read_look\n")
    with pytest.raises(NotAWalker, match="did you mean mmap_read_lock"):
        ptwalk.check_walker(f"{file}:walk")
