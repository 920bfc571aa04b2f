"""A matrix as a picture: every cell is there, in sign, word and sentence."""

from dataclasses import dataclass
from xml.etree import ElementTree

from ptwalk.views.drawing import Text
from ptwalk.views.matrix import description, html, picture


@dataclass(frozen=True)
class Cell:
    """A cell made for the test."""

    walker: str
    changer: str
    release: str
    outcome: str
    word: str
    arch: str = "x86-64"


THEN = [
    Cell("ptl-only", "munmap", "5.15.0", "bug", "lifetime"),
    Cell("write-peek", "munmap", "5.15.0", "safe", "safe"),
    Cell("ptl-only", "reclaim", "5.15.0", "none", "-"),
    Cell("write-peek", "reclaim", "5.15.0", "incomplete", "incomplete"),
]
NOW = [Cell(c.walker, c.changer, "7.1", c.outcome, c.word, "arm64") for c in THEN]


def words(cells: list[Cell]) -> list[str]:
    """All texts of the picture, in the order in which they are drawn."""
    return [mark.text for mark in picture(cells).marks if isinstance(mark, Text)]


def test_one_kernel_has_a_column_for_each_walker() -> None:
    """The kernel is the title; a sign and a word in each cell."""
    shown = words(THEN)
    assert shown[:3] == ["5.15.0", "ptl-only", "write-peek"]
    assert {"× lifetime", "✓ safe", "-", "? incomplete"} <= set(shown)


def test_several_kernels_have_a_block_for_each_walker() -> None:
    """Down each block one sees the cells turn."""
    shown = words(THEN + NOW)
    assert shown.count("ptl-only") == shown.count("write-peek") == 1
    assert shown.count("5.15.0") == shown.count("7.1 arm64") == 2


def test_the_words_say_what_the_picture_shows() -> None:
    """A sentence for each cell, and well-formed SVG."""
    assert description(THEN).startswith(
        "ptl-only against munmap, 5.15.0: lifetime. write-peek against munmap"
    )
    assert "ptl-only against reclaim, 5.15.0: there is none." in description(THEN)
    svg = html(THEN)
    ElementTree.fromstring(svg[svg.index("<svg") : svg.index("</svg>") + 6])
