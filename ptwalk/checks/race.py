"""What every race exercise needs: a learner's walker tried against changers, a schedule line played, and the words.

Knows trials and scenarios, no exercise.  A search ends in a verdict, and a verdict that is no "safe" becomes `NotYet`:
what was observed, the schedule, and the line that opens the stepper on it.  Never the answer.

    tries = trials("munmap collapse-anon", "5.15.0", "7.1")
    return safe_against(answer, tries, words=my_words)            # a walker, async def walk(mm, addr)
    return safe(scenario, words="...")                            # any other race
    replay = played("munmap-vs-damon-v34", answer)                # a schedule line
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, NoReturn

from ptwalk.checks.failed import keep
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import article, short
from ptwalk.errors import PtwalkError
from ptwalk.explore.limits import Limits
from ptwalk.explore.replay import Replay
from ptwalk.machine.operation import Footprint, Memory, Operation, Violation
from ptwalk.machine.program import Program
from ptwalk.scenarios import CHANGERS, Never, Scenario
from ptwalk.scenarios.changers import CHANGER
from ptwalk.scenarios.pair import WALKER, with_user_reference
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.report import Report
from ptwalk.trace.schedule import Schedule, ScheduleError
from ptwalk.trace.verdict import Finding, Verdict, in_words
from ptwalk.trials import explore, replay
from ptwalk.trials.own_walker import NotAWalker, check_alone, check_shape

SECOND = "second walker"
LIMITS = Limits(executions=100_000, depth=5_000)
"""How far a check searches: far above what a right answer needs."""


# How the explorer tells a refused `Result`: our own words stand inside its own.
_OF_RESULT = re.compile(r"CPU \d+ \(\S+\): (.*) \(line \d+ of \S+\)")


# ---- what a try is ----


@dataclass(frozen=True)
class Trial:
    """One changer on one kernel; `axes` are choices of that kernel that differ from its release."""

    changer: str
    release: str = "6.1"
    arch: str = "x86-64"
    axes: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """As it stands in the words: "munmap, kernel 5.15.0"."""
        arch = "" if self.arch == "x86-64" else f", {self.arch}"
        return f"{self.changer}, kernel {self.release}{arch}"


def trials(changers: str | Iterable[str], *kernels: str, **axes: Any) -> tuple[Trial, ...]:
    """Each changer on each kernel that has it; a kernel is a release, or "7.1,arm64".  "all" means every changer."""
    names = changers.split() if isinstance(changers, str) else list(changers)
    names = list(CHANGERS) if names == ["all"] else names
    found = []
    for kernel in kernels or ("6.1",):
        release, _, arch = kernel.partition(",")
        for name in names:
            trial = Trial(name, release, arch or "x86-64", axes)
            if CHANGERS[name].exists(_scene(_nothing, trial).config()):
                found.append(trial)
    return tuple(found)


async def _nothing(mm: Any, addr: int) -> None:
    return None


Accept = Callable[[Trial, Any], str]
Words = Callable[[Trial, Verdict], str]


class Result(Operation):
    """The end of a learner's walk: the result is looked at, and refused in words if it cannot have been true."""

    __slots__ = ("wrong",)
    kind = "result"

    def __init__(self, wrong: str) -> None:
        self.wrong = wrong

    def footprint(self, cpu: int) -> Footprint:
        return (), ()

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        if self.wrong:
            raise Violation(self.wrong)
        return None

    def text(self) -> str:
        return "gives its result"


def _scene(
    walker: Callable[..., Any],
    trial: Trial,
    *,
    own: bool = False,
    walkers: int = 1,
    accept: Accept | None = None,
) -> Scenario:
    """The scenario of one trial: the changer, and the walker on one CPU or on two."""
    changer = CHANGERS[trial.changer]
    seats = (WALKER, SECOND)[:walkers]

    @wraps(walker)
    async def judged(mm: Any, addr: int) -> None:
        assert accept is not None
        await Result(accept(trial, await walker(mm, addr)))

    walk = walker if accept is None else judged

    def lay_out(stage: Stage) -> None:
        ground = changer.lay_out(stage, seats if own else ())
        code = with_user_reference(walk) if changer.exits else walk
        for seat in seats:
            stage.run(seat, code, ground.mm, ground.addr)

    return Scenario(
        f"{trial.changer}-vs-{getattr(walker, '__name__', 'walker')}",
        f"your walker against {trial.changer}",
        lay_out,
        Never(),
        cpus=(*seats, CHANGER),
        user=(CHANGER,) if changer.user else (),
        release=trial.release,
        arch=trial.arch,
        axes=trial.axes,
    )


# ---- searching ----


def safe_against(
    walker: Any,
    tries: Sequence[Trial],
    *,
    words: Words | None = None,
    accept: Accept | None = None,
    own: bool = False,
    walkers: int = 1,
    limits: Limits = LIMITS,
) -> str:
    """Searches the learner's walker against every trial; a sentence on what was searched, or `NotYet`.

    `words(trial, verdict)` may give an exercise's own sentence on what was observed ("" keeps the report's).
    `accept(trial, result)` says what is wrong with a result, "" if nothing.  `own` walks the CPU's own address space;
    `walkers=2` puts the walker on two CPUs besides the changer.  Each race is also searched with the CPUs in reversed
    order, so that nothing rests on who is CPU 0.
    """
    handed_in(walker)
    try:
        check_shape(walker)
        for release, arch in dict.fromkeys((trial.release, trial.arch) for trial in tries):
            check_alone(walker, release, arch, {})
    except NotAWalker as wrong:
        raise NotYet(sentence(str(wrong), walker)) from None
    executions = interleavings = 0
    for trial in tries:
        scenario = _scene(walker, trial, own=own, walkers=walkers, accept=accept)
        for order in (scenario.cpus, tuple(reversed(scenario.cpus))):
            seated = replace(scenario, cpus=order)
            verdict = explore(seated, limit=limits)
            if verdict.outcome != "safe":
                refuse(seated, verdict, words(trial, verdict) if words else "", f"Against {trial}: ")
            executions += verdict.executions
            interleavings += verdict.interleavings or 0
    kernels = " and ".join(dict.fromkeys(trial.release for trial in tries))
    changers = len({trial.changer for trial in tries})
    return (
        f"Safe against {changers} changers on kernel {kernels}: all {in_words(executions)} executions searched, "
        f"standing for {in_words(interleavings)} interleavings; {walkers + 1} CPUs, steps sequentially consistent."
    )


def safe(
    what: Scenario | Program | str, words: str = "", *, limits: Limits = LIMITS, **kernel: Any
) -> Verdict:
    """The verdict of a race that must be safe; else `NotYet`, with `words` or the report's on what was observed."""
    verdict = explore(what, limit=limits, **kernel)
    if verdict.outcome != "safe":
        refuse(what, verdict, words)
    return verdict


def refuse(what: Scenario | Program | str, verdict: Verdict, words: str = "", where: str = "") -> NoReturn:
    """Raises `NotYet` for a verdict that is no "safe", and keeps the race for the stepper."""
    if verdict.outcome == "incomplete" or verdict.schedule is None:
        raise NotYet(f"{where}{words or observed(verdict)}")
    raise NotYet(f"{where}{words or observed(verdict)} {shown(what, verdict.schedule)}")


def shown(what: Scenario | Program | str, schedule: Schedule) -> str:
    """The schedule, and how to open the stepper on it; the race is kept for `failed`."""
    keep(what, str(schedule))
    if not schedule.turns:
        return "Nobody had taken a step by then."
    turns = "switch" if schedule.switches == 1 else "switches"
    return f"Schedule ({schedule.switches} {turns}): {schedule} — watch it with ptwalk.stepper(*ptwalk.failed())."


def observed(verdict: Verdict) -> str:
    """What a search saw, in a sentence or two, without lists of frames and rules."""
    if verdict.outcome == "incomplete":
        return f"The search did not come to an end: {one_line(verdict.limit)}."
    report = verdict.report
    if isinstance(report, Report):
        return f"{report.title[:1].upper()}{report.title[1:]}. {one_line(report.happened)}."
    if isinstance(report, Finding):
        result = _OF_RESULT.fullmatch(one_line(report.text))
        return result[1] if result and report.kind == "violation" else f"{one_line(report.text).rstrip('.')}."
    return f"{one_line(str(report)).rstrip('.')}."


def oracle(verdict: Verdict) -> str:
    """The name of what objected: a sanitizer's ("lifetime"), or the kind of a finding ("deadlock"); "" if safe."""
    report = verdict.report
    if isinstance(report, Report):
        return report.sanitizer
    return report.kind if isinstance(report, Finding) else ""


# ---- schedule lines ----


def schedule_line(answer: object, what: str = "The schedule") -> Schedule:
    """The learner's schedule line as a `Schedule`; the whole `ptwalk replay` line may be pasted."""
    if isinstance(answer, Schedule):
        return answer
    if answer is None or answer is ...:
        raise NotYet(f'{what} is still empty. A schedule is one line of text, such as "0x4 1x9 0x1".')
    if not isinstance(answer, str):
        raise NotYet(
            f'{what} is {article(type(answer).__name__)}, not text. Write it as text, such as "0x4 1x9 0x1".'
        )
    words = answer.replace("'", " ").replace('"', " ").split()
    if words[:2] == ["ptwalk", "replay"]:
        words = words[3:]
    elif words and "-vs-" in words[0]:
        words = words[1:]
    if not words:
        raise NotYet(f'{what} has no turn in it. A turn is CPU x steps: "0x4" lets CPU 0 take four steps.')
    try:
        return Schedule.parse(" ".join(words))
    except ScheduleError as wrong:
        raise NotYet(f"{what} can't be read: {short(str(wrong), 240)}.") from None


def played(
    what: Scenario | Program | str, answer: object, name: str = "The schedule", **kernel: Any
) -> Replay:
    """The replay of the learner's schedule line; a line that cannot be read or played is `NotYet`."""
    line = schedule_line(answer, name)
    try:
        return replay(what, line, **kernel)
    except PtwalkError as wrong:
        raise NotYet(f"{name} can't be played: {one_line(str(wrong))}.") from None


def cut_short(asked: Schedule, done: Replay) -> str:
    """The first turn of a line that could not take all its steps, as a sentence; "" if each could.

    A turn without an anchor is followed as far as it goes, and the replay says nothing: that CPU waits, or is through.
    """
    cpus = [step.cpu for step in done.steps]
    at = 0
    for number, turn in enumerate(asked.turns, 1):
        taken = 0
        while taken < turn.count and at < len(cpus) and cpus[at] == turn.cpu:
            taken, at = taken + 1, at + 1
        if taken < turn.count:
            return (
                f"In turn {number}, CPU {turn.cpu} took {taken} of {turn.count} steps: then it had to "
                f"wait, or was through."
            )
    return ""


# ---- words ----


def handed_in(answer: object) -> None:
    """`NotYet` if nothing was handed in."""
    if answer is None or answer is ...:
        raise NotYet("Nothing was handed in. Hand in the function itself, without brackets.")


def sentence(text: str, walker: object) -> str:
    """What was found wrong with a walker, as a sentence: with a capital, unless its own name comes first."""
    text = one_line(text).rstrip(".")
    mine = text.startswith(getattr(walker, "__name__", "\n"))
    return f"{text if mine else text[:1].upper() + text[1:]}."


def one_line(text: str) -> str:
    """A text with its line breaks and runs of blanks made one blank."""
    return " ".join(text.split())
