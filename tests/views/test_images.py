"""The pictures of the manual are those that the library draws today."""

import runpy
from pathlib import Path

from .conftest import check_svg


def test_pictures_are_current(root: Path) -> None:
    """If this fails: `python docs/images/draw.py`, and look at what changed."""
    folder = root / "docs" / "images"
    drawn = runpy.run_path(str(folder / "draw.py"))["pictures"]()
    assert len(drawn) == 6
    for name, content in drawn.items():
        check_svg(content.rstrip())
        assert (folder / name).read_text(encoding="utf-8") == content, name
