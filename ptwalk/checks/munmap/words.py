"""Exercise 05.3: a freed table is a page of data now; which of its 512 words does DAMON v34 change?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ptwalk.arch import format_named
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import number
from ptwalk.kernel.mm import Mm
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import home
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.walk.damon import damon_va_mkold_v34

WORDS = 512
SAID = b"the page table was given back long ago, and somebody keeps a text in it now; "
FRAME = 0x000F_FFFF_FFFF_F000
PRESENT, YOUNG, DIRTY, PROT_NONE = 0x1, 0x20, 0x40, 0x100


@dataclass(frozen=True)
class Reused:
    """The page: `words`, its 512 words, and `lru`, the numbers of the frames that are pages on the LRU list."""

    seed: int
    words: tuple[int, ...]
    lru: frozenset[int]

    def __repr__(self) -> str:
        """What there is, in one line."""
        some = ", ".join(hex(frame) for frame in sorted(self.lru))
        return f"words: 512 words   lru: frames {some}   (seed {self.seed})"


@cache
def draw(seed: int) -> Reused:
    """A page of text, numbers and words that look like entries; the same for the same seed."""
    dice = random.Random(seed)
    lru = frozenset(_frames(_stage(()))[1])
    words = [int.from_bytes((SAID * 60)[8 * i : 8 * i + 8], "little") for i in range(WORDS)]
    places = dice.sample(range(8, WORDS), 120)
    kinds = (
        lambda f: f << 12 | PRESENT | YOUNG | 0x6 | 1 << 63,
        lambda f: f << 12 | PRESENT | YOUNG | DIRTY | 0x6,
        lambda f: f << 12 | PRESENT | 0x6 | DIRTY,  # not young
        lambda f: f << 12 | 0x6 | YOUNG,  # not present
        lambda f: (~(f << 12) & FRAME) | PROT_NONE | YOUNG | DIRTY,
        lambda f: (~(f << 12) & FRAME) | PROT_NONE | DIRTY,
        lambda f: (f + 0x7000) << 12 | PRESENT | YOUNG | 0x6,  # no page of this machine
        lambda f: f << 12 | PROT_NONE | YOUNG,  # the frame is not inverted: another one is meant
    )
    for at, place in enumerate(places):
        words[place] = kinds[at % len(kinds)](dice.choice(sorted(lru)))
    words[places[0] + 1 if places[0] < WORDS - 1 else 9] = 7  # a small number beside
    return Reused(seed, tuple(words), lru)


def _stage(words: tuple[int, ...]) -> Stage:
    """One CPU that walks all 512 addresses of a table which holds `words`."""

    async def damon_all(mm: Mm, addr: int) -> None:
        for index in range(WORDS):
            await damon_va_mkold_v34(mm, addr + 4096 * index)

    def lay_out(stage: Stage) -> None:
        mm = stage.mm()
        for _ in range(6):
            stage.machine.new_frame("anon", "page")
        table = mm.initial_table(home(mm), "pte")
        table.contents.update(enumerate(words))
        mm.map(home(mm), home(mm) + 4096)
        stage.run(WALKER, damon_all, mm, home(mm))

    return Scenario("all words", "", lay_out, Never(), cpus=(WALKER,), release="5.15.0", oracles=()).stage()


def _frames(stage: Stage) -> tuple[Mm, list[int]]:
    machine, mm = stage.machine, stage.kernel.mms[0]
    pages = [
        n
        for n in range(4096)
        if machine.is_page(n << 12) and machine.frame_at(n << 12).life_in([]).kind == "anon"
    ]
    return mm, pages


@cache
def changed(seed: int) -> dict[int, int]:
    """What the walker really does, run over each word: index and new word."""
    words = draw(seed).words
    stage = _stage(words)
    program = stage.program()
    memory = list(program.cells.initial)
    walk, result = program.cpus[0].start(), None
    while True:  # one CPU alone: no schedule to choose, so the steps are simply taken
        try:
            operation = walk.send(result)
        except StopIteration:
            break
        operation.footprint(0)  # a page's counters come into being when they are first named
        memory.extend(program.cells.initial[len(memory) :])
        result = operation.execute(memory, 0)
    table = stage.kernel.mms[0].initial_table(home(stage.kernel.mms[0]), "pte")
    after = memory
    found = {}
    for index, word in enumerate(words):
        cell = table.entry_cell(index)
        now: Any = after[cell] if cell < len(after) else word
        if now != word:
            found[index] = now
    return found


def check(answer: object, seed: int) -> str:
    """Compares index by index with what the walker did in 512 runs."""
    if answer is None or answer is ...:
        raise NotYet(
            "There is nothing to check. Hand in a dict: the index of each changed word, and the new word."
        )
    if not isinstance(answer, Mapping):
        raise NotYet(
            "Hand in a dict: the index of each word that v34 changes, and what the word is afterwards."
        )
    words, lru, right = draw(seed).words, draw(seed).lru, changed(seed)
    given = {number(k, "An index"): number(v, f"The new word at {k}") for k, v in answer.items()}
    outside = [index for index in given if not 0 <= index < WORDS]
    if outside:
        by_eight = max(outside) < 8 * WORDS and not any(index % 8 for index in given)
        more = " An entry is 8 bytes: you gave the byte." if by_eight else ""
        raise NotYet(f"There is no word {outside[0]} in a page of 512 words.{more}")
    bits = {words[index] ^ new for index, new in given.items()}
    if DIRTY in bits <= {0, DIRTY} and set(given) != set(right):
        raise NotYet("You cleared bit 6 in each. That is dirty; which bit says that the page was accessed?")
    for index in sorted(given):
        if index not in right:
            raise NotYet(_not_changed(index, words[index], lru))
        if given[index] != right[index]:
            raise NotYet(_other_bit(index, words[index], given[index]))
    missing = sorted(set(right) - set(given))
    if missing:
        raise NotYet(_forgotten(missing[0], words[missing[0]], len(missing)))
    return f"All 512 words: {len(right)} change, as in 512 runs of the walker itself."


def _not_changed(index: int, word: int, lru: frozenset[int]) -> str:
    entry = format_named("x86-64-4level", release="5.15").decode(word, "pte")
    where = f"Word {index}, {word:#x}:"
    if not entry.linux_present:
        return f"{where} v34 read it and let go. Linux does not call this present: bits 0 and 8 are clear."
    frame = None if entry.address is None else entry.address >> 12
    if frame not in lru:
        if word & 1 == 0:
            return (
                f"{where} you took the frame as it stands there. In an entry with bit 0 clear and bit 8 set it is "
                "stored inverted, so another frame is meant."
            )
        return f"{where} frame {(word & FRAME) >> 12:#x} is no page on the LRU list. v34 looked, and let go."
    return f"{where} v34 read it and wrote nothing: this entry is not young."


def _other_bit(index: int, word: int, given: int) -> str:
    cleared = [bit for bit in range(64) if (word ^ given) >> bit & 1]
    if cleared == [6]:
        return f"Word {index}: you cleared bit 6. That is dirty, and not what v34 is after."
    if not cleared:
        return f"Word {index}: you gave back the same word. What does the store change?"
    return f"Word {index}: you changed bits {', '.join(map(str, cleared))}. v34 changes one bit."


def _forgotten(index: int, word: int, count: int) -> str:
    if word & 1 == 0:
        return (
            f"{count} more words change, such as word {index}, {word:#x}. Bit 0 is clear there, and Linux calls it "
            "present all the same."
        )
    return f"{count} more words change, such as word {index}, {word:#x}. What does v34 test before it writes?"


EXERCISE = Exercise(
    name="05.3",
    title="Which words change?",
    notebook="05_race_munmap",
    kind="compute",
    difficulty=2,
    minutes=12,
    hints=(
        "v34 is careful, only too late. Which three things must a word look like before v34 writes to it?",
        "Present to Linux's mind, a frame that is on the list, and young. Notebook 01 has the bits.",
        "Present: word & 0x101. With bit 0 clear, the frame is inverted. Young: word & 0x20. Then word & ~0x20.",
    ),
    why="The walker's tests ask if this is an entry of a page. None asks if the table is still a table.",
    check=check,
    problem=draw,
    seconds=20.0,
)
