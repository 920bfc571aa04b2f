"""A figure is shown with words for who cannot see it, and never without."""

import pytest

from ptwalk.errors import PtwalkError
from ptwalk.views.figure import figure, show

from .test_svg import odd


def test_every_mark_is_printed() -> None:
    """Boxes, lines, arrows and text reach the figure, dollars stay dollars."""
    axes = figure(odd()).axes[0]
    assert len(axes.patches) >= 5
    assert len(axes.texts) == 1


def test_show_sends_an_image_with_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebook gets `<img alt=…>` as HTML, since an image output loses its words there."""
    import IPython.display

    shown: list[object] = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    show(figure(odd()), alt='a "picture" <of> marks')
    (sent,) = shown
    assert 'alt="a &quot;picture&quot; &lt;of&gt; marks"' in sent.data  # type: ignore[attr-defined]


def test_show_wants_words() -> None:
    """Without alt there is no picture, but a sentence that says what is missing."""
    with pytest.raises(PtwalkError, match="needs alt"):
        show(figure(odd()), alt=" ")
