"""SVG is written safely: odd text is escaped, control characters go, layouts choose by width."""

from ptwalk.views.drawing import Line, Picture, Rect, Text, wrapped
from ptwalk.views.svg import html, svg

from .conftest import check_svg


def odd() -> Picture:
    """A picture with every mark and with text that would break XML."""
    page = Picture(200, 100, 'a <title> & "more"', "words\x00with\x1bcontrol")
    page.add(
        Rect(0, 0, 50, 20, fill="panel", style="double", bar=5),
        Rect(0, 30, 50, 20, style="dashed", radius=3),
        Line(((0, 0), (50, 50)), arrow=True),
        Line(((0, 0), (50, 50)), curve=True, style="dotted", arrow=True),
        Text(10, 10, "<script>alert('&')</script>", mono=True, bold=True, anchor="end", underline=True),
    )
    return page


def test_text_is_escaped() -> None:
    """Whatever the words are, the file is XML and holds no element that the words brought along."""
    text = svg(odd())
    check_svg(text)
    assert "<script" not in text


def test_one_of_two_layouts_is_shown() -> None:
    """The container's width decides between layouts, without a gap and without both."""
    text = html(Picture(1100, 10, "wide", "wide one"), Picture(320, 10, "narrow", "narrow one"))
    assert "max-width:1007px" in text and "min-width:1008px" in text


def test_wrapped_lines_fit() -> None:
    """Words are kept whole, lines stay within the width, nothing is lost."""
    sentence = "the quick brown fox jumps over the lazy dog again and again"
    lines = wrapped(sentence, 120)
    assert " ".join(lines) == sentence and len(lines) > 2
    assert wrapped("", 100) == [""]
