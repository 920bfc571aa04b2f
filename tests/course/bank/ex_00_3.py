"""Answers to 00.3: by replay, by the state of the table, and by the rules of thumb that people use instead."""

import re

from ptwalk.checks.start.fails import draw, marks, truth

SEED = 1


def by_state():
    """Right: plays on paper, with nothing but the life of the table and CPU 0's place in its walk."""
    at, told = marks(), []
    for line in draw(SEED).lines:
        walker, other, broken = 0, 0, False
        for cpu, count in re.findall(r"(\d)x(\d+)", line):
            for _ in range(int(count)):
                if cpu == "1":
                    other += 1
                else:
                    walker += 1
                    # From the lock on, each of CPU 0's steps touches the table; so none may come after the free.
                    broken = broken or (walker > at.loaded and other >= at.freed)
            if cpu == "0" and other >= at.cut and walker < at.loaded:
                break  # it found 'none'
        told.append(broken)
    return told


def by_turns(rule):
    """What a rule of thumb says of each line: `rule(turns)` gets pairs of CPU and steps."""
    return [
        rule([(int(cpu), int(count)) for cpu, count in re.findall(r"(\d)x(\d+)", line)])
        for line in draw(SEED).lines
    ]


def steps_of_1(turns):
    """How far CPU 1 goes."""
    return sum(count for cpu, count in turns if cpu == 1)


RIGHT = {"by replay": lambda: list(truth(SEED)), "by state": by_state}
WRONG = {
    "as shipped": (lambda: [None] * 8, "neither True nor False"),
    "too few": (lambda: [True, False], "a list of eight"),
    "all fail": (lambda: [True] * 8, "You say that every line breaks a rule"),
    "all hold": (lambda: [False] * 8, "You say that no line breaks a rule"),
    "the other way round": (lambda: [not broken for broken in by_state()], "the other way round"),
    "a lock protects": (lambda: by_turns(lambda t: len(t) == 3 and t[0][1] == 5), "Who waits for that lock"),
    "freed is enough": (
        lambda: by_turns(lambda t: t[0] == (0, marks().loaded) and steps_of_1(t) >= marks().cut),
        "took no further step",
    ),
    "whoever meets a freed table": (
        lambda: by_turns(lambda t: t[-1][0] == 0 and steps_of_1(t) >= marks().freed),
        "When it went on it found 'none'",
    ),
    "only a reused page counts": (lambda: by_turns(lambda t: len(t) == 5), "reused or not"),
}


def SECRETS():
    """The whole list never stands in a line."""
    return [repr(by_state())]
