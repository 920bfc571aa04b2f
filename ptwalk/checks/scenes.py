"""Learners' functions of other shapes than walk(mm, addr), searched on stages of an exercise's own.

Knows scenarios and trials, no exercise.  An exercise lays out the stage and names the changer; here are the shape of
what was handed in, the run alone, and the search with the CPUs in both orders.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ptwalk.checks import race
from ptwalk.checks.notyet import NotYet
from ptwalk.explore.replay import Step, replay_on
from ptwalk.kernel.kernel import allocates
from ptwalk.machine.operation import Operation
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.changers import CHANGER
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Finding, Verdict, in_words
from ptwalk.trials import explore
from ptwalk.trials.own_walker import is_async

LONG = "0x3000"
LayOut = Callable[[Stage], None]


def handed_in(answer: object, name: str, parameters: Sequence[str]) -> Callable[..., Any]:
    """The learner's function, if it is an `async def` with these parameters; else `NotYet`."""
    race.handed_in(answer)
    wanted = f"async def {name}({', '.join(parameters)})"
    if inspect.iscoroutine(answer):
        answer.close()
        raise NotYet(
            f"You handed in a run that was started already. Hand in the function: {name}, no brackets."
        )
    if not callable(answer) or not is_async(answer):
        raise NotYet(f"What you handed in is no async function. Begin it with {wanted}, and await each step.")
    try:
        inspect.signature(answer).bind(*parameters)
    except TypeError:
        raise NotYet(f"Your function takes other parameters. It is called as {wanted}.") from None
    return answer


def scene(name: str, lay_out: LayOut, release: str, *, alone: bool = False, **more: Any) -> Scenario:
    """The scenario of one stage; with `alone` there is no changer on it."""
    cpus = (WALKER,) if alone else (WALKER, CHANGER)
    return Scenario(name, "", lay_out, Never(), cpus=cpus, release=release, **more)


def taken(scenario: Scenario) -> tuple[Step, ...]:
    """The steps of a scenario with one CPU, in their one order."""
    return replay_on(scenario.build(), LONG).steps


def sound(scenario: Scenario, name: str) -> None:
    """`NotYet` if the learner's function does not come through with nobody else there."""
    verdict = explore(scenario, limit=race.LIMITS)
    if verdict.outcome == "safe":
        return
    report = verdict.report
    said = race.observed(verdict)
    if isinstance(report, Finding) and report.kind != "violation":
        said = said.split("): ", 1)[-1]
    raise NotYet(f"With nobody else there: {said}" if name not in said else said)


@dataclass
class Searched:
    """What was searched so far, for the sentence after a pass."""

    changers: int = 0
    executions: int = 0
    interleavings: int = 0

    def search(
        self,
        scenario: Scenario,
        words: Callable[[Verdict], str],
        where: str,
    ) -> None:
        """Searches with the CPUs in both orders; `NotYet` with the words, or the report's, if it is not safe."""
        for order in (scenario.cpus, tuple(reversed(scenario.cpus))):
            seated = replace(scenario, cpus=order)
            verdict = explore(seated, limit=race.LIMITS)
            if verdict.outcome != "safe":
                race.refuse(seated, verdict, words(verdict), where)
            self.executions += verdict.executions
            self.interleavings += verdict.interleavings or 0
        self.changers += 1

    def __str__(self) -> str:
        """What was searched, as it stands in the words after a pass."""
        return (
            f"Safe in {self.changers} races: all {in_words(self.executions)} executions searched, standing for "
            f"{in_words(self.interleavings)} interleavings; 2 CPUs, steps sequentially consistent."
        )


def in_a_row(*actors: tuple[Callable[..., Any], tuple[Hashable, ...]]) -> Callable[[], Any]:
    """One changer that does several things, one after the other."""

    @allocates
    async def one_after_the_other() -> None:
        for actor, arguments in actors:
            await actor(*arguments)

    return one_after_the_other


def operations(steps: Iterable[Step], *kinds: type[Operation]) -> list[Step]:
    """The steps whose operation is of one of these kinds."""
    return [step for step in steps if isinstance(step.operation, kinds)]
