"""Exercise 00.2: read the log of another race: unlinked, freed, used, and how old the pointer was."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import number
from ptwalk.explore.replay import Replay, replay_on
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.pgtable import is_table, mm_find_pmd, offset_lockless
from ptwalk.machine.entries import EntryOperation
from ptwalk.machine.frames import UNLINKED
from ptwalk.scenarios import CHANGERS
from ptwalk.scenarios.pair import pair

NAMES = ("unlinked", "freed", "broke", "age")
RACES = (("munmap", "5.15.0"), ("munmap", "6.1"), ("munmap-last", "5.15.0"), ("mremap-ptes", "5.15.0"))


async def monitor(mm: Mm, addr: int) -> None:
    """Finds the table for `addr`, looks at another part of the PMD table, and only then reads the pte."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None:
        return
    entry = await pmd.read()
    beside = pmd.frame.entry(mm.format.index(addr, "pmd") + 3, "pmd")
    await beside.read()
    await beside.read()
    if is_table(entry):
        await offset_lockless(pmd, entry, addr).read()


@dataclass(frozen=True)
class Log:
    """The steps of one run, and what each of the four names means in it."""

    seed: int
    lines: tuple[str, ...]
    answer: Mapping[str, int]
    zap: int
    flush: int
    read: int
    beside: int

    def __repr__(self) -> str:
        """The steps, one a line."""
        return "\n".join((*self.lines, f"(seed {self.seed})"))


@cache
def draw(seed: int) -> Log:
    """A run in which the table is used after it was freed; the same for the same seed."""
    for attempt in range(50):
        log = _draw(seed, random.Random(f"{seed} {attempt}"))
        if seed == 1 or log.answer != draw(1).answer:
            return log
    raise AssertionError(f"seed {seed} gives the same log as seed 1, fifty times over")


def _draw(seed: int, dice: random.Random) -> Log:
    changer, release = dice.choice(RACES)
    scenario = pair(f"{changer}-vs-monitor", monitor, CHANGERS[changer], release=release)
    stage = scenario.stage()
    program = stage.program()
    mm = stage.kernel.mms[0]
    table = next(frame for frame in stage.machine.tables() if frame.life_in([]).kind == "pte")
    alone = replay_on(program, [1] * _length(program)).steps
    freed = next(step.number for step in alone if step.after[table.life][0] in ("freed", "free"))
    cut = next(step.number for step in alone if step.after[table.link] == UNLINKED)
    # The monitor reads pgd, pud, pmd among the changer's first steps, and goes on after the free.
    early = sorted(dice.randrange(cut) for _ in range(3))
    late = dice.randint(0, 1)  # whether one look beside comes before the free
    order: list[int] = []
    for at in range(freed + dice.randint(0, 1)):
        order += [0] * early.count(at)
        if late and at == cut:
            order.append(0)
        order.append(1)
    done = replay_on(program, [*order, *[0] * (3 - late)])
    return _read(seed, done, table, mm)


def _length(program: Any) -> int:
    done = replay_on(program, "1x3000")
    return len(done.steps)


def _read(seed: int, done: Replay, table: Any, mm: Mm) -> Log:
    steps = done.steps
    unlinked = next(step.number for step in steps if step.after[table.link] == UNLINKED)
    freed = next(step.number for step in steps if step.after[table.life][0] in ("freed", "free"))
    broke = next(step.number for step in steps if step.report is not None)
    walker = [step for step in steps if step.cpu == 0]
    read = walker[2].number
    zap = next((s.number for s in steps if s.cpu == 1 and s.kind == "xchg"), 0)
    flush = next((s.number for s in steps if s.cpu == 1 and s.kind == "flush" and s.number > unlinked), 0)
    beside = next(
        (s.number for s in walker if s.number > freed and isinstance(s.operation, EntryOperation)), broke
    )
    lines = tuple(f"{step.number:3}  CPU {step.cpu} {step.name}: {step.text}" for step in steps[:broke])
    answer = {"unlinked": unlinked, "freed": freed, "broke": broke, "age": broke - read}
    return Log(seed, lines, answer, zap, flush, read, beside)


def check(answer: object, seed: int) -> str:
    """The four numbers, compared with the states of the frame and the report of the run."""
    if not isinstance(answer, Mapping):
        raise NotYet(f"Hand in a dict with the four names {', '.join(map(repr, NAMES))}; each is a number.")
    missing = [name for name in NAMES if answer.get(name) is None]
    if missing:
        raise NotYet(f"Still empty: {', '.join(missing)}. Each is a number you can count in the log.")
    log = draw(seed)
    given = {name: number(answer[name], name) for name in NAMES}
    for name in NAMES:
        if given[name] != log.answer[name]:
            raise NotYet(_words(name, given, log))
    return "All four compared with the states of the frame in the run itself."


def _words(name: str, given: Mapping[str, int], log: Log) -> str:
    mine = given[name]
    where = f"{name} = {mine}:"
    known = {
        (
            "unlinked",
            log.zap,
        ): "entries in the table were cleared there; the table itself was still reachable.",
        ("unlinked", log.answer["freed"]): "there the memory was given back. It was cut off before that.",
        ("freed", log.answer["unlinked"]): "cut off is not given back: look for 'frees'.",
        ("freed", log.flush): "after the flush no hardware walk can begin there; the memory is still held.",
        ("broke", log.beside): "that step reads the PMD table, which lives.",
        ("broke", log.answer["freed"]): "that is the free itself. Nobody used the table in it.",
        (
            "age",
            log.answer["broke"] - log.answer["freed"],
        ): "you counted from the free. Count from the read that gave CPU 0 this pointer.",
        ("age", log.answer["broke"]): "you counted from the first step of all. Count from the read that gave "
        "CPU 0 this pointer.",
    }
    if (name, mine) in known:
        return f"{where} {known[name, mine]}"
    if name == "age":
        return f"{where} no. Which step read the pmd entry that names the table? How many steps later was it used?"
    if 1 <= mine <= len(log.lines):
        return f"{where} that step is '{log.lines[mine - 1].split(': ', 1)[1]}'. Follow one frame number."
    return f"{where} the log has steps 1 to {len(log.lines)}."


EXERCISE = Exercise(
    name="00.2",
    title="Read the log",
    notebook="00_start_here",
    kind="predict",
    difficulty=1,
    minutes=4,
    hints=(
        "Follow one frame number: that of the pte table.",
        "Its state changes three times: in the tree, cut off, given back. Then somebody uses it.",
        "unlinked: the changer clears the pmd entry. freed: it frees that frame. broke: the walker's step on a pte of "
        "that frame. age: from the walker's one read of that pmd entry to the broken step.",
    ),
    why="A table goes live, unlinked, freed. The pointer does not change on the way: it only gets older.",
    check=check,
    problem=draw,
)
