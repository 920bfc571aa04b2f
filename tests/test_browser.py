"""The ground under the browser tests: the system's Chromium starts, and sees the README's picture as people do."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_picture_has_a_name_for_those_who_do_not_see_it(root: Path, browser: "Browser") -> None:
    """The picture of a walk is one image with a spoken name, wide enough to be seen, and asks for nothing outside."""
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content((root / "docs" / "images" / "walk.svg").read_text(encoding="utf-8"))
    picture = page.get_by_role("img", name="Walk of 0x7ffdea19d678")
    box = picture.bounding_box()
    assert box and box["width"] > 600
    assert not [address for address in asked if address.startswith("http")]
    page.close()
