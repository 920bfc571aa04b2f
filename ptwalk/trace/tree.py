"""Trace: turns explored beforehand, so that a saved page can branch without a kernel behind it.

A node is one step of one CPU. Because a CPU's next step depends only on where it stands and on memory, orders that
lead to the same state share what follows: it is a tree to walk along, and a graph to store.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ptwalk.trace.snapshot import Json


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of one CPU: the step as JSON values, the turns that may follow it by CPU, and what it broke."""

    step: dict[str, Json]
    then: dict[str, int]
    report: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class SearchTree:
    """Turns explored beforehand; `roots` are the numbers of the first ones, by CPU.

    `complete` says whether all turns are in it. `sources` and `locks` are those that the steps name beyond the ones of
    the run beside it, which has `known` of them.
    """

    roots: dict[str, int]
    turns: tuple[Turn, ...]
    complete: bool
    sources: tuple[dict[str, Json], ...] = ()
    locks: tuple[dict[str, Json], ...] = ()
    known: tuple[int, int] = (0, 0)

    def dumps(self) -> str:
        """The tree as one compact JSON string; what comes again in its steps is written once."""
        table = _Table()
        packed = [
            [
                table.place({key: value for key, value in turn.step.items() if key != "set"}),
                table.changes(turn.step.get("set")),
                turn.then,
                table.place(turn.report),
            ]
            for turn in self.turns
        ]
        data = {
            "roots": self.roots,
            "values": table.values,
            "packed": packed,
            "complete": self.complete,
            "sources": self.sources,
            "locks": self.locks,
            "known": self.known,
        }
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


class _Table:
    """Values by their number, each once."""

    def __init__(self) -> None:
        self.values: list[Json] = []
        self._places: dict[str, int] = {}

    def place(self, value: Json) -> int:
        key = json.dumps(value, separators=(",", ":"))
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]

    def changes(self, changes: Json) -> list[int]:
        assert changes is None or isinstance(changes, dict)
        return [self.place(part) for change in (changes or {}).items() for part in change]
