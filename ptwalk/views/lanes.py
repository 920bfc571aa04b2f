"""An address space cut into lanes: one for each lowest table or group of huge pages, few enough to read.

Takes `trace.MappedRange` and `trace.TableNode` values; says nothing of how a lane is drawn. A space with
more lanes than fit is folded, the most crowded table first, so that every table stays inside some lane.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ptwalk.arch import Format
from ptwalk.trace.space import ALIAS, MappedRange, TableNode


@dataclass(frozen=True, slots=True)
class Lane:
    """What one row shows: the tables on the way down to it, root first, and what is mapped there.

    `path` ends with the table that holds the mapped entries, or with the last one not folded away.
    `start` and `end` are what the row covers. `tables` counts the tables folded below the end of `path`.
    """

    path: tuple[TableNode, ...]
    start: int
    end: int
    ranges: tuple[MappedRange, ...]
    tables: int = 0

    @property
    def pages(self) -> dict[int, int]:
        """How many pages of each size the lane maps, largest size first."""
        counts: Counter[int] = Counter()
        for run in self.ranges:
            if run.page_size:
                counts[run.page_size] += run.pages
        return dict(sorted(counts.items(), reverse=True))

    @property
    def rights(self) -> list[str]:
        """The different rights granted in the lane, in the order of addresses."""
        different = dict.fromkeys(run.rights for run in self.ranges if run.kind != ALIAS)
        return list(dict.fromkeys(map(str, different)))

    @property
    def aliases(self) -> tuple[MappedRange, ...]:
        """The ranges of the lane that repeat a table drawn elsewhere."""
        return tuple(run for run in self.ranges if run.kind == ALIAS)


def lanes(
    fmt: Format, ranges: Sequence[MappedRange], tables: Sequence[TableNode], limit: int = 64
) -> list[Lane]:
    """The address space as at most about `limit` lanes in the order of addresses."""
    paths = _paths(tables)
    runs = sorted(ranges, key=lambda run: run.start)
    starts = [run.start for run in runs]
    children: dict[int, list[int]] = {}
    for path in paths:
        if len(path) > 1:
            children.setdefault(id(path[-2]), []).append(path[-1].covers_start)
    found: list[Lane] = []
    for path in paths:
        table = path[-1]
        first = bisect_left(starts, table.covers_start)
        if first and runs[first - 1].end > table.covers_start:
            first -= 1
        near = runs[first : bisect_right(starts, table.covers_end - 1)]
        below = sorted(children.get(id(table), ()))
        size = fmt.level(table.level).size
        begin = table.covers_start
        mine = tuple(_clipped(run, table) for run in near if _held(run, max(run.start, begin), size, below))
        if not below:
            found.append(Lane(path, table.covers_start, table.covers_end, mine))
        else:
            found += _groups(path, mine, below)
    found.sort(key=lambda lane: (lane.start, lane.path[-1].depth))
    return _folded(found, limit)


def _paths(tables: Sequence[TableNode]) -> list[tuple[TableNode, ...]]:
    # The parent of a table is the one a level up that covers it where it is first reached.
    by_depth: dict[int, list[TableNode]] = {}
    for table in sorted(tables, key=lambda table: (table.depth, table.covers_start)):
        by_depth.setdefault(table.depth, []).append(table)
    known: dict[int, tuple[TableNode, ...]] = {}
    paths = []
    for depth in sorted(by_depth):
        above = by_depth.get(depth - 1, [])
        starts = [table.covers_start for table in above]
        for table in by_depth[depth]:
            position = bisect_right(starts, table.covers_start) - 1
            parent = above[position] if position >= 0 else None
            inside = parent is not None and table.covers_start < parent.covers_end
            path = (*known[id(parent)], table) if inside else (table,)
            known[id(table)] = path
            paths.append(path)
    return paths


def _held(run: MappedRange, start: int, size: int, below: list[int]) -> bool:
    # A table's own entries map a run if they are large enough, or if they lead to a table drawn elsewhere:
    # then no lower table begins around the run, or around the part of it that starts here.
    if run.page_size >= size and run.kind != ALIAS:
        return True
    before = bisect_right(below, start) - 1
    return before < 0 or start >= below[before] + size


def _clipped(run: MappedRange, table: TableNode) -> MappedRange:
    # A run that goes on into the next table is counted in each for its own part.
    if run.start >= table.covers_start and run.end <= table.covers_end:
        return run
    start, end = max(run.start, table.covers_start), min(run.end, table.covers_end)
    return replace(run, start=start, end=end, physical=run.physical + start - run.start)


def _groups(path: tuple[TableNode, ...], runs: tuple[MappedRange, ...], below: list[int]) -> list[Lane]:
    # Huge pages of one table, cut where a lower table lies between them.
    groups: dict[tuple[int, str, int], list[MappedRange]] = {}
    for run in runs:
        alias = run.physical if run.kind == ALIAS else run.page_size
        groups.setdefault((bisect_right(below, run.start), run.kind, alias), []).append(run)
    return [Lane(path, group[0].start, group[-1].end, tuple(group)) for group in groups.values()]


def _folded(found: list[Lane], limit: int) -> list[Lane]:
    while len(found) > limit:
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, lane in enumerate(found):
            if len(lane.path) > 1:
                groups.setdefault(tuple(table.address for table in lane.path[:-1]), []).append(number)
        # Deep groups first: they lose the least; among these the most crowded.
        crowded = [(len(key), len(members), key) for key, members in groups.items() if len(members) > 1]
        if not crowded:
            return found
        numbers = groups[max(crowded)[2]]
        members = [found[number] for number in numbers]
        whole = Lane(
            members[0].path[:-1],
            members[0].start,
            max(lane.end for lane in members),
            tuple(run for lane in members for run in lane.ranges),
            sum(lane.tables + 1 for lane in members),
        )
        inside = set(numbers)
        found = [
            whole if number == numbers[0] else lane
            for number, lane in enumerate(found)
            if number == numbers[0] or number not in inside
        ]
    return found
