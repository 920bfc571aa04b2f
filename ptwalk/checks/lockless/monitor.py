"""Exercise 07.3: review a proposal, DAMON v34 with interrupts off, on two kernels."""

from __future__ import annotations

from collections.abc import Mapping

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import article
from ptwalk.explore.replay import Replay
from ptwalk.trace.report import Report

KERNELS: dict[str, tuple[str, dict[str, str]]] = {
    "ipi": ("x86-64 that frees tables after the flush IPI", {"table_free": "batch"}),
    "rcu": ("x86-64 that frees tables by RCU", {"table_free": "rcu"}),
}
SCENARIOS = ("munmap-vs-irqs-off-monitor", "collapse-anon-vs-irqs-off-monitor")
NONE = ("none", "safe", "")


def check(answer: object, seed: int) -> str:
    """Each finding is a scenario's name and a schedule; it is replayed on the kernel it was given for."""
    if not isinstance(answer, Mapping):
        raise NotYet(
            'Hand in a dict: {"ipi": "SCENARIO SCHEDULE", "rcu": "SCENARIO SCHEDULE"}; a claim that '
            'nothing breaks is "none".'
        )
    for kernel in KERNELS:
        if answer.get(kernel) is None:
            raise NotYet(f'{kernel}: nothing there yet. Give a scenario and a schedule, or "none".')
    if all(_is_none(answer[kernel]) for kernel in KERNELS):
        raise NotYet(
            "Twice none. The monitor's CPU does not run the process that it looks at. To which CPUs "
            "does the flush send "
            "its interrupt?"
        )
    found = [_one(kernel, answer[kernel]) for kernel in KERNELS]
    return f"On the first kernel: {found[0]}. On the second: {found[1]}."


def _is_none(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in NONE


def _one(kernel: str, answer: object) -> str:
    if _is_none(answer):
        if kernel == "ipi":
            raise NotYet(
                "ipi: you claim that nothing breaks. The IPI went to the CPUs that run that process; yours runs the "
                "monitor, and was not waited for."
            )
        raise NotYet(
            "rcu: you claim that nothing breaks. The memory stays, that is so. But this walker "
            "writes: is the table still "
            "the table when it does?"
        )
    if not isinstance(answer, str):
        raise NotYet(
            f"{kernel}: this is {article(type(answer).__name__)}. Give text: a scenario's name, a blank, a schedule."
        )
    words = answer.replace("'", " ").replace('"', " ").removeprefix("ptwalk replay ").split()
    name = next((word for word in words if "-vs-" in word), "")
    scenario = name.partition("@")[0].removesuffix("-rcu")
    if scenario not in SCENARIOS:
        raise NotYet(
            f"{kernel}: {name or 'your text'} is no race of the proposal. Begin with one of {' or '.join(SCENARIOS)}."
        )
    line = " ".join(word for word in words if word != name)
    said, axes = KERNELS[kernel]
    done = race.played(scenario, line, f"{kernel}: the schedule", **axes)
    report = done.report
    if isinstance(report, Report) and report.sanitizer in ("lifetime", "detached"):
        return (
            "a freed table was touched"
            if report.sanitizer == "lifetime"
            else "a store into a table that was cut off"
        )
    raise NotYet(f"{kernel} ({said}): {_what_happened(line, done, scenario, kernel)}")


def _what_happened(line: str, done: Replay, scenario: str, kernel: str) -> str:
    if not done.steps:
        return "your line takes no step."
    last = done.steps[-1]
    if kernel == "rcu" and scenario.startswith("munmap"):
        return (
            "no freed table was touched. RCU's grace period waits for a CPU with interrupts off, so "
            "this table can't be "
            "freed while the monitor is in it."
        )
    short = race.cut_short(race.schedule_line(line), done)
    return f"no rule was broken. {short} The last step was: CPU {last.cpu} {last.text}.".replace("  ", " ")


EXERCISE = Exercise(
    name="07.3",
    title="A monitor without locks",
    notebook="07_race_gup_fast",
    kind="review",
    difficulty=3,
    minutes=20,
    hints=(
        "The rule asks two things of a walker without locks: who waits for it, and what it must never do.",
        "On the first kernel: who gets the interrupt? On the second, the memory stays; look for a store after a cut.",
        "ipi: munmap, all the way to the free, after the monitor has read the pmd. rcu: the monitor reads the pmd, "
        "khugepaged cuts, the monitor locks, reads and writes.",
    ),
    why=(
        "Interrupts off keep a table alive only if its freer waits for this CPU; an IPI goes to CPUs "
        "that run the process. "
        "(We reasoned that; no document says it.) And keeping memory is not keeping meaning: without "
        "locks, never write."
    ),
    check=check,
    seconds=10.0,
)
