"""The picture of a walk shows each level it took, where it ended and why, in characters, as SVG and in print."""

import pytest

from ptwalk.views import walk as picture

from .conftest import check_svg, walks

PAGE = """\
Walk of 0x7f1234567abc in x86-64-4level, Linux 6.1, root 0x140a65000

level  index  bits   entry at     entry               marks         is a   rights so far
pgd      254  47-39  0x140a657f0  0x0000000140a66067  P W U A       table  u rwx
pud       72  38-30  0x140a66240  0x0000000140a67067  P W U A       table  u rwx
pmd      418  29-21  0x140a67d10  0x0000000140a68067  P W U A       table  u rwx
pte      359  20-12  0x140a68b38  0x80000001424d5067  P W U A D NX  leaf   u rw-

Reaches physical 0x1424d5abc in a 4 KiB page, with rights u rw-."""


def test_text() -> None:
    """A walk to a page, one line for each level."""
    assert picture.text(walks()["page"]) == PAGE


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("page", "Reaches physical 0x1424d5abc"),
        ("huge page", "Reaches physical 0x40167abc"),
        ("swapped", "✕ Stops at pte: not present."),
        ("reserved", "✕ Stops at pgd: reserved bit."),
        ("missing", "✕ Stops at pmd: missing memory."),
        ("not canonical", "✕ Stops: not canonical."),
    ],
)
def test_every_end(name: str, head: str) -> None:
    """Each way for a walk to end has its loud words, a sentence, and a valid picture in three layouts."""
    record = walks()[name]
    loud, sentence = picture.verdict(record)
    assert loud == head
    assert sentence.endswith(".")
    assert head.split()[-1] in picture.text(record)
    for width in (None, 560, 320):
        svg = picture.svg(record, width=width)
        check_svg(svg)
        assert svg == picture.svg(record, width=width)
    assert picture.html(record).count('role="img"') == 3


def test_levels_not_reached_are_shown() -> None:
    """A stopped walk still shows the rest of the address, and a missing table names its address."""
    text = picture.text(walks()["missing"])
    assert "pte      359  20-12" in text and "not reached" in text
    assert "not in this memory" in picture.svg(walks()["missing"])


def test_a_huge_page_takes_the_lower_bits_as_offset() -> None:
    """No pte column for a 2 MiB page: its 21 bits are the offset."""
    svg = picture.svg(walks()["huge page"])
    assert ">PTE</text>" not in svg
    assert "bits 20-0" in svg


def test_figure() -> None:
    """The figure for print says what came of the walk."""
    words = [text.get_text() for text in picture.figure(walks()["page"]).axes[0].texts]
    assert "Reaches physical 0x1424d5abc" in words
