"""Exercise 09.1: four things that happen to DAMON v34, a schedule for each, and the rule that it broke."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.scenarios import CHANGERS, SCENARIOS, Scenario, Sometimes, pair
from ptwalk.trace.report import Report
from ptwalk.walk.damon import damon_va_mkold_v34

RACES: dict[str, Scenario] = {
    "munmap": SCENARIOS["munmap-vs-damon-v34"],
    "collapse": SCENARIOS["collapse-anon-vs-damon-v34"],
    "moved": SCENARIOS["mremap-table-vs-damon-v34"],
    "hardware": pair(
        "user-access-vs-damon-v34",
        damon_va_mkold_v34,
        CHANGERS["user-access"],
        story="v34 while the program writes to the page",
        expect=Sometimes("dirty"),
        release="5.15.0",
    ),
}
"""The four races, by the name of the one who interferes."""

RULES = ("a", "b", "c", "hardware")


def check(answer: object, seed: int) -> str:
    """Each line is replayed and must end in the accident; then the rules."""
    if answer is None or answer is ...:
        raise NotYet('There is nothing to check. Hand in a dict: a (schedule, rule) for each of "munmap", …')
    if not isinstance(answer, Mapping):
        raise NotYet("Hand in a dict: a (schedule, rule) for each of the four, by its name.")
    unknown = [name for name in answer if name not in RACES]
    if unknown:
        raise NotYet(f"There is no race {shown(unknown[0])} here. The four are {', '.join(RACES)}.")
    for name in RACES:
        value = answer.get(name)
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise NotYet(f"{name}: hand in a pair, the schedule and the rule. There is {shown(value)}.")
        _replayed(name, value[0])
    for name in RACES:
        _rule(name, answer[name][1])
    return "All four lines end in their accident, and the rules fit."


def _replayed(name: str, line: object) -> None:
    done = race.played(RACES[name], line, f"The schedule for {name}")
    if isinstance(done.report, Report):
        return
    if done.diverged:
        raise NotYet(
            f"{name}: the line does not fit this race. {race.one_line(str(done.diverged)).capitalize()}. Each of the "
            "four needs a line of its own."
        )
    last = done.steps[-1] if done.steps else None
    where = f" The last step was: CPU {last.cpu} {last.text}." if last else ""
    raise NotYet(f"{name}: the line was played, and nothing went wrong in it.{where}{_late(name, done)}")


def _late(name: str, done: Any) -> str:
    """What a line that ends well has missed, as far as it can be seen."""
    walker = [step for step in done.steps if step.cpu == 0]
    if not walker:
        return " v34 did not take a step."
    if all(step.cpu == 0 for step in done.steps):
        return " Nobody interfered: all steps are those of CPU 0."
    if name == "hardware" and any(step.kind == "write" for step in walker):
        return " v34 had stored its word before the program's store, or loaded it after."
    return ""


def _rule(name: str, rule: object) -> None:
    if rule not in RULES:
        raise NotYet(f"{name}: {shown(rule)} is no rule. Say one of {', '.join(map(repr, RULES))}.")
    if name == "hardware":
        if rule != "hardware":
            raise NotYet(
                f"hardware: you name rule ({rule}). With all locks of the mm held, the same line ends the same way: "
                "the processor takes no lock before it sets a bit."
            )
    elif rule == "c":
        raise NotYet(
            f"{name}: you name rule (c). v34 never claimed to be lockless: it has interrupts on, it writes, and it "
            "walks somebody else's mm."
        )
    elif rule == "hardware":
        raise NotYet(f"{name}: you name the hardware. All the steps in this line are those of kernel code.")


EXERCISE = Exercise(
    name="09.1",
    title="Four red cells",
    notebook="09_mending_damon",
    kind="find the schedule",
    difficulty=2,
    minutes=12,
    hints=(
        "Each of the four ends in a report of its own kind. Play until you see one; then take the line.",
        "Let CPU 0 come as far as it still trusts something. Then let the other run to the step that makes it untrue.",
        "Stop CPU 0 after its last pmd (munmap, moved), after it has the page-table lock (collapse), between its load "
        "and its store (hardware).",
    ),
    why=(
        "Three of the four are one missing rule: nothing kept the table in its place while v34 was in it. The fourth "
        "is no lock's business: hardware writes the same word."
    ),
    check=check,
    seconds=20.0,
)
