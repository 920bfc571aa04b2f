"""What a check says: `NotYet` when the answer is not there yet, `Words` for everything else.

Knows no exercise and no notebook. IPython asks a value how to show itself through methods with set names, so
nothing of IPython is imported.
"""

from __future__ import annotations

import html
import textwrap
from typing import Any


class NotYet(AssertionError):
    """An answer that does not hold yet; the text says what was observed, never what the answer is.

    `exercise` is the exercise's name, filled in by `check`. `parts` pairs the name of each part that was judged by
    itself with whether it holds; a class is graded by them. `race` is the race that it failed on, if it was one, as
    the stepper takes it. A notebook shows one line instead of a traceback, a line for each part, and the
    stepper below.
    """

    def __init__(
        self,
        observed: str,
        exercise: str = "",
        parts: tuple[tuple[str, bool], ...] = (),
        race: tuple[Any, str] | None = None,
    ) -> None:
        self.observed = observed
        self.race = race
        self.exercise = exercise
        self.parts = parts
        super().__init__(observed)

    def __str__(self) -> str:
        """The one line a learner reads."""
        if not self.exercise:
            return f"Not yet. {self.observed}"
        return f'Not yet ({self.exercise}). {self.observed} Stuck? ptwalk.hint("{self.exercise}")'

    def _render_traceback_(self) -> list[str]:
        # IPython shows this in place of the traceback; the cell still counts as failed. Folded here, because a
        # notebook breaks an error's lines in the middle of a word.
        line = textwrap.fill(f"✗ {self}", 90, break_long_words=False, break_on_hyphens=False)
        return [line, *(f"  {'✓' if holds else '…'} {name}" for name, holds in self.parts)]


class Words:
    """A few sentences for the learner: plain text everywhere, a quiet box in a notebook."""

    def __init__(self, heading: str, text: str, code: str = "") -> None:
        self.heading = heading
        self.text = text
        self.code = code

    def __repr__(self) -> str:
        """The same words as plain text."""
        return "\n".join(part for part in (self.heading, self.text, self.code) if part)

    def _repr_html_(self) -> str:
        code = f"<pre style='margin:.5em 0 0'>{html.escape(self.code)}</pre>" if self.code else ""
        paragraphs = "".join(f"<div>{html.escape(line)}</div>" for line in self.text.splitlines())
        return (
            "<div style='border-left:4px solid currentColor;padding:.2em .8em;max-width:46em'>"
            f"<b>{html.escape(self.heading)}</b>{paragraphs}{code}</div>"
        )


class Passed(Words):
    """An answer that holds: what was compared, and why it works."""
