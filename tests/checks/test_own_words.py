"""A sentence of the learner's own is kept from one notebook for another, whatever the folder is like."""

from pathlib import Path

import pytest

from ptwalk.checks.own_words import LONGEST, own_words
from ptwalk.errors import PtwalkError


def test_a_sentence_comes_back(own_record: Path) -> None:
    """In one line, and cut where it gets long."""
    assert own_words("the_lock").heading == "No sentence of yours is kept"
    assert own_words("the_lock", " It lies \n in the table. ").text == "It lies in the table."
    assert repr(own_words("the_lock")) == "You wrote:\nIt lies in the table."
    assert len(own_words("the_lock", "x" * 9000).text) == LONGEST


def test_nothing_is_kept_of_what_is_no_sentence(own_record: Path) -> None:
    """The dots of the empty cell, and what is no text at all."""
    assert own_words("the_lock", "...").heading == "Not kept yet"
    with pytest.raises(PtwalkError, match="text between quotes"):
        own_words("the_lock", 3)  # type: ignore[arg-type]
    with pytest.raises(PtwalkError, match="plain name"):
        own_words("../progress", "x")
    assert not (own_record / "words").exists()


def test_where_nothing_can_be_written_it_lasts_for_the_session(own_record: Path) -> None:
    """A file stands where the folder should be."""
    (own_record / "words").write_text("in the way")
    assert own_words("another", "Mine.").heading == "Kept for this session:"
    assert own_words("another").text == "Mine."
