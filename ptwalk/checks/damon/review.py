"""Exercise 09.3: a patch of a neighbour, a review with its evidence, and the smallest mend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptwalk.checks import race
from ptwalk.checks.damon.patches import Kind, Patch, draw
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.checks.solo import Habits, alone, leaves_the_rest, sound
from ptwalk.scenarios import CHANGERS
from ptwalk.scenarios.pair import pair
from ptwalk.trace.report import Report
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore

RULES = ("a", "b", "c", "hardware", "vanish")
KEYS = ("patch", "legal", "rule", "against", "schedule", "mend")
TRIED = "munmap munmap-last collapse-anon retract reclaim mremap-table user-access"


def check(answer: object, seed: int) -> str:
    """The schedule by replay, the rule by what the race shows, the mend by exploration."""
    if answer is None or answer is ...:
        raise NotYet("There is nothing to check. Hand in the form, filled in.")
    if not isinstance(answer, Mapping):
        raise NotYet("Hand in the form as a dict, filled in.")
    unknown = [key for key in answer if key not in KEYS]
    if unknown:
        raise NotYet(f"The form has no line {shown(unknown[0])}. It has {', '.join(KEYS)}.")
    patch = draw(seed)
    if answer.get("patch") != patch.id:
        raise NotYet(
            f"This review is of patch {shown(answer.get('patch'))}. In front of you lies another one."
        )
    legal = answer.get("legal")
    if legal not in (True, False):
        raise NotYet(f'"legal" is {shown(legal)}. Say True or False.')
    if legal or not patch.kind.rules:
        return _legal(patch, bool(legal), answer)
    said = _evidence(patch.kind, answer)
    _rule(patch.kind, answer.get("rule"), said)
    return _mend(patch.kind, answer.get("mend"))


def _legal(patch: Patch, legal: bool, answer: Mapping[str, Any]) -> str:
    kind = patch.kind
    if legal and not kind.rules:
        return f"Legal, and it is: safe against {', '.join(tried(kind))} on kernel {kind.release}."
    if legal:
        scenario = _scene(kind, kind.against[0])
        race.refuse(scenario, explore(scenario), "", f"You call it legal. Against {kind.against[0]}: ")
    count = sum(explore(_scene(kind, name)).executions for name in tried(kind))
    raise NotYet(
        f"You call it not legal. All {count} executions against {', '.join(tried(kind))} are safe. What did you see?"
    )


def tried(kind: Kind) -> tuple[str, ...]:
    """The changers that a patch is tried against: those of the list that its kernel has."""
    config = _config(kind)
    return tuple(name for name in TRIED.split() if CHANGERS[name].exists(config))


def _config(kind: Kind) -> Any:
    return pair("config", kind.walker, CHANGERS["munmap"], release=kind.release).config()


def _scene(kind: Kind, changer: str) -> Any:
    return pair(f"{changer}-vs-the-patch", kind.walker, CHANGERS[changer], release=kind.release)


def _evidence(kind: Kind, answer: Mapping[str, Any]) -> Report:
    against = answer.get("against")
    if not isinstance(against, str) or against not in CHANGERS:
        raise NotYet(f'"against" is {shown(against)}. Name the changer of your schedule, such as "munmap".')
    if not CHANGERS[against].exists(_config(kind)):
        raise NotYet(f'Kernel {kind.release} has no "{against}".')
    done = race.played(_scene(kind, against), answer.get("schedule"))
    if isinstance(done.report, Report):
        return done.report
    if done.diverged:
        raise NotYet(f"The schedule is not one of this patch against {against}. Is it from another race?")
    raise NotYet(f"The schedule was played against {against}, and nothing went wrong in it.")


def _rule(kind: Kind, rule: object, report: Report) -> None:
    if rule not in RULES:
        raise NotYet(f'"rule" is {shown(rule)}. Say one of {", ".join(map(repr, RULES))}.')
    if rule in kind.rules:
        return
    seen = f"Your schedule shows: {report.title}."
    if rule == "c":
        raise NotYet(
            f"{seen} You name rule (c), for walks with interrupts off. This patch has them on, and writes."
        )
    if rule == "hardware":
        raise NotYet(
            f"{seen} You name the hardware. The word that was lost or read was changed by kernel code."
        )
    if rule == "vanish":
        raise NotYet(
            f"{seen} You name tables that vanish under newer kernels. This kernel is {kind.release}."
        )
    if "hardware" in kind.rules:
        raise NotYet(
            f"{seen} You name rule ({rule}). The patch keeps it: mmap_lock is held, and the VMA was found."
        )
    if "vanish" in kind.rules:
        raise NotYet(
            f"{seen} You name rule ({rule}). The patch keeps it: mmap_lock for writing is all that this rule asks."
        )
    raise NotYet(f"{seen} You name rule ({rule}). Does the patch want to walk where no VMA is?")


def _mend(kind: Kind, mend: object) -> str:
    if mend is None or mend is ...:
        raise NotYet('Schedule and rule fit. The "mend" is missing: your function in place of the patch.')
    sound(mend, kind.release)
    walker: Any = mend
    solo = alone(walker, kind.release)
    if solo.word(solo.ground.addr).accessed:
        raise NotYet("The mend does nothing: with nobody else there, the page is still marked accessed.")
    leaves_the_rest(walker, kind.release)
    habits = Habits(solo.steps)

    def words(trial: race.Trial, verdict: Verdict) -> str:
        if trial.changer in kind.against:
            return f"The mend hides it, and does not end it. {race.observed(verdict)}"
        return f"The mend ended one race and began another. {race.observed(verdict)}"

    first = [*kind.against, *(name for name in TRIED.split() if name not in kind.against)]
    said = race.safe_against(walker, race.trials(first, kind.release), words=words)
    if habits.mmap_mode == "write" and kind.release != "7.1":
        said += " mmap_lock for writing is larger than needed: for reading, inside a VMA, is enough."
    return said


EXERCISE = Exercise(
    name="09.3",
    title="Write the review",
    notebook="09_mending_damon",
    kind="review",
    difficulty=2,
    minutes=15,
    hints=(
        "Ask the two questions: what do we know about this address? Which locks do we hold, from where to where?",
        "Go through the changers: munmap, collapse, retract, a move, exit, the program itself. Who keeps each out?",
        "Start at the first read of a table and look up: which lock is held, and was the VMA found under it? Then look "
        "down to the last use. Then ask how the store is done. Then ask for the release.",
    ),
    why=(
        "A review is two questions asked in time, and evidence. A schedule line ends every discussion: anybody can "
        "play it."
    ),
    check=check,
    problem=draw,
    seconds=60.0,
)
