"""The failing schedule with the fewest switches, then the fewest steps: exact, by uniform-cost search.

Room: explore.  Knows the state space.  A node of this search is a state together with the CPU that ran last; letting
the same CPU go on costs nothing, a switch costs one.  How many steps lead to a state is a property of the
state, so among the failures with the fewest switches the shortest is simply the one whose state is nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ptwalk.explore.limits import Tally
from ptwalk.explore.space import StateSpace


@dataclass(frozen=True, slots=True)
class Failure:
    """A failing path: the CPU of each step, and what goes wrong at its end."""

    cpus: tuple[int, ...]
    report: Any


class TooFar(Exception):
    """The search was given up before it was decided."""


def fewest_switches(
    space: StateSpace, *, limit: int | None = None, tally: Tally | None = None
) -> Failure | None:
    """The minimal failure, or None if no schedule fails.

    `limit` bounds the (state, CPU) pairs looked at; `TooFar` is raised when it is passed undecided.  `tally` is
    told how many were looked at, and asked whether to go on.
    """
    finding = space.root_finding()
    if finding is not None:
        return Failure((), finding)
    every = range(space.cpus)
    delta, report_of = space.delta, space.report
    # (state after a step, CPU of that step) -> (state before, CPU of the step before that, -1 at the start)
    came: list[dict[int, tuple[int, int]]] = [{} for _ in every]
    frontier: list[tuple[int, int]] = [(space.initial, -1)]
    if not space.enabled(space.initial):
        report = space.at_end(space.initial)
        return None if report is None else Failure((), report)
    seen = 0
    while frontier:
        best: tuple[int, int, int, int, Any] | None = (
            None  # steps, cpu of the last step, state before, last, report
        )
        following: list[tuple[int, int]] = []
        for begin, before in frontier:
            for cpu in every:
                if cpu == before:
                    continue
                state, last = begin, before
                visited = came[cpu]
                while True:
                    flips = delta(state, cpu)
                    if not flips:
                        break
                    report = report_of(state, cpu)
                    after = state ^ flips
                    if report is not None:
                        steps = space.steps_taken(after)
                        if best is None or steps < best[0]:
                            best = (steps, cpu, state, last, report)
                        # What happens after a violation cannot be a shorter way to one on this path.
                        break
                    if after in visited:
                        break
                    visited[after] = (state, last)
                    following.append((after, cpu))
                    seen += 1
                    state, last = after, cpu
                if flips == 0 and last == cpu and not space.enabled(state):
                    report = space.at_end(state)
                    if report is not None:
                        steps = space.steps_taken(state)
                        if best is None or steps < best[0]:
                            origin = came[cpu][state]
                            best = (steps, cpu, origin[0], origin[1], report)
            if limit is not None and seen > limit:
                raise TooFar
        if tally is not None:
            tally.states = seen
            tally.tick()
        if best is not None:
            _, cpu, state, last, report = best
            path = [cpu]
            while last != -1:
                path.append(last)
                state, last = came[last][state]
            return Failure(tuple(reversed(path)), report)
        frontier = following
    return None


def any_failure(space: StateSpace) -> Failure | None:
    """Some failing path, depth first, for a program that is too large to look for a minimal one."""
    state, cpus = space.initial, list[int]()
    states, left = [state], [space.enabled(state)]
    seen = {state}
    while True:
        if not left[-1]:
            states.pop()
            left.pop()
            if not states:
                return None
            cpus.pop()
            continue
        state, cpu = states[-1], left[-1].pop()
        after = state ^ space.delta(state, cpu)
        report = space.report(state, cpu)
        following = space.enabled(after) if report is None and after not in seen else []
        if report is None and not following and after not in seen:
            report = space.at_end(after)
        if report is not None:
            return Failure((*cpus, cpu), report)
        if after not in seen:
            seen.add(after)
            cpus.append(cpu)
            states.append(after)
            left.append(following)
