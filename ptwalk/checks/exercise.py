"""One exercise as a value. Knows nothing of any notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

KINDS = ("compute", "decode", "write a walker", "find the schedule", "predict", "repair", "review")


@dataclass(frozen=True)
class Exercise:
    """An exercise: what is asked, how it is checked, what helps.

    `name` is "NN.k"; `notebook` the file's stem in notebooks/, exercises/ and solutions/. `difficulty` is 1 to 3,
    `minutes` alone. `hints` go nudge, pointer, nearly there. `check(answer, seed)` raises `NotYet`, or returns one
    sentence on what was compared. `problem(seed)` gives the learner's data where an exercise has some.
    `why` is said after a pass. `seconds` is how long a check may take.
    """

    name: str
    title: str
    notebook: str
    kind: str
    difficulty: int
    minutes: int
    hints: tuple[str, str, str]
    why: str
    check: Callable[[object, int], str]
    problem: Callable[[int], object] | None = None
    seconds: float = 10.0

    @property
    def stars(self) -> str:
        """The difficulty as dots and a word, for a heading."""
        return "●" * self.difficulty + " " + ("easy", "needs thought", "hard")[self.difficulty - 1]
