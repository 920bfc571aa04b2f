"""Answers to 10.1: twelve words, and the beliefs that give other ones."""

from functools import cache

from ptwalk.checks.matrix import twelve
from ptwalk.checks.matrix.twelve import draw, word
from ptwalk.trials import explore

SEED = 1


@cache
def found(seed):
    """What the explorer says of this seed's cells."""
    return {cell: word(cell) for cell in draw(seed).cells}


def by_play():
    """Right: each race explored with another engine."""
    words = {}
    for cell in draw(SEED).cells:
        scenario = twelve.scenario(cell)
        if not twelve.CHANGERS[cell[1]].exists(scenario.config()):
            words[cell] = "impossible"
            continue
        verdict = explore(scenario, "states")
        kind = getattr(verdict.report, "sanitizer", "")
        words[cell] = {"": "safe", "detached": "lost update"}.get(kind, "use-after-free")
    return words


def but(walker, remover, said):
    """All right, but for the cells of a belief."""
    return {
        cell: said if cell[0] in walker and cell[1] in remover else word for cell, word in found(SEED).items()
    }


def one_missing():
    """Eleven words."""
    return dict(list(found(SEED).items())[:-1])


def SECRETS():
    """The four words are no secret."""
    return ()


ANY = tuple(twelve.MINE)
RIGHT = {"known": lambda: dict(found(SEED)), "by play": by_play}
WRONG = {
    "nothing": (lambda: None, "There is nothing to check"),
    "a list": (lambda: ["safe"] * 12, "Hand in a dict"),
    "one missing": (one_missing, "you say None"),
    "another cell": (lambda: {**found(SEED), ("ptl only", "exit", "6.1"): "safe"}, "is none of your cells"),
    "all safe": (lambda: dict.fromkeys(found(SEED), "safe"), "cells differ"),
    "all impossible": (lambda: dict.fromkeys(found(SEED), "impossible"), "It does exist on this kernel"),
    "write keeps retract out": (
        lambda: but(("write",), ("retract",), "safe"),
        "took no lock of this mm at all",
    ),
    "parked is freed": (
        lambda: but(("ptl only",), ("collapse-anon",), "use-after-free"),
        "the table is parked",
    ),
    "interrupts off is never enough": (
        lambda: but(("irqs off",), ("retract",), "use-after-free"),
        "Who or what could keep the two apart",
    ),
    "reclaim everywhere": (lambda: but(ANY, ("reclaim",), "safe"), "This kernel has no such remover"),
}
