"""Exercise 11.2: three unseen walkers: legal or not on which release, why, a schedule or "none", and the mend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, cast
from weakref import WeakSet

from ptwalk.checks import race
from ptwalk.checks.capstone import unseen
from ptwalk.checks.capstone.records import CPUS
from ptwalk.checks.capstone.records import race as record_race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.failed import latest, put_back
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.checks.solo import alone, leaves_the_rest, sound
from ptwalk.explore.replay import replay_on
from ptwalk.scenarios import CHANGERS
from ptwalk.scenarios.pair import WALKER
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore
from ptwalk.trials.own_walker import own_scenario

# Mends proved in this session: a search of all changers takes seconds, and other parts may be handed in again.
_proved: WeakSet[Any] = WeakSet()

Walk = Callable[[Any, int], Awaitable[Any]]
REASONS = {
    "a": "a pointer to an entry is kept while its lock is dropped",
    "b": "no mmap_lock is held",
    "c": "whoever removes the table needs a lock that is held here, or is noticed under the table's lock",
    "d": "the table's memory is freed too early",
    "e": "the lock that is held belongs to a table that is no longer the one in the tree",
    "f": "a store is not atomic",
}
WALKERS: dict[str, tuple[Walk, tuple[str, ...]]] = {
    "A": (unseen.collect_then_clear, ("5.15.0", "6.14")),
    "B": (unseen.page_finder, ("7.1", "5.15.0")),
}
WHY = {"A": "a", "B": "c", "C": "e"}
ASKED = ("A 5.15.0", "A 6.14", "A why", "A mend", "B 7.1", "B 5.15.0", "B why", "C 7.1", "C why", "C mend")
NUDGES = {
    "A 6.14": "Which local variable outlives a lock, and who may remove a table in between on 6.14?",
    "B 5.15.0": "Ask each remover of 5.15.0 if it waits for the file's lock.",
    "C 7.1": "Did you let a third CPU in? Who hangs a new table there?",
}
CLEARED = {
    "A 5.15.0": "On 5.15.0 the table cannot go while mmap_lock is held for reading in the VMA; the value is compared.",
    "B 7.1": "No mmap_lock, and yet: which lock does munmap need before it frees? What does the map do under its lock?",
}


def check(answer: object, seed: int) -> str:
    """Each claim is searched, each schedule played, each mend proved; the parts are judged one by one."""
    if not isinstance(answer, Mapping):
        raise NotYet(f"Hand in a dict with these keys: {', '.join(ASKED)}.")
    judged: list[tuple[str, bool]] = []
    first: NotYet | None = None
    race_of_first = latest()
    for part in ASKED:
        try:
            _judge(part, answer.get(part))
        except NotYet as wrong:
            judged.append((part, False))
            if first is None:
                first, race_of_first = NotYet(f"{part}: {wrong.observed}"), latest()
        else:
            judged.append((part, True))
    if first is not None:
        put_back(race_of_first)
        raise NotYet(first.observed, parts=tuple(judged))
    return (
        "Three reviews: each claim searched, each schedule played, both mends proved against every changer."
    )


def _judge(part: str, given: object) -> None:
    name, _, what = part.partition(" ")
    if given is None or given is ...:
        raise NotYet("nothing there yet.")
    if what == "why":
        _why(name, given)
    elif what == "mend":
        _mended_a(given) if name == "A" else _mended_c(given)
    elif name == "C":
        _claim_c(part, given)
    else:
        _claim(part, *WALKERS[name], what, given)


def _why(name: str, given: object) -> None:
    letter = str(given).strip().lower()
    if letter not in REASONS:
        raise NotYet(f"{shown(given)} is none of the letters {', '.join(REASONS)}.")
    if letter == WHY[name]:
        return
    known = {
        ("B", "b"): "true, and no reason: would taking it change a cell?",
        ("C", "d"): "RCU keeps the memory, and no sanitizer saw a freed table. Look at the record.",
        ("A", "d"): "that is what happens in the end. Which habit of the walker lets it happen?",
    }
    raise NotYet(
        known.get((name, letter), f"not ({letter}): change just that in the walker, and no cell turns.")
    )


def _claim(part: str, walker: Walk, releases: tuple[str, ...], release: str, given: object) -> None:
    words = str(given).strip()
    row = _row(walker, release)
    bug = next((changer for changer, verdict in row.items() if verdict.outcome == "bug"), "")
    if words.lower() in ("none", "safe"):
        if bug:
            raise NotYet(
                f"you claim that there is none, and a search against {bug} finds one. {NUDGES[part]}"
            )
        return
    if not bug:
        count = sum(verdict.executions for verdict in row.values())
        raise NotYet(f"all {count} executions against {len(row)} changers are safe. {CLEARED[part]}")
    changer, _, line = words.partition(" ")
    if changer not in row:
        raise NotYet(
            f"{changer!r} changes no tables on {release}. Write a changer and a schedule: 'munmap 0x4 1x30 0x1'."
        )
    done = race.played(own_scenario(walker, changer, release), line, "your schedule")
    if done.report is None:
        last = done.steps[-1]
        raise NotYet(
            f"your schedule against {changer} breaks no rule. Its last step: CPU {last.cpu} {last.text}."
        )


@cache
def _row(walker: Walk, release: str) -> Mapping[str, Verdict]:
    """The verdict of a walker of ours against every changer of a release; the walkers do not change."""
    scenarios = {changer: own_scenario(walker, changer, release) for changer in CHANGERS}
    return {
        changer: explore(scenario)
        for changer, scenario in scenarios.items()
        if CHANGERS[changer].exists(scenario.config())
    }


def _claim_c(part: str, given: object) -> None:
    if str(given).strip().lower() in ("none", "safe"):
        raise NotYet(f"you claim that there is none. {NUDGES[part]}")
    done = race.played(record_race(unseen.skip_the_empty), given, "your schedule")
    if done.report is None:
        words = (
            ""
            if done.complete
            else " It does not run to the end of all three CPUs; only then is the record judged."
        )
        raise NotYet(f"your schedule loses no record.{words}")


def _mended_a(given: object) -> None:
    sound(given, "5.15.0", "7.1")
    walker = cast(Walk, given)
    for release in ("5.15.0", "7.1"):
        solo = alone(walker, release)
        if solo.word(solo.ground.addr).accessed:
            raise NotYet(
                f"alone on {release}, your walker leaves the page marked accessed. A walker must walk."
            )
        leaves_the_rest(walker, release)

    def words(trial: race.Trial, verdict: Verdict) -> str:
        if trial.changer in ("retract", "reclaim", "collapse-pte-mapped"):
            return "the pointer is still older than the lock: the table went in between."
        return ""

    if walker not in _proved:
        race.safe_against(walker, race.trials("all", "5.15.0", "7.1"), words=words)
        _proved.add(walker)


def _mended_c(given: object) -> None:
    race.handed_in(given)
    if not callable(given):
        raise NotYet("hand in the function, async def skip(records, mm, addr).")
    skip = cast(Any, given)
    still = record_race(skip, cpus=(WALKER, "dontneed"), whole=False)
    after = replay_on(still, "1x400 0x400")
    if not after.steps or after.steps[-1].after[still.cells.number("record: has pages")]:
        raise NotYet(
            "with an empty table that stays, your walker never says empty. It must still do its work."
        )
    for cpus in (CPUS, tuple(reversed(CPUS))):
        program = record_race(skip, cpus=cpus)
        verdict = explore(program, limit=race.LIMITS)
        if verdict.outcome != "safe":
            race.refuse(program, verdict, "" if race.oracle(verdict) != "at end" else _LOOKS)


_LOOKS = (
    "the record is still lost. Another look at the entries doesn't help: none equals none. Whose lock is it?"
)

EXERCISE = Exercise(
    name="11.2",
    title="Three unseen",
    notebook="11_capstone",
    kind="review",
    difficulty=3,
    minutes=45,
    hints=(
        "Which local variable outlives a lock? Ask that of each of the three.",
        "List what each remover must hold on that release; cross it with what the walker holds.",
        "A: pointers to ptes. B: ask who must wait for the file's lock. C: whose lock does it hold, and is that table "
        "still in the tree? Compare the pmd under the lock.",
    ),
    why="A kept pointers where it should have kept addresses. B looks naked and is not. C held a lock, but of a table "
    "that nobody uses any more.",
    check=check,
    seconds=90.0,
)
