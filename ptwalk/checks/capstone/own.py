"""Exercise 11.1: the row of the learner's own walker, and for each safe cell the reason, tried by taking it away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from functools import wraps
from typing import Any, cast

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.solo import sound
from ptwalk.machine.locks import LockOperation
from ptwalk.machine.operation import Operation
from ptwalk.sanitizers import ALL
from ptwalk.scenarios import CHANGERS, Scenario
from ptwalk.scenarios.pair import pair
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore
from ptwalk.trials.own_walker import IDLE, check_alone

Walk = Callable[[Any, int], Awaitable[Any]]
AGAINST = ("munmap", "munmap-neighbour", "collapse-anon", "retract", "dontneed", "exit")
ANSWERS = {
    "bug": "some schedule breaks a rule",
    "lock": "safe: a lock that the walker holds keeps the changer out",
    "wait": "safe: whoever frees waits for the walker (interrupts off, an RCU section, preemption off)",
    "cannot": "safe: this changer can't take away what the walker uses, whatever the walker holds",
}
RELEASE = "5.15.0"
_QUIET = ("irq_", "rcu_read", "preempt_", "vma_start_read", "vma_end_read")
# A walker without its locks may not use the pages' locks either; what is asked is only if memory goes away under it.
_MEMORY = tuple(oracle for oracle in ALL if oracle.name in ("lifetime", "wild", "confusion", "detached"))


def _is_lock(operation: Operation) -> bool:
    return isinstance(operation, LockOperation) or operation.kind.startswith("vma_")


def _is_wait(operation: Operation) -> bool:
    return operation.kind.startswith(_QUIET[:3])


class _Without:
    """A walk in which some steps are left out, as if they had gone well."""

    def __init__(self, walk: Any, left_out: Callable[[Operation], bool]) -> None:
        self.walk, self.left_out = walk, left_out

    def __await__(self) -> Generator[Any, Any, Any]:
        steps, result = self.walk.__await__(), None
        while True:
            try:
                operation = steps.send(result)
            except StopIteration as end:
                return end.value
            result = True if self.left_out(operation) else (yield operation)


def without(walk: Walk, left_out: Callable[[Operation], bool]) -> Walk:
    """The same walker with some of its steps left out."""

    @wraps(walk)
    async def naked(mm: Any, addr: int) -> Any:
        return await _Without(walk(mm, addr), left_out)

    return naked


def check(answer: object, seed: int) -> str:
    """Each cell is searched; each reason is tried by taking away what it names."""
    if not isinstance(answer, Mapping) or not {"walk", "row"} <= set(answer):
        raise NotYet(
            'Hand in a dict with "walk", your walker, and "row", a dict with a word for each changer.'
        )
    walk, row, own = cast(Walk, answer["walk"]), answer["row"], bool(answer.get("own", False))
    if not isinstance(row, Mapping):
        raise NotYet('"row" is to be a dict: a word for each changer, by its name.')
    sound(walk, RELEASE)
    if IDLE in check_alone(walk, RELEASE, "x86-64", {}):
        raise NotYet("With nobody else there your walker touches no page table. A walker must walk.")
    missing = [changer for changer in AGAINST if row.get(changer) is None]
    if missing:
        raise NotYet(f"No word yet for {', '.join(missing)}. Each is one of {', '.join(ANSWERS)}.")
    executions = 0
    for changer in AGAINST:
        executions += _cell(walk, changer, str(row[changer]), own)
    return (
        f"Six cells on {RELEASE}: {executions} executions searched, and each reason tried by taking it away."
    )


def _scene(walk: Walk, changer: str, own: bool, *, memory_only: bool = False) -> Scenario:
    settings: dict[str, Any] = {"oracles": _MEMORY} if memory_only else {}
    return pair(
        f"{changer}-vs-{getattr(walk, '__name__', 'walker')}",
        walk,
        CHANGERS[changer],
        own=own,
        release=RELEASE,
        **settings,
    )


def _cell(walk: Walk, changer: str, word: str, own: bool) -> int:
    if word not in ANSWERS:
        raise NotYet(f"{changer}: {word!r} is none of the words {', '.join(ANSWERS)}.")
    scene = _scene(walk, changer, own)
    verdict = explore(scene)
    if verdict.outcome == "bug":
        if word != "bug":
            race.refuse(scene, verdict, f"{changer}: you say safe ({word}), and it is not.")
        return verdict.executions
    if word == "bug":
        raise NotYet(f"{changer}: you say that it breaks. All {verdict.executions} executions are safe.")
    _reason(walk, changer, word, own)
    return verdict.executions


def _reason(walk: Walk, changer: str, word: str, own: bool) -> None:
    def naked(left_out: Callable[[Operation], bool]) -> tuple[Scenario, Verdict]:
        scene = _scene(without(walk, left_out), changer, own, memory_only=True)
        return scene, explore(scene)

    bare, nothing = naked(lambda operation: _is_lock(operation) or _is_wait(operation))
    if word == "cannot":
        if nothing.outcome == "bug":
            race.refuse(
                bare, nothing, f"{changer}: you say that it can't. Without what your walker holds, it can."
            )
        return
    if nothing.outcome != "bug":
        raise NotYet(
            f"{changer}: you name a reason ({word}). Take every lock and every waiting away, and no table is "
            "gone all the same."
        )
    _, less = naked(_is_lock if word == "lock" else _is_wait)
    _, other = naked(_is_wait if word == "lock" else _is_lock)
    if less.outcome != "bug" and other.outcome == "bug":
        what = "all locks" if word == "lock" else "interrupts off and RCU"
        raise NotYet(f"{changer}: you name the {word}. Take {what} away, and the cell stays green.")


EXERCISE = Exercise(
    name="11.1",
    title="Your own",
    notebook="11_capstone",
    kind="review",
    difficulty=2,
    minutes=30,
    hints=(
        "One load, one line. Which lock would you have to remove to turn the cell red?",
        "Remove the lock you name: does the cell turn? If not, it was not the reason.",
        "Ask in this order: can this changer take away the table I use? If it can, which of my locks does it take too? "
        "If none: who waits for me?",
    ),
    why="A cell is safe for one of three reasons. Who can name it, knows what a later change must not break.",
    check=check,
    seconds=60.0,
)
