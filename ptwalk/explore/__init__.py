"""The explore room: searching all interleavings of a program, blind to what the program simulates.

Knows machine, trace and errors; sees of a program nothing but operations and their footprints.  Start with
`explore`; `replay` shows a run step by step, `executions` lists the executions of a program to browse, `minimize`
makes a failing schedule as short as it gets, `explore_many` does a batch on any executor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from ptwalk.explore.fewest import TooFar, fewest_switches
from ptwalk.explore.limits import LimitReached, Limits, Progress, bar
from ptwalk.explore.replay import Replay, Step, replay_on, schedule_of, steps_along
from ptwalk.explore.search import ENGINES, Search, Source, limits_of, program_of
from ptwalk.explore.space import StateSpace
from ptwalk.trace.schedule import Schedule
from ptwalk.trace.verdict import Verdict

__all__ = [
    "ENGINES",
    "Execution",
    "LimitReached",
    "Limits",
    "Progress",
    "Replay",
    "Step",
    "bar",
    "executions",
    "explore",
    "explore_many",
    "minimize",
    "replay",
]


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a program, standing for all schedules equivalent to it; `report` is None if it is fine."""

    schedule: Schedule
    report: Any

    def __str__(self) -> str:
        return f"{self.schedule}" + (f"  <- {self.report}" if self.report is not None else "")


def explore(
    program: Source,
    engine: str = "dpor",
    stop_at_first: bool = True,
    limit: int | Limits | None = None,
    progress: Callable[[Progress], None] | None = None,
    *,
    seed: int = 0,
    depth: int = 3,
    count: bool = True,
) -> Verdict:
    """Search the interleavings of `program` (or of what a factory makes) and say whether any of them fails.

    `engine` is "dpor" (one execution for each class of equivalent schedules), "states" (every state once; fastest to
    the verdict), "brute" (every interleaving), "pct" or "random" (random runs, `limit` of them, from `seed`; `depth`
    is the number of ordered steps a bug may need).  `stop_at_first` ends the search at the first failure; without it
    everything is counted.  `limit` is a number of what the engine counts, or `Limits`.  `progress` is called now and
    then (`bar` shows a line on the terminal).  `count` counts the interleavings a safe DPOR verdict stands for.
    Interrupting is safe: the verdict is "incomplete" with what is known.
    """
    limits = limits_of(limit, engine)
    search = Search(program_of(program), engine, limits=limits, progress=progress, seed=seed, depth=depth)
    return search.run(stop_at_first=stop_at_first, count=count)


def replay(program: Source, schedule: Schedule | str | Sequence[int]) -> Replay:
    """Run `program` along `schedule` (a `Schedule`, its one-line text, or the CPU of each step) and tell every step."""
    return replay_on(program_of(program), schedule)


def executions(program: Source, limit: int | None = 10_000) -> list[Execution]:
    """The executions of `program`, one for each class of equivalent schedules, the safe ones too."""
    made = program_of(program)
    paths: list[tuple[list[int], Any]] = []
    search = Search(made, "dpor", limits=limits_of(limit, "dpor"))
    search.completed = lambda cpus, report: paths.append((cpus, report))
    search.run(stop_at_first=False, count=False)
    space = StateSpace(made)
    try:
        return [Execution(schedule_of(space, cpus), report) for cpus, report in paths]
    finally:
        space.close()


def minimize(
    program: Source, schedule: Schedule | str | None = None, limit: int = 2_000_000
) -> Schedule | None:
    """The failing schedule with the fewest switches, then the fewest steps; None if nothing fails.

    Given a failing `schedule`, it is returned cut after its first violation where the program is too large to be
    searched within `limit` (state, CPU) pairs.
    """
    space = StateSpace(program_of(program))
    try:
        try:
            failure = fewest_switches(space, limit=limit)
        except TooFar:
            if schedule is None:
                return None
            given = Schedule.parse(schedule) if isinstance(schedule, str) else schedule
            cpus, _ = steps_along(space, given)
            state = space.initial
            for position, cpu in enumerate(cpus, 1):
                if space.report(state, cpu) is not None:
                    return schedule_of(space, cpus[:position])
                state ^= space.delta(state, cpu)
            return schedule_of(space, cpus)
        return None if failure is None else schedule_of(space, failure.cpus)
    finally:
        space.close()


def _explore_one(source: Source, options: dict[str, Any]) -> Verdict:
    return explore(source, **options)


def explore_many(
    programs: Iterable[Source], executor: Executor | None = None, **options: Any
) -> list[Verdict]:
    """`explore` each of `programs` with the same options, on any executor; verdicts in the same order.

    With processes or a cluster, give factories that can be pickled (functions at the top of a module, or
    `functools.partial` of them); with threads or without an executor anything does.
    """
    sources = list(programs)
    if executor is None:
        return [_explore_one(source, options) for source in sources]
    futures = [executor.submit(_explore_one, source, options) for source in sources]
    return [future.result() for future in futures]
