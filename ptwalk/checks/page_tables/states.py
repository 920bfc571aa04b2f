"""Exercise 01.3: say of any word of a page table what Linux calls it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.page_tables.synthetic import ADDRESS, NX, PS, A, D, P
from ptwalk.checks.preflight import Learner, shown
from ptwalk.checks.shipped import machine, reader, truth

# The special swap types of two kernels with the usual options (include/linux/swap.h, 6.1 and 7.1).
TYPES_61: Mapping[int, str] = {
    22: "hwpoison",
    **dict.fromkeys((23, 24, 25), "migration"),
    **dict.fromkeys((26, 27, 28, 29), "device"),
    **dict.fromkeys((30, 31), "marker"),
}
TYPES_71: Mapping[int, str] = {
    24: "hwpoison",
    **dict.fromkeys((25, 26, 27), "migration"),
    **dict.fromkeys((28, 29, 30), "device"),
    31: "marker",
}
STATES = ("none", "table", "leaf", "prot-none", "split", "swap", "migration", "marker", "hwpoison", "device")

PROT_NONE = 1 << 8
"""_PAGE_PROTNONE shares its bit with Global (arch/x86/include/asm/pgtable_types.h, 6.1)."""

_RELEASES = {"6.1": TYPES_61, "7.1": TYPES_71}


class Word(NamedTuple):
    """A word at a level, the state Linux gives it, and what to say of it to who answers otherwise."""

    word: int
    level: str
    right: str
    release: str
    remark: str


def swap_word(swap_type: int, offset: int, flags: int = 0) -> int:
    """A swap entry of x86-64: type in 63:59, offset inverted in 58:9 (arch/x86/include/asm/pgtable_64.h, 6.1)."""
    return swap_type << 59 | (~offset & (1 << 50) - 1) << 9 | flags


@cache
def captured_words() -> tuple[Word, ...]:
    """Every distinct word in the user half of process P's tables, with what the library decodes it to."""
    fmt, read = machine().format, reader()
    levels = ("pgd", "pud", "pmd", "pte")
    found: dict[tuple[int, str], str] = {}
    tables = [(int(truth()["root"], 16), 0)]
    for table, depth in tables:
        for index in range(256 if depth == 0 else 512):
            word = read(table + 8 * index)
            state = str(fmt.decode(word, levels[depth]).state)
            found[word, levels[depth]] = state
            if state == "table":
                tables.append((word & ADDRESS, depth + 1))
    remarks = {
        "none": "All 64 bits are clear.",
        "table": "Bit 0 is set and nothing ends the walk here.",
        "leaf": "Bit 0 is set, and here the walk ends.",
        "prot-none": "Bit 0 is clear and bit 8 set: Linux counts this as present and keeps a frame in it.",
        "swap": "It is not empty, and neither bit 0 nor bit 8 nor bit 7 says present.",
    }
    return tuple(Word(word, level, state, "6.1", remarks[state]) for (word, level), state in found.items())


def made_words() -> tuple[Word, ...]:
    """Words that these captures lack, encoded by hand."""
    frame = 0x1_4291_2000
    prot_none = (~frame & ADDRESS) | PROT_NONE | A | D
    erratum = "Only bits 5 and 6 are set. The CPU may set those in an empty entry; Linux looks past them."
    types = "Neither empty nor present; then the type in bits 63:59 decides. Look it up in `types`."
    swapped = "Neither empty nor present, and its type is an ordinary swap area's."
    words = [
        Word(A | D, "pte", "none", "6.1", erratum),
        Word(A, "pte", "none", "6.1", erratum),
        Word(D, "pmd", "none", "6.1", erratum),
        Word(
            swap_word(3, 0x40) | PS,
            "pte",
            "swap",
            "6.1",
            "Bits 0 and 8 are clear, and in a pte Linux asks no other bit: bit 7 says split in a pmd only.",
        ),
        Word(
            frame | 0x67 | PS | NX,
            "pte",
            "leaf",
            "6.1",
            "At the last level bit 7 is PAT: still an ordinary leaf.",
        ),
        Word(
            prot_none, "pte", "prot-none", "6.1", "Bit 0 is clear, bit 8 set: Linux counts this as present."
        ),
        Word(
            (~0x1_4280_0000 & 0x000F_FFFF_FFE0_0000) | PS | PROT_NONE | A | D,
            "pmd",
            "prot-none",
            "6.1",
            "A huge page with PROT_NONE: bit 0 clear, bits 7 and 8 set.",
        ),
        Word(
            0x1_4280_0000 | PS | 0x66 | NX,
            "pmd",
            "split",
            "6.1",
            "While Linux splits a huge page it clears bit 0 and leaves bit 7, so that pmd_present() stays true.",
        ),
        Word(swap_word(0, 0), "pte", "swap", "6.1", swapped),
        Word(swap_word(1, 0x1234, 0x0A), "pte", "swap", "6.1", swapped),
        Word(swap_word(0, 77, A | D), "pte", "swap", "6.1", swapped),
        Word(swap_word(2, 0x1FF), "pmd", "swap", "6.1", swapped),
        Word(swap_word(12, 3), "pte", "swap", "6.1", f"{swapped} The type is five bits, 63:59."),
    ]
    for release, special in _RELEASES.items():
        for number, state in special.items():
            words.append(Word(swap_word(number, frame >> 12), "pte", state, release, types))
        words.append(Word(swap_word(min(special) - 1, 5), "pte", "swap", release, swapped))
    words.append(Word(swap_word(24, 0x1_4280_0000 >> 12), "pmd", "migration", "6.1", types))
    words.append(Word(P | 0x60 | 0x1_4291_0000, "pmd", "table", "6.1", "Bit 0 is set, bit 7 clear."))
    return tuple(words)


def check(answer: object, seed: int) -> str:
    """Ask the learner's state() about every word; raise at the first that Linux calls otherwise."""
    state = Learner(answer, "state", ("word", "level", "types"))
    words = (*captured_words(), *made_words())
    for asked in words:
        got = state(asked.word, asked.level, dict(_RELEASES[asked.release]))
        if got != asked.right or not isinstance(got, str):
            raise NotYet(_words(asked, got))
    return f"{len(words):,} words compared: every one of the capture's user half, and those it lacks."


def _words(asked: Word, got: object) -> str:
    where = f"state({asked.word:#x}, {asked.level!r}, types of {asked.release})"
    if got is None:
        return f"{where} gave None. Every word has a state; it may be the one called 'none', in quotes."
    if got not in STATES:
        return f"{where} gave {shown(got)}, which is none of the names in STATES."
    if asked.right == "leaf" and asked.level != "pte" and got == "table":
        return f"{where} gave 'table'. At this level one more bit tells a huge page from a table."
    return f"{where} gave {shown(got)}. {asked.remark}"


EXERCISE = Exercise(
    name="01.3",
    title="Seven states and more",
    notebook="01_page_tables",
    kind="decode",
    difficulty=2,
    minutes=15,
    hints=(
        "Ask Linux's questions in Linux's order: is it none? Is it present? Only then: which kind of not present?",
        "Three bits decide 'present' for a pmd: 0, 7 and 8. For a pte two: 0 and 8. And none looks past bits 5 and 6.",
        "None first (word without bits 5 and 6 is zero). Bit 0: table or leaf, by level and bit 7. Bit 8: prot-none. "
        "Bit 7 at pmd: split. Else types.get(word >> 59, 'swap').",
    ),
    why="The questions are nested: a bit means something only after the ones before it were answered. Bit 8 is Global "
    "in a present entry and PROT_NONE in another; bit 7 is a page size, a cache type, or the mark of a split.",
    check=check,
)
