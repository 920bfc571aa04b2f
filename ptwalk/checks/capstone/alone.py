"""`hot_pages` with nobody else there: on the pages of one table, on a huge page, and over several tables.

Knows the replay, not the sentences that are judged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ptwalk.checks import race
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.explore.limits import Limits
from ptwalk.explore.replay import Replay, replay_on
from ptwalk.kernel.mm import Mm
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import Ground, anonymous, home, span
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage

HotPages = Callable[[Any, int, int, int], Awaitable[Any]]
PAGE = 4096
# Whoever goes over a huge page in steps of 4 KiB is slow, and not wrong.
LONG, DEEP = "0x20000", Limits(depth=20_000)
_NOTHING = object()


def _stopped(done: Replay) -> str:
    """Why a run alone did not come to its end."""
    if done.report is not None:
        return race.one_line(str(done.report))
    return f"after {len(done.steps)} steps your function was not through, or it waits for ever."


class Trial:
    """One run of `hot_pages` with nobody else there: the pages it gave, its steps, the words afterwards."""

    def __init__(
        self, hot_pages: HotPages, pages: int, budget: int, *, huge: bool = False, release: str = "5.15.0"
    ) -> None:
        self.given: Any = _NOTHING
        self.pages, self.huge = pages, huge
        grounds: list[Ground] = []

        async def run(mm: Mm, addr: int) -> None:
            self.given = await hot_pages(mm, addr, addr + (span(mm) if huge else pages * PAGE), budget)

        def lay_out(stage: Stage) -> None:
            ground = anonymous(stage, (), whole=True, pages=pages, huge=huge)
            grounds.append(ground)
            self._special(ground)
            stage.run(WALKER, run, ground.mm, ground.addr)

        scenario = Scenario("hot_pages alone", "", lay_out, Never(), cpus=(WALKER,), release=release)
        self.done: Replay = replay_on(scenario.build(), LONG, limits=DEEP)
        self.ground = grounds[0]
        self.addr = self.ground.addr
        if self.given is _NOTHING:
            raise NotYet(
                f"{'one huge page' if huge else f'{pages} pages'}, nobody else there: {_stopped(self.done)}"
            )

    def _special(self, ground: Ground) -> None:
        """Page 1 was not accessed, page 3 is swapped out, page 4 is PROT_NONE; the others are young and dirty."""
        if self.huge:
            return
        fmt = ground.mm.format
        table = ground.mm.initial_table(ground.addr, "pte")
        special: dict[int, Callable[[int], int]] = {
            1: lambda raw: fmt.mkold(raw, "pte"),
            3: lambda raw: fmt.make_swap(0, 77, "pte"),
            4: lambda raw: fmt.mkyoung(fmt.make_prot_none(0x41E5C000, "pte"), "pte"),
        }
        for index, change in special.items():
            if index < self.pages:
                place = fmt.index(ground.addr, "pte") + index
                table.contents[place] = change(table.contents[place])

    def entry(self, page: int, level: str = "pte", *, before: bool = False) -> Any:
        """An entry before or after the run."""
        mm = self.ground.mm
        table, place = mm.initial_table(self.addr, level), mm.format.index(self.addr, level) + page
        raw: Any = table.contents.get(place, 0)
        cell = table.entry_cells.get(place)
        if not before and cell is not None and self.done.steps and cell < len(self.done.steps[-1].after):
            raw = self.done.steps[-1].after[cell]
        return mm.format.decode(raw, level)


def over_tables(hot_pages: HotPages, budget: int, release: str) -> None:
    """A range over three tables: a small page, a huge one, a hole, and a VMA with two small ones."""
    given: list[Any] = [_NOTHING]
    places: list[tuple[int, ...]] = []

    def lay_out(stage: Stage) -> None:
        mm = stage.mm()
        huge = home(mm) + span(mm)
        before, after = huge - PAGE, huge + span(mm) + PAGE
        mm.map(before - PAGE, huge, populate=[before])
        mm.map(huge, huge + span(mm), populate=[huge], huge=True)
        mm.map(after, after + 2 * PAGE, populate=[after, after + PAGE])
        mm.watch(before - PAGE, after - PAGE)
        places.append((before, huge, after, after + PAGE))

        async def run(mm: Mm, addr: int) -> None:
            given[0] = await hot_pages(mm, before - PAGE, after + 3 * PAGE, budget)

        stage.run(WALKER, run, mm, before)

    scenario = Scenario("hot_pages wide", "", lay_out, Never(), cpus=(WALKER,), release=release)
    done = replay_on(scenario.build(), LONG, limits=DEEP)
    told = "the range goes over three tables: a page, a huge page, a hole, and a VMA with two pages."
    if given[0] is _NOTHING:
        raise NotYet(f"{told} There: {_stopped(done)}")
    if not isinstance(given[0], list):
        raise NotYet(f"{told} There your function gave {shown(given[0])}, not a list of addresses.")
    if given[0] != list(places[0]):
        names = ("the page before", "the huge page", "the first page after", "the second page after")
        lacking = [name for name, at in zip(names, places[0], strict=True) if at not in given[0]]
        extra = sum(at not in places[0] for at in given[0])
        raise NotYet(
            f"{told} You gave {len(given[0])} addresses. Lacking: {', '.join(lacking) or 'none'}; too many: {extra}."
        )
