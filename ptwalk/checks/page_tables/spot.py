"""Exercise 01.4: among a few words of the capture, spot the PROT_NONE page and the swapped page, and read them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.page_tables.synthetic import ADDRESS
from ptwalk.checks.preflight import number
from ptwalk.checks.shipped import machine, truth

KEYS = ("prot_none", "frame", "swapped", "type", "offset")


@dataclass(frozen=True)
class SixWords:
    """Six last-level entries of process P: `words`, and the right `answer` kept out of sight."""

    seed: int
    words: tuple[int, ...]

    def __repr__(self) -> str:
        """One word a line with its position."""
        lines = [f"word {at}: {word:#018x}" for at, word in enumerate(self.words)]
        return "\n".join([*lines, f"(seed {self.seed})"])


def draw(seed: int) -> SixWords:
    """Six words of the capture, the same for the same seed: four leaves, one PROT_NONE, one swapped."""
    return _draw(seed)[0]


def _draw(seed: int) -> tuple[SixWords, dict[str, int]]:
    dice = random.Random(seed)
    runs = truth()["pages"]
    swapped = dice.choice([r for r in runs if r["swapped"] and r["swap_offset"] > 15])
    hidden = dice.choice([r for r in runs if r["present"] and not r.get("in_qemu_tlb")])
    small = [r for r in runs if r.get("page_size") == 4096 and r["present"] and r.get("in_qemu_tlb")]
    page = {id(run): dice.randrange(run["n"]) for run in (swapped, hidden)}
    chosen = [swapped, hidden, *dice.sample(small, 4)]
    dice.shuffle(chosen)
    words = tuple(
        machine().walk(int(run["va"], 16) + 4096 * page.get(id(run), 0)).levels[-1].raw for run in chosen
    )
    answer = {
        "prot_none": chosen.index(hidden),
        "frame": int(hidden["pfn"], 16) + page[id(hidden)] * hidden.get("pfn_step", 1),
        "swapped": chosen.index(swapped),
        "type": swapped["swap_type"],
        "offset": swapped["swap_offset"] + page[id(swapped)] * swapped.get("swap_offset_step", 1),
    }
    return SixWords(seed, words), answer


def check(answer: object, seed: int) -> str:
    """Compare the five numbers with pagemap's."""
    asked, right = _draw(seed)
    if not isinstance(answer, Mapping):
        raise NotYet(f"The answer is a dict with the keys {', '.join(KEYS)}.")
    missing = [key for key in KEYS if answer.get(key) is None or answer.get(key) is ...]
    if missing:
        raise NotYet(f"Still to fill in: {', '.join(missing)}.")
    given = {key: number(answer[key], key) for key in KEYS}
    for key in ("prot_none", "swapped"):
        _position(key, given[key], right, asked.words)
    hidden, swapped = asked.words[right["prot_none"]], asked.words[right["swapped"]]
    _frame(given["frame"], right["frame"], hidden)
    _type(given["type"], right["type"], swapped)
    _offset(given["offset"], right["offset"], swapped)
    return "Both positions, the frame, the type and the offset compared with Linux's pagemap."


def _position(key: str, at: int, right: Mapping[str, int], words: tuple[int, ...]) -> None:
    if at == right[key]:
        return
    if at not in range(len(words)):
        raise NotYet(f"{key}: there is no word {at}. They are numbered 0 to {len(words) - 1}.")
    word = words[at]
    if word & 1:
        raise NotYet(f"{key}: word {at} has bit 0 set. The hardware maps that page without a fault.")
    has = "has" if word >> 8 & 1 else "has not"
    raise NotYet(f"{key}: word {at} {has} bit 8 set. Which of the two kinds is that?")


def _frame(frame: int, right: int, word: int) -> None:
    stored = (word & ADDRESS) >> 12
    if frame == right:
        return
    if frame == right << 12:
        raise NotYet(
            f"frame: {frame:#x} is the address of the page. Its frame number counts pages of 4096 bytes."
        )
    if frame in (stored, stored << 12):
        raise NotYet(f"frame: {frame:#x} as it stands in the entry would lie far past this machine's memory.")
    if (frame & (1 << 28) - 1) == (right & (1 << 28) - 1):
        raise NotYet(f"frame: {frame:#x} carries bits above 51. They are not part of the frame.")
    raise NotYet(f"frame: pagemap has another frame than {frame:#x} for that page.")


def _type(given: int, right: int, word: int) -> None:
    if given == right:
        return
    if given == word >> 58 or given == word >> 60:
        raise NotYet(
            f"type: {given} comes out when one bit too many or too few is taken. It is five bits, 63:59."
        )
    if given == (~word >> 59) & 31:
        raise NotYet(f"type: {given} is the type inverted. Only the offset is stored inverted.")
    raise NotYet(f"type: {given} is not what pagemap says. In which bits does the type lie?")


def _offset(given: int, right: int, word: int) -> None:
    if given == right:
        return
    if given == (word >> 9) & (1 << 50) - 1:
        raise NotYet(f"offset: {given} pages? No swap area is that large.")
    if given == ~(word >> 9) or given < 0:
        raise NotYet(
            f"offset: {given} is below zero. Python's ~ flips all bits there are; keep fifty of them."
        )
    if given in {(~word >> shift) & (1 << 50) - 1 for shift in (8, 10, 12)}:
        raise NotYet(f"offset: {given} is off by a power of two. At which bit does the offset begin?")
    if given == right << 12:
        raise NotYet(f"offset: {given} counts bytes. The swap area is counted in pages.")
    raise NotYet(f"offset: pagemap has another offset than {given} for that page.")


EXERCISE = Exercise(
    name="01.4",
    title="Spot the two",
    notebook="01_page_tables",
    kind="decode",
    difficulty=2,
    minutes=10,
    hints=(
        "Look at bit 0 first: two of the six have it clear.",
        "Of these two, one has bit 8 set: that is the PROT_NONE page. Both store a number with all its bits flipped.",
        "frame = (~word & 0x000ffffffffff000) >> 12. type = word >> 59. offset = (~word >> 9) & (2**50 - 1).",
    ),
    why="Bit 0 speaks to the hardware; the other bits of such an entry belong to Linux. It stores frame and offset "
    "with their bits flipped, so that a CPU that speculates past bit 0 finds no cached memory there (L1TF).",
    check=check,
    problem=draw,
)
