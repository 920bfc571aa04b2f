"""Trace: a small tree of choices, so that a saved page can branch without a kernel behind it.

A node is one step of one CPU, reached by the choices before it; because a run is its schedule, the step's
changes are the same whoever asks. A limit keeps the tree small; a branch beyond it is simply not there.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ptwalk.trace.snapshot import Json
from ptwalk.trace.timeline import Timeline


@dataclass(frozen=True, slots=True)
class SearchTree:
    """Choices explored beforehand. `nodes` hold `step`, `then` (the node that follows, by CPU) and `report`.

    `roots` are the nodes of the first step, by CPU. `complete` says whether all choices are in it.
    """

    roots: dict[str, int]
    nodes: tuple[dict[str, Json], ...]
    complete: bool

    def dumps(self) -> str:
        """The tree as one compact JSON string."""
        data = {"roots": self.roots, "nodes": list(self.nodes), "complete": self.complete}
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def search_tree(run: Callable[[Sequence[int]], Timeline], cpus: int, *, limit: int = 300) -> SearchTree:
    """Explore choices breadth first until `limit` steps are known.

    `run(choices)` gives the timeline of a schedule; a CPU that is blocked or finished at the end of it is
    not stepped. The nearest branches come first, so a limit cuts the far ones.
    """
    nodes: list[dict[str, Json]] = []
    roots: dict[str, int] = {}
    todo: deque[tuple[tuple[int, ...], dict[str, int]]] = deque([((), roots)])
    complete = True
    while todo:
        choices, then = todo.popleft()
        state = run(choices).at(len(choices))
        for cpu in range(cpus):
            if (state[f"c{cpu}.state"] or "ready") != "ready":
                continue
            if len(nodes) >= limit:
                complete = False
                break
            timeline = run((*choices, cpu))
            if len(timeline) != len(choices) + 1:
                continue
            following: dict[str, int] = {}
            node: dict[str, Json] = {"step": timeline.events[-1].to_json()}
            then[str(cpu)] = len(nodes)
            nodes.append(node)
            if timeline.report is not None:
                node["report"] = timeline.report
                continue
            node["then"] = following  # type: ignore[assignment]
            todo.append(((*choices, cpu), following))
    return SearchTree(roots, tuple(nodes), complete)
