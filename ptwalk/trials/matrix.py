"""The matrix: walker × changer × kernel release, each cell a proof or a counterexample.

Room: trials.  A cell is a small job that knows itself by names only, so it can be sent to any executor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.explore.limits import Limits
from ptwalk.kernel.config import PRESETS, arch_named
from ptwalk.scenarios import CHANGERS, WALKERS, pair
from ptwalk.scenarios.stage import FORMATS
from ptwalk.trace.verdict import Verdict
from ptwalk.trials.explore import explore

RELEASES = tuple(PRESETS)
MARKS = {"safe": "safe", "bug": "BUG", "incomplete": "?", "none": "-"}


class MatrixError(PtwalkError):
    """The matrix was asked for a walker, a changer or a release that there is not."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: who walks, who changes, on which kernel, and the verdict (None: that kernel has no such changer)."""

    walker: str
    changer: str
    release: str
    arch: str
    verdict: Verdict | None

    @property
    def outcome(self) -> str:
        """ "safe", "bug", "incomplete", or "none" where the changer does not exist."""
        return "none" if self.verdict is None else self.verdict.outcome

    @property
    def oracle(self) -> str:
        """Which oracle spoke; empty if none did."""
        return "" if self.verdict is None else str(getattr(self.verdict.report, "sanitizer", ""))

    @property
    def word(self) -> str:
        """What the table shows: "safe", the oracle of a bug, or "-"."""
        return self.oracle or MARKS[self.outcome]

    def to_json(self) -> dict[str, Any]:
        """The cell as JSON values."""
        return {
            "walker": self.walker,
            "changer": self.changer,
            "release": self.release,
            "arch": self.arch,
            "outcome": self.outcome,
            "verdict": None if self.verdict is None else self.verdict.to_json(),
        }


class Matrix(tuple[Cell, ...]):
    """The cells; prints as one table for each release."""

    __slots__ = ()

    def cell(self, walker: str, changer: str, release: str) -> Cell:
        """One cell by its names; raises `MatrixError` if it is not in this matrix."""
        for cell in self:
            if (cell.walker, cell.changer, cell.release) == (walker, changer, release):
                return cell
        raise MatrixError(f"this matrix has no cell {walker} × {changer} × {release}")

    def __str__(self) -> str:
        tables = []
        for release, arch in dict.fromkeys((cell.release, cell.arch) for cell in self):
            cells = {(c.walker, c.changer): c.word for c in self if (c.release, c.arch) == (release, arch)}
            walkers = list(dict.fromkeys(walker for walker, _ in cells))
            changers = list(dict.fromkeys(changer for _, changer in cells))
            rows = [[f"{release} {arch}", *walkers]]
            rows += [
                [changer, *(cells.get((walker, changer), "") for walker in walkers)] for changer in changers
            ]
            widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
            tables.append(
                "\n".join(
                    "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                    for row in rows
                )
            )
        return "\n\n".join(tables)

    __repr__ = __str__

    def to_json(self) -> list[dict[str, Any]]:
        """The cells as JSON values."""
        return [cell.to_json() for cell in self]


def matrix(
    walkers: Iterable[str] | str | None = None,
    changers: Iterable[str] | str | None = None,
    releases: Iterable[str] | str | None = None,
    *,
    arch: str = "x86-64",
    axes: Mapping[str, Any] | None = None,
    executor: Executor | None = None,
    limit: int | Limits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Matrix:
    """Tries every walker against every changer on every release: a proof or a counterexample in each cell.

    The names are those of `ptwalk.scenarios`' walkers and changers and of the release presets; None means all.
    `axes` are choices that all those kernels have.  `executor` is any `concurrent.futures.Executor`, such as a process
    pool or a cluster's; without one the cells are tried here, one after another.  `progress(done, total)` is called
    after each cell.  Interrupted, the cells that were not tried say so.  Raises `MatrixError` for a name that there
    is not.
    """
    arch = arch_named(arch)
    jobs = [
        (walker, changer, release, arch, limit, dict(axes or {}))
        for release in _chosen(releases, RELEASES, "release")
        for changer in _chosen(changers, CHANGERS, "changer")
        for walker in _chosen(walkers, WALKERS, "walker")
    ]
    if arch not in FORMATS:
        raise MatrixError(f"there is no architecture {arch!r}; there are {', '.join(FORMATS)}")
    untried = Verdict("incomplete", "dpor", limit="interrupted before it was tried")
    cells = [Cell(*job[:4], untried) for job in jobs]
    with suppress(KeyboardInterrupt):
        for done, (number, cell) in enumerate(_in_turn(jobs) if executor is None else _on(executor, jobs), 1):
            cells[number] = cell
            if progress is not None:
                progress(done, len(jobs))
    return Matrix(cells)


def _in_turn(jobs: Sequence[Any]) -> Iterator[tuple[int, Cell]]:
    for number, job in enumerate(jobs):
        cell = tried(*job)
        yield number, cell
        # The search of that cell made a verdict of it; the rest is not wanted either.
        if cell.verdict is not None and cell.verdict.interrupted:
            raise KeyboardInterrupt


def _on(executor: Executor, jobs: Sequence[Any]) -> Iterator[tuple[int, Cell]]:
    futures = {executor.submit(tried, *job): number for number, job in enumerate(jobs)}
    try:
        for future in _finished(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _finished(futures: Iterable[Any]) -> Iterable[Any]:
    # A cluster's futures need not be those of the standard library; then they are waited for in order.
    try:
        return as_completed(list(futures))
    except AttributeError:
        return futures


def tried(
    walker: str,
    changer: str,
    release: str,
    arch: str = "x86-64",
    limit: int | Limits | None = None,
    axes: Mapping[str, Any] | None = None,
) -> Cell:
    """One cell, wherever it runs."""
    who, what = WALKERS[walker], CHANGERS[changer]
    scenario = pair(
        f"{changer}-vs-{walker}",
        who.walk,
        what,
        own=who.own,
        user=who.user,
        release=release,
        arch=arch,
        axes=axes or {},
    )
    if not (what.exists(scenario.config()) and who.exists(scenario.config())):
        return Cell(walker, changer, release, arch, None)
    return Cell(walker, changer, release, arch, explore(scenario, limit=limit))


def _chosen(names: Iterable[str] | str | None, known: Iterable[str], kind: str) -> Sequence[str]:
    known = list(known)
    chosen = known if names is None else [names] if isinstance(names, str) else list(names)
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise MatrixError(f"there is no {kind} {unknown[0]!r}; there are {', '.join(known)}")
    return chosen
