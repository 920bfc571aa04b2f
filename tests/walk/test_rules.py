"""The table of which walk is safe against what, in the kernels where the answer changes."""

from typing import Any

import pytest

from ptwalk.actors.collapse_file import collapse_pte_mapped_thp, retract_page_tables
from ptwalk.actors.exit import exit_mm
from ptwalk.actors.khugepaged import collapse_huge_page
from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.actors.munmap import munmap
from ptwalk.walk import broken, damon, gup_fast, readers
from ptwalk.walk.rmap import folio_referenced

CHANGERS: dict[str, Any] = {
    "munmap": lambda race: munmap(race.mm, race.start, race.end),
    "collapse": lambda race: collapse_huge_page(race.mm, race.start),
    "retract": lambda race: retract_page_tables(race.kernel, race.file, 0),
    "dontneed": lambda race: madvise_dontneed(race.mm, race.start, race.end),
    "exit": lambda race: exit_mm(race.mm),
}

TABLE: list[tuple[Any, str, str, dict[str, Any], str]] = [
    # walker, against, release, choices, outcome
    (broken.walk_with_ptl_only, "munmap", "6.1", {}, "bug"),
    (broken.walk_with_ptl_only, "munmap", "5.15.0", {"preemptible": False}, "bug"),
    (broken.walk_with_ptl_only, "munmap", "7.1", {}, "bug"),
    (broken.walk_with_ptl_only, "munmap", "7.1", {"preemptible": False}, "safe"),
    (broken.walk_with_ptl_only, "retract", "5.15.0", {}, "bug"),
    (damon.damon_va_mkold_v34, "munmap", "5.15.0", {}, "bug"),
    (damon.damon_va_mkold_v34, "munmap", "6.6", {}, "bug"),
    (
        damon.damon_va_mkold_v34,
        "munmap",
        "7.1",
        {},
        "bug",
    ),  # it brings the helper of its day, which never looks back
    (damon.damon_va_mkold_v34, "munmap", "7.1", {"alone": True}, "bug"),  # upper tables go too
    (damon.damon_va_mkold_v34, "exit", "6.1", {}, "bug"),
    (damon.damon_va_mkold_write_locked, "munmap", "5.15.0", {}, "safe"),
    (damon.damon_va_mkold_write_locked_lookup, "munmap", "5.15.0", {}, "safe"),
    (damon.damon_va_mkold, "munmap", "5.15.0", {}, "safe"),
    (damon.damon_va_mkold, "collapse", "5.15.0", {}, "safe"),
    (damon.damon_va_mkold, "retract", "6.6", {}, "safe"),
    (damon.damon_va_mkold, "dontneed", "7.1", {}, "safe"),
    (broken.walk_read_locked, "munmap", "5.15.0", {}, "safe"),
    (broken.walk_read_locked, "dontneed", "6.14", {}, "safe"),
    (broken.walk_ignoring_vmas, "munmap", "6.1", {}, "bug"),
    (broken.walk_ignoring_vmas, "munmap", "7.1", {"alone": True}, "bug"),
    (broken.walk_with_stale_vma, "munmap", "6.1", {}, "bug"),
    (broken.walk_with_revalidated_vma, "munmap", "6.1", {}, "safe"),
    (broken.peek_write_locked_ignoring_vmas, "munmap", "5.15.0", {}, "safe"),
    (broken.peek_write_locked_ignoring_vmas, "retract", "5.15.0", {}, "safe"),
    (broken.peek_write_locked_ignoring_vmas, "retract", "6.6", {}, "bug"),
    (broken.walk_write_locked_ignoring_vmas, "retract", "6.6", {}, "safe"),
    (broken.walk_under_rcu, "munmap", "6.1", {}, "bug"),
    (broken.walk_under_rcu, "munmap", "6.1", {"table_free": "rcu"}, "safe"),
    (broken.walk_under_rcu, "munmap", "6.1", {"table_free": "rcu", "batch_allocation_fails": True}, "bug"),
    (broken.walk_under_rcu, "munmap", "7.1", {"batch_allocation_fails": True}, "safe"),
    (broken.walk_with_irqs_off, "munmap", "6.1", {}, "safe"),
    (broken.walk_with_irqs_off, "munmap", "6.1", {"cpumask": (1,)}, "bug"),  # another process's mm: no IPI
    (broken.walk_without_locks, "munmap", "6.1", {}, "bug"),
    (gup_fast.get_user_page_fast, "munmap", "5.15.0", {}, "safe"),
    (gup_fast.gup_fast_irqs_on, "munmap", "5.15.0", {}, "bug"),
    (gup_fast.get_user_page_fast, "munmap", "6.1", {"format": "arm64-4k-48"}, "safe"),
    (gup_fast.get_user_page_fast, "retract", "5.15.0", {"format": "arm64-4k-48"}, "bug"),
    (gup_fast.get_user_page_fast, "retract", "5.15.85", {"format": "arm64-4k-48"}, "safe"),
    (gup_fast.get_user_page_fast, "retract", "5.15.0", {}, "safe"),
]


@pytest.mark.parametrize(
    ("walker", "against", "release", "choices", "outcome"),
    TABLE,
    ids=[f"{w.__name__}-{a}-{r}-{'-'.join(map(str, c.values()))}" for w, a, r, c, _ in TABLE],
)
def test_walker_against_changer(
    race: Any, walker: Any, against: str, release: str, choices: dict[str, Any], outcome: str
) -> None:
    """Each row searched to the end, or the bug found."""
    setup = race(release, file=against == "retract", **choices)
    found = setup.run(lambda race: walker(race.mm, race.addr), CHANGERS[against])
    assert found.outcome == outcome


@pytest.mark.parametrize(("release", "outcome"), [("5.15.0", "bug"), ("5.15.85", "safe"), ("7.1", "safe")])
def test_hole_walk(race: Any, release: str, outcome: str) -> None:
    """5.15.0 goes down into tables of a hole while munmap, downgraded, frees them."""
    found = race(release, alone=True).run(
        lambda race: readers.walk_hole(race.mm, race.start, race.end), CHANGERS["munmap"]
    )
    assert found.outcome == outcome


@pytest.mark.parametrize(("release", "outcome"), [("5.15.0", "bug"), ("5.15.85", "safe"), ("6.1", "safe")])
def test_ptdump_of_a_user_mm(race: Any, release: str, outcome: str) -> None:
    """The dump ignores VMAs; with mmap_lock for reading that is not enough."""
    found = race(release).run(lambda race: readers.ptdump(race.mm, race.start, race.end), CHANGERS["munmap"])
    assert found.outcome == outcome


@pytest.mark.parametrize(("release", "outcome"), [("5.15.0", "bug"), ("5.15.85", "safe"), ("6.6", "safe")])
def test_reverse_map_walk_against_collapse_of_another_page(race: Any, release: str, outcome: str) -> None:
    """5.15.0 freed the table of a file mapping under a reverse-map walker that held only the i_mmap lock."""
    setup = race(release, file=True)
    huge = setup.kernel.machine.new_frame("huge", "page")
    found = setup.run(
        lambda race: folio_referenced(race.file, race.page, 0x5000),
        lambda race: collapse_pte_mapped_thp(race.mm, race.addr, huge),
    )
    assert found.outcome == outcome


@pytest.mark.parametrize("release", ["5.15.0", "6.1", "6.6", "7.1"])
def test_reverse_map_walk_against_munmap(race: Any, release: str) -> None:
    """The i_mmap lock keeps munmap from free_pgtables for as long as the walk lasts."""
    found = race(release, file=True).run(
        lambda race: folio_referenced(race.file, race.page, 0x5000), CHANGERS["munmap"]
    )
    assert found.outcome == "safe"


def test_readers_give_what_is_mapped(race: Any) -> None:
    """mincore and pagemap alone: the one page, at its physical address."""
    results: list[Any] = []

    async def look(race: Any) -> None:
        results.append(await readers.mincore(race.mm, race.start, race.end))
        results.append(await readers.pagemap(race.mm, race.start, race.end))

    async def nothing(race: Any) -> None:
        return

    setup = race()
    assert setup.run(look, nothing).outcome == "safe"
    assert results[:2] == [[True], [setup.page.pa]]
