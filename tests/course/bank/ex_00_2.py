"""Answers to 00.2: the four numbers by reading, by following a frame, and as people misread them."""

import re

from ptwalk.checks.start.report import draw

SEED = 1


def by_reading():
    """Right: looks for the words in the log."""
    lines = draw(SEED).lines
    table = re.search(r"pte\[\d+\] of frame (\d+)", lines[-1])[1]
    cut = [line for line in lines if "CPU 1" in line and re.search(r": clears pmd\[", line)]
    freed = [line for line in lines if f": frees frame {table}" in line]
    read = [line for line in lines if "CPU 0" in line and ": reads pmd[2]" in line]
    at = [int(line.split()[0]) for line in (cut[-1], freed[-1], lines[-1], read[0])]
    return dict(unlinked=at[0], freed=at[1], broke=at[2], age=at[2] - at[3])


def but(**changes):
    """The right answer with something else in it."""
    return {**by_reading(), **changes}


RIGHT = {"from the run": lambda: dict(draw(SEED).answer), "by reading": by_reading}
WRONG = {
    "as shipped": (lambda: dict(unlinked=None, freed=None, broke=None, age=None), "Still empty"),
    "a list": (lambda: [26, 32, 35, 18], "Hand in a dict"),
    "the zap": (lambda: but(unlinked=draw(SEED).zap), "itself was still reachable"),
    "the free as the unlink": (
        lambda: but(unlinked=draw(SEED).answer["freed"]),
        "It was cut off before that",
    ),
    "cut off is freed": (lambda: but(freed=draw(SEED).answer["unlinked"]), "cut off is not given back"),
    "the flush": (lambda: but(freed=draw(SEED).flush), "the memory is still held"),
    "another table": (lambda: but(broke=draw(SEED).beside), "reads the PMD table, which lives"),
    "the free is the bug": (lambda: but(broke=draw(SEED).answer["freed"]), "Nobody used the table in it"),
    "age from the free": (
        lambda: but(age=draw(SEED).answer["broke"] - draw(SEED).answer["freed"]),
        "you counted from the free",
    ),
    "age from the beginning": (lambda: but(age=draw(SEED).answer["broke"]), "from the first step of all"),
    "off by one": (lambda: but(unlinked=draw(SEED).answer["unlinked"] + 1), "Follow one frame number"),
    "no such step": (lambda: but(freed=400), "the log has steps 1 to"),
}


def SECRETS():
    """No line holds the whole answer."""
    return [repr(by_reading())]
