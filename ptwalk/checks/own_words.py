"""A sentence in a learner's own words, kept from one notebook for another.

Knows no notebook. Each sentence is a small text file beside the learner's record; where nothing can be written, it
lasts as long as the session. Nothing leaves this machine.
"""

from __future__ import annotations

from pathlib import Path

from ptwalk.checks.notyet import Words
from ptwalk.checks.progress import home
from ptwalk.errors import PtwalkError

LONGEST = 500
"""Letters of a sentence that are kept."""

_in_this_session: dict[str, str] = {}


def own_words(name: str, text: str | None = None) -> Words:
    """Keep a sentence of yours under `name`, or show the one that was kept."""
    if not isinstance(name, str) or not name.isidentifier():
        raise PtwalkError(f'a sentence is kept under a plain name such as "the_lock", not under {name!r}')
    if text is None:
        kept = _kept(name)
        if kept:
            return Words("You wrote:", kept)
        return Words("No sentence of yours is kept", "You can go on without one, or go back and write it.")
    if not isinstance(text, str):
        raise PtwalkError(f"a sentence is text between quotes, not {type(text).__name__}")
    sentence = " ".join(text.split())[:LONGEST]
    if not sentence.strip("."):
        return Words("Not kept yet", "Write your sentence between the quotes, then run the cell again.")
    _in_this_session[name] = sentence
    try:
        _place(name).parent.mkdir(parents=True, exist_ok=True)
        _place(name).write_text(sentence + "\n", "utf-8")
    except OSError:
        return Words("Kept for this session:", sentence)
    return Words("Kept:", sentence)


def _place(name: str) -> Path:
    return home() / "words" / f"{name}.txt"


def _kept(name: str) -> str:
    try:
        return " ".join(_place(name).read_text("utf-8").split())[:LONGEST]
    except (OSError, UnicodeDecodeError):
        return _in_this_session.get(name, "")
