"""Actors against each other and against hardware: faults, moves, splits, exits."""

from typing import Any

import pytest

from ptwalk.actors.collapse_file import collapse_file, collapse_pte_mapped_thp, retract_page_tables
from ptwalk.actors.exit import exit_mm
from ptwalk.actors.fault import page_fault
from ptwalk.actors.khugepaged import collapse_huge_page
from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.actors.mprotect import mprotect_readonly
from ptwalk.actors.mremap import mremap
from ptwalk.actors.munmap import munmap
from ptwalk.actors.stack import stack_fault
from ptwalk.actors.thp_split import split_thp
from ptwalk.actors.user import touch_twice
from ptwalk.walk.gup import get_user_page

RELEASES = ["5.15.0", "5.15.85", "6.1", "6.6", "6.14", "7.1"]
FAR = 1 << 30


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("other", ["munmap", "dontneed", "fault", "collapse", "split"])
def test_a_fault_survives_everybody(race: Any, release: str, other: str) -> None:
    """A fault at a fresh address races each actor in the same range and nobody touches a freed table."""
    setup = race(release, huge=other == "split")
    fresh = setup.start + 0x9000
    setup.mm.watch(fresh)
    against = {
        "munmap": lambda race: munmap(race.mm, race.start, race.end),
        "dontneed": lambda race: madvise_dontneed(race.mm, race.start, race.end),
        "fault": lambda race: page_fault(race.mm, fresh),
        "collapse": lambda race: collapse_huge_page(race.mm, race.start),
        "split": lambda race: split_thp(race.mm, race.start),
    }[other]
    assert setup.run(lambda race: page_fault(race.mm, fresh), against).outcome == "safe"


@pytest.mark.parametrize("release", RELEASES)
def test_hardware_walks_survive_munmap(race: Any, release: str) -> None:
    """The flush comes between the cut and the free: no paging-structure cache leads into freed memory."""
    setup = race(release, user=(0,))
    found = setup.run(
        lambda race: touch_twice(race.mm, race.addr), lambda race: munmap(race.mm, race.start, race.end)
    )
    assert found.outcome == "safe"


@pytest.mark.parametrize(
    ("release", "outcome"), [("6.1", "safe"), ("6.6", "bug"), ("6.14", "safe"), ("7.1", "safe")]
)
def test_mremap_against_retract(race: Any, release: str, outcome: str) -> None:
    """CVE-2024-50066: from 6.6 to 6.11 a pmd cleared meanwhile is moved as if it named physical page 0."""
    setup = race(release, file=True, alone=True)
    setup.mm.watch(setup.addr + FAR)
    found = setup.run(
        lambda race: mremap(race.mm, race.start, 1 << 21, race.start + FAR),
        lambda race: retract_page_tables(race.kernel, race.file, 0),
    )
    assert found.outcome == outcome


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("huge", [False, True])
def test_exit_after_a_collapse_or_split_leaves_nothing(race: Any, release: str, huge: bool) -> None:
    """One CPU changes, then the mm dies: every table and page of the mm is free at the end."""
    setup = race(release, huge=huge, alone=True)
    kernel, mm = setup.kernel, setup.mm

    async def live_and_die() -> None:
        if huge:
            await split_thp(mm, setup.start)
        else:
            await collapse_huge_page(mm, setup.start)
        await exit_mm(mm)

    kernel.machine.stock(0)
    program = kernel.program("life", [kernel.cpu("life", live_and_die)])
    memory = _run(program)
    states = {frame.number: frame.life_in(memory).state for frame in kernel.machine.frames()}
    waiting = set(memory[kernel.machine.callbacks])
    left = {number for number, state in states.items() if state in ("table", "page")} - waiting
    # a huge page that was split keeps the references of its unmapped parts
    assert left <= ({setup.page.number} if huge else set())


def test_collapse_file_for_the_caller_maps_the_huge_page(race: Any) -> None:
    """After MADV_COLLAPSE of a file the caller's pmd maps the huge page."""
    setup = race("6.1", file=True)
    kernel, mm = setup.kernel, setup.mm
    huge = kernel.machine.new_frame("huge", "page")
    pmd = mm.initial_table(setup.start, "pmd").entry(mm.format.index(setup.start, "pmd"), "pmd")

    async def collapse() -> None:
        await collapse_file(kernel, setup.file, 0x5000, [setup.page], target=mm, huge=huge)
        await retract_page_tables(kernel, setup.file, 0, target=mm, huge=huge)

    memory = _run(kernel.program("collapse", [kernel.cpu("collapse", collapse)]))
    entry = mm.format.decode(memory[pmd.cell], "pmd")
    assert entry.address == huge.pa
    assert setup.page.state_in(memory) == "freed"


def _run(program: Any) -> list[Any]:
    """Runs CPU 0 alone to its end; gives the memory vector."""
    memory = program.cells.memory()
    coroutine = program.cpus[0].start()
    result = None
    while True:
        try:
            step = coroutine.send(result)
        except StopIteration:
            memory += program.cells.initial[len(memory) :]
            return memory
        step.footprint(0)
        memory += program.cells.initial[len(memory) :]
        assert step.enabled(memory, 0), step.text()
        result = step.execute(memory, 0)


@pytest.mark.parametrize("release", RELEASES)
def test_write_protecting_races_a_write_fault(race: Any, release: str) -> None:
    """mprotect takes the write permission while a fault copies the page; nobody touches a freed table."""
    setup = race(release, user=(0,))

    async def write(race: Any) -> None:
        if not await touch_twice(race.mm, race.addr):
            await page_fault(race.mm, race.addr)

    found = setup.run(write, lambda race: mprotect_readonly(race.mm, race.start, race.end))
    assert found.outcome == "safe"


@pytest.mark.parametrize("release", RELEASES)
def test_get_user_page_faults_in_what_is_missing(race: Any, release: str) -> None:
    """The slow path against MADV_DONTNEED: it ends with a page, and no freed table is touched."""
    pinned: list[Any] = []

    async def pin(race: Any) -> None:
        pinned.append(await get_user_page(race.mm, race.addr, write=True))

    found = race(release).run(pin, lambda race: madvise_dontneed(race.mm, race.start, race.end))
    assert found.outcome == "safe"
    assert None not in pinned


@pytest.mark.parametrize(
    ("release", "downgrade", "outcome"),
    [
        ("5.15.0", "not below a growing stack", "safe"),
        ("5.15.0", "whenever asked", "bug"),
        ("6.6", "whenever asked", "safe"),
    ],
)
def test_a_stack_that_grows_into_a_range_being_unmapped(
    race: Any, release: str, downgrade: str, outcome: str
) -> None:
    """CVE-2020-29369: growing under the mmap lock for reading does not go with a downgraded munmap."""
    setup = race(release, alone=True, downgrade=downgrade)
    mm, fresh = setup.mm, setup.start + 0x9000
    mm.map(setup.end, setup.end + 0x1000, populate=[setup.end], flags=["VM_GROWSDOWN"])
    mm.watch(fresh)
    found = setup.run(lambda race: stack_fault(mm, fresh), lambda race: munmap(mm, setup.start, setup.end))
    assert found.outcome == outcome


@pytest.mark.parametrize(("locked", "outcome"), [(True, "safe"), (False, "bug")])
def test_the_page_lock_keeps_two_collapses_apart(race: Any, locked: bool, outcome: str) -> None:
    """From 6.6 on both cut the table under the page-table locks; the huge page's lock lets only one of them begin."""
    setup = race("6.6", file=True)
    huge = setup.kernel.machine.new_frame("huge", "page")
    found = setup.run(
        lambda race: collapse_pte_mapped_thp(race.mm, race.addr, huge),
        lambda race: retract_page_tables(race.kernel, race.file, 0, cache=huge if locked else None),
    )
    assert found.outcome == outcome
