"""Answers to 09.1: four schedules with their rules, and the ways to miss."""

from functools import cache

from ptwalk.checks.damon.four import RACES
from ptwalk.trials import explore, replay


@cache
def lines():
    """A failing line for each race."""
    return {name: str(explore(scenario).schedule) for name, scenario in RACES.items()}


def answer(rule="a", **changed):
    """All four right, but for what is changed."""
    found = {name: (line, "hardware" if name == "hardware" else rule) for name, line in lines().items()}
    return {**found, **changed}


def all_of(name, cpu):
    """A turn in which one CPU takes all its steps."""
    return f"{cpu}x{sum(step.cpu == cpu for step in replay(RACES[name], f'{cpu}x3000').steps)}"


def pasted():
    """Right: whole replay lines, and rule (b)."""
    return {
        name: (f"ptwalk replay {RACES[name].name} '{line}'", "hardware" if name == "hardware" else "b")
        for name, line in lines().items()
    }


RIGHT = {"found by search": answer, "pasted whole": pasted}
WRONG = {
    "nothing": (lambda: None, "There is nothing to check"),
    "one line": (lambda: "0x4 1x9 0x1", "Hand in a dict"),
    "lines only": (lines, "hand in a pair"),
    "one missing": (lambda: answer(moved=None), "moved: hand in a pair"),
    "exit": (lambda: answer(exit=("0x1", "a")), "There is no race 'exit' here"),
    "the same line twice": (lambda: answer(collapse=(lines()["munmap"], "a")), "collapse: the line"),
    "nobody interferes": (lambda: answer(munmap=(all_of("munmap", 0), "a")), "Nobody interfered"),
    "the other first": (lambda: answer(moved=(all_of("moved", 1), "a")), "v34 did not take a step"),
    "too late": (
        lambda: answer(hardware=(f"{all_of('hardware', 0)} 1x1", "hardware")),
        "v34 had stored its word before",
    ),
    "no line": (lambda: answer(munmap=("CPU 1 first", "a")), "The schedule for munmap can't be read"),
    "rule c": (lambda: answer(rule="c"), "never claimed to be lockless"),
    "a lock against hardware": (
        lambda: answer(hardware=(lines()["hardware"], "a")),
        "takes no lock before it sets a bit",
    ),
    "hardware for munmap": (lambda: answer(munmap=(lines()["munmap"], "hardware")), "those of kernel code"),
    "a rule of its own": (lambda: answer(rule="ptl"), "is no rule"),
}
