"""One search from program to verdict, whichever engine does it.

Room: explore.  Knows all engines.  The engines count and find; here their tallies become a verdict, failing
schedules are made minimal, and whatever cuts a search short becomes "incomplete".
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.explore import brute, pct, states
from ptwalk.explore.dpor import OptimalDpor
from ptwalk.explore.fewest import Failure, TooFar, any_failure, fewest_switches
from ptwalk.explore.limits import LimitReached, Limits, Progress, Tally
from ptwalk.explore.replay import schedule_of
from ptwalk.explore.space import StateSpace
from ptwalk.machine.program import Program
from ptwalk.trace.verdict import Verdict

ENGINES = ("dpor", "states", "brute", "pct", "random")
# What every verdict of this explorer rests on.
CONSISTENCY = "sequentially consistent steps"

# A failing schedule is made minimal within this many (state, CPU) pairs.
_MINIMIZE = 1_000_000
# What a stateful search spends on looking for a failure with few switches before it visits everything.
_FIRST_LOOK = 2_000
# Interleavings are counted for programs with up to this many states.
_COUNT_STATES = 400_000

Source = Program | Callable[[], Program]


class EngineError(PtwalkError):
    """An engine was asked for that does not exist."""


def program_of(source: Source) -> Program:
    """The program itself, or what a factory makes."""
    program = source if isinstance(source, Program) else source()
    if not isinstance(program, Program):
        raise PtwalkError(f"{source!r} is neither a Program nor a function that makes one")
    if not program.cpus:
        raise PtwalkError(f"the program {program.name!r} has no CPU: give it at least one async function")
    return program


def limits_of(limit: int | Limits | None, engine: str) -> Limits:
    """The limits meant by `limit`: a number bounds what the engine counts."""
    if limit is None:
        return Limits()
    if isinstance(limit, Limits):
        return limit
    counted = {"states": "states", "pct": "runs", "random": "runs"}.get(engine, "executions")
    return replace(Limits(), **{counted: limit})


class Search:
    """One search of one program; `run` makes the verdict."""

    def __init__(
        self,
        program: Program,
        engine: str = "dpor",
        *,
        limits: Limits | None = None,
        progress: Callable[[Progress], None] | None = None,
        seed: int = 0,
        depth: int = 3,
    ) -> None:
        if engine not in ENGINES:
            raise EngineError(f"there is no engine {engine!r}; the engines are {', '.join(ENGINES)}")
        self.program = program
        self.engine = engine
        self.tally = Tally(engine, limits or Limits(), progress)
        self.seed = seed
        self.depth = depth
        self.failure: Failure | None = None
        self.minimal = False
        self.completed: Callable[[list[int], Any], None] | None = None

    def run(self, *, stop_at_first: bool = True, count: bool = True) -> Verdict:
        """Search and judge; `count` also counts the interleavings of a safe program."""
        space = StateSpace(self.program, self.tally.limits)
        limit = ""
        self.tally.too_deep = space.too_deep
        try:
            try:
                finding = space.root_finding()
                if finding is not None:
                    self.failure, self.minimal = Failure((), finding), True
                else:
                    self._run_engine(space, stop_at_first)
            except LimitReached as reached:
                limit = str(reached) or _cut_short(space, self.tally.limits)
            except KeyboardInterrupt:
                limit = self._interrupted()
            try:
                if not limit.startswith("interrupted"):
                    self._look_closer(space)
            except KeyboardInterrupt:
                limit = self._interrupted()
            return self._judge(space, limit, count)
        finally:
            space.close()

    def _run_engine(self, space: StateSpace, stop_at_first: bool) -> None:
        tally = self.tally
        match self.engine:
            case "dpor":
                OptimalDpor(space, tally, self.completed).run(stop_at_first=stop_at_first)
                if tally.bug is None or not stop_at_first:
                    tally.traces = tally.executions
            case "brute":
                brute.search(space, tally, stop_at_first=stop_at_first, completed=self.completed)
            case "states":
                self._stateful(space, stop_at_first)
            case _:
                pct.search(
                    space,
                    tally,
                    depth=self.depth,
                    seed=self.seed,
                    walk=self.engine == "random",
                    stop_at_first=stop_at_first,
                )

    def _stateful(self, space: StateSpace, stop_at_first: bool) -> None:
        tally = self.tally
        with suppress(TooFar):
            self.failure = fewest_switches(space, limit=_FIRST_LOOK, tally=tally)
        if self.failure is not None:
            self.minimal = True
            if stop_at_first:
                return
        tally.states = 0
        with suppress(states.Violated):
            states.search(space, tally, stop_at_first=stop_at_first)

    def _interrupted(self) -> str:
        return f"interrupted after {self.tally.seconds():.1f} s"

    def _look_closer(self, space: StateSpace) -> None:
        # Make a failing schedule minimal; where nothing fails, check that the code can be trusted.
        if self.failure is not None:
            return
        if self.tally.bug is not None or self.tally.violated:
            with suppress(TooFar, LimitReached):
                self.failure = fewest_switches(space, limit=_MINIMIZE)
                self.minimal = self.failure is not None
            if self.failure is None and self.tally.bug is None:
                self.failure = any_failure(space)
        else:
            difference = space.verify()
            if difference is not None:
                self.failure = Failure((), difference)

    def _judge(self, space: StateSpace, limit: str, count: bool) -> Verdict:
        tally = self.tally
        if self.failure is None and tally.bug is not None:
            cpus, report = tally.bug
            self.failure = Failure(_up_to_failure(space, cpus), report)
        verdict = Verdict(
            outcome="bug" if self.failure is not None else "safe",
            engine=self.engine,
            program=self.program.name,
            cpus=space.cpus,
            executions=tally.executions,
            violations=tally.violations,
            blocked=tally.blocked,
            states=tally.states,
            interleavings=tally.interleavings,
            traces=tally.traces,
            assumptions=(CONSISTENCY, *self.program.assumptions),
            limit=limit,
            state_bytes=tally.state_bytes,
        )
        if self.failure is not None:
            schedule = schedule_of(space, self.failure.cpus)
            return replace(
                verdict,
                schedule=schedule,
                switches=schedule.switches,
                steps=schedule.steps,
                report=self.failure.report,
                minimal=self.minimal,
            )
        if not limit and tally.cut:
            limit = _cut_short(space, tally.limits)
        if limit:
            return replace(verdict, outcome="incomplete", limit=limit)
        if self.engine == "dpor" and count:
            counted = Tally("states", Limits(states=_COUNT_STATES))
            try:
                states.search(space, counted, stop_at_first=False)
            except (LimitReached, KeyboardInterrupt):
                return verdict
            verdict = replace(verdict, interleavings=counted.interleavings)
        return verdict


def _up_to_failure(space: StateSpace, cpus: list[int]) -> tuple[int, ...]:
    # The path up to its first violation.
    state = space.initial
    for position, cpu in enumerate(cpus):
        if space.report(state, cpu) is not None:
            return tuple(cpus[: position + 1])
        state ^= space.delta(state, cpu)
    return tuple(cpus)


def _cut_short(space: StateSpace, limits: Limits) -> str:
    for node in sorted(
        (trie.cut for trie in space.tries if trie.cut is not None), key=lambda cut: -cut.depth
    ):
        if node.parent is not None:
            line = node.parent.place[1]
            who = f"CPU {node.cpu} ({space.program.cpus[node.cpu].name})"
            if limits.depth is not None and node.depth >= limits.depth:
                return f"{who} reached the limit of {limits.depth:,} operations at line {line}"
            return (
                f"{who} loops at line {line} while it waits for another CPU, and can do so for ever; "
                "wait with an operation that blocks instead, and everything can be searched"
            )
    return "a CPU reached the limit of operations"
