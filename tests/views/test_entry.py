"""The picture of an entry names every bit once and says the same in characters, as SVG and in print."""

import pytest

from ptwalk.arch import FORMAT_NAMES, format_named
from ptwalk.views import entry as picture

from .conftest import X86, check_svg, entries

TEXT = """\
pte (PTE) of x86-64-4level, Linux 6.1: 0x8000000140a65067, leaf
This pte entry maps 4 KiB from physical address 0x140a65000, rights u rw-.

  63        55        47        39
  10000000  00000000  00000000  00000001
  abbbbcdd  ddddeeee  eeeeeeee  eeeeeeee
  31        23        15        7
  01000000  10100110  01010000  01100111
  eeeeeeee  eeeeeeee  eeeefghi  jklmnopq
"""


def test_text() -> None:
    """The bits with their letters, then one line for each field."""
    text = picture.text(X86.decode(0x8000000140A65067, "pte"))
    assert text.startswith(TEXT)
    assert "\n  e  51-12  frame       0x140a65  " in text


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_every_kind_can_be_drawn(name: str) -> None:
    """Entries of every kind, level and format: valid SVG, wide and narrow, and text within its width."""
    for entry in entries(format_named(name)):
        assert max(map(len, picture.text(entry, width=90).splitlines()[2:])) <= 100
        for narrow in (False, True):
            svg = picture.svg(entry, narrow=narrow)
            check_svg(svg)
            assert svg == picture.svg(entry, narrow=narrow)


def test_words_stand_in_for_the_picture() -> None:
    """The description names the state and each field that is set, for who cannot see."""
    entry = X86.decode(0x8000000140A65067, "pte")
    words = picture.description(entry)
    assert entry.sentence in words
    for field in entry.fields:
        assert (field.name in words) or not field.value


def test_html_holds_both_layouts() -> None:
    """In a notebook the wide and the narrow picture go out together, and the column's width chooses."""
    html = picture.html(X86.decode(0x67, "pte"))
    assert html.count('role="img"') == 2
    assert "@container" in html


def test_figure() -> None:
    """The figure for print holds every bit and every field's name."""
    figure = picture.figure(X86.decode(0x8000000140A65067, "pte"))
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("1") + words.count("0") >= 64
    assert "SOFT_DIRTY" in words
