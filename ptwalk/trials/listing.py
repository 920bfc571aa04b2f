"""The list of scenarios, as a value that prints as a table.

Room: trials.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ptwalk.scenarios import SCENARIOS, Scenario


class Listing(tuple[Scenario, ...]):
    """Scenarios; prints as a table, name, kernel, expectation and story."""

    __slots__ = ()

    def __str__(self) -> str:
        rows = [(s.name, f"{s.release} {s.arch}", str(s.expect), s.story) for s in self]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        return "\n".join(
            "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]])
            for row in rows
        )

    __repr__ = __str__

    def to_json(self) -> list[dict[str, Any]]:
        """The scenarios as JSON values."""
        return [scenario.to_json() for scenario in self]


def scenarios(containing: str = "", *, among: Iterable[Scenario] | None = None) -> Listing:
    """All scenarios, or those whose name or story contains a word."""
    chosen = SCENARIOS.values() if among is None else among
    return Listing(s for s in chosen if containing in s.name or containing in s.story)
