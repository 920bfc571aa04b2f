"""Exploring and replaying a scenario or a program: the two verbs behind every verdict.

Room: trials.  The search itself is blind to the kernel; here its findings get the words of the kernel.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from ptwalk.explore.limits import Limits, Progress
from ptwalk.explore.replay import Replay, follow, replay_on
from ptwalk.explore.search import Search, limits_of
from ptwalk.explore.space import StateSpace
from ptwalk.machine.program import Program
from ptwalk.trace.report import Report
from ptwalk.trace.schedule import Schedule
from ptwalk.trace.verdict import Finding, Verdict
from ptwalk.trials.story import told, with_the_act_last
from ptwalk.trials.subject import program_of

Engine = Literal["dpor", "states", "brute", "pct"]


def explore(
    what: object,
    engine: Engine = "dpor",
    stop_at_first: bool = True,
    limit: int | Limits | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
    **kernel: Any,
) -> Verdict:
    """Searches the interleavings of a race, and gives the verdict: bug, safe or incomplete.

    `what` is a scenario's name (`"munmap-vs-damon-v34"`, or with its kernel `"munmap-vs-damon-v34@7.1"`), a scenario,
    or any program.  `engine` is "dpor" (one execution for each class of equivalent schedules), "states" (every
    state once), "brute" (every interleaving) or "pct" (random).  `stop_at_first=False` counts all executions, also
    those with a bug.  `limit` bounds executions or states, or is a `Limits`.  `kernel` may say `release`, `arch`,
    `order` and axes.

    Returns a `Verdict`; its `.schedule` is a failing one with the fewest switches, then the fewest steps.  Raises
    `PtwalkError` for a name, an engine or an axis that there is not.
    """
    program = program_of(what, **kernel)
    search = Search(program, engine, limits=limits_of(limit, engine), progress=progress)
    return with_words(program, search.run(stop_at_first=stop_at_first), what)


def with_words(program: Program, verdict: Verdict, what: object = None) -> Verdict:
    """The verdict with the whole story in its report, and a schedule whose last turn is the act alone."""
    if verdict.schedule is None or not isinstance(verdict.report, Report | Finding):
        return verdict
    if isinstance(verdict.report, Finding) and verdict.report.kind == "misuse":
        return verdict  # such code does not do the same again
    cpus = tuple(verdict.schedule.cpus())
    space = StateSpace(program)
    try:
        if verdict.minimal and isinstance(verdict.report, Report):
            cpus = with_the_act_last(space, cpus)
        done = follow(space, cpus)
    finally:
        space.close()
    report = told(done, program, replay_line(what, program.name, done.schedule))
    return replace(verdict, report=report, schedule=done.schedule)


def replay_line(what: object, name: str, schedule: Schedule) -> str:
    """The line that runs the schedule again; `what` was explored, and may know a line of its own."""
    own = getattr(what, "replay_line", None)
    if own is not None:
        return str(own(schedule))
    if isinstance(what, Program):
        return f'ptwalk.replay(program, "{schedule}")'
    return f"ptwalk replay {shlex.quote(name)} {shlex.quote(str(schedule))}"


def replay(what: object, schedule: Schedule | str | Sequence[int], **kernel: Any) -> Replay:
    """Runs a race along one schedule, and gives every step with its source line, and what it broke.

    `what` and `kernel` are as for `explore`; `schedule` is a `Schedule`, its one-line text, or the CPU of each step.
    Raises `PtwalkError` if the schedule asks for a CPU that there is not.
    """
    program = program_of(what, **kernel)
    done = replay_on(program, schedule)
    report = told(done, program, replay_line(what, program.name, done.schedule))
    return replace(done, report=report)
