"""A stepper as one self-contained page: everything is in the file, nothing is fetched.

Knows `trace` values and the modules in `web/stepper/`; needs no widget library and no kernel. What needs no
search works in the page: scrubbing, replaying, and the branches of a small tree of choices if one is given.
"""

from __future__ import annotations

import html
import json
from functools import cache
from pathlib import Path
from typing import Any

from ptwalk.trace.timeline import Timeline
from ptwalk.trace.tree import SearchTree
from ptwalk.views.esm import WEB, joined
from ptwalk.views.tokens import css

_FOLDER = WEB / "stepper"


@cache
def catalogue(language: str = "en") -> str:
    """The sentences and labels as JSON text; English if the language has no catalogue."""
    path = _FOLDER / f"catalogue.{language}.json"
    if not path.exists():
        path = _FOLDER / "catalogue.en.json"
    return json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False, separators=(",", ":"))


@cache
def module() -> str:
    """The browser side as one ES module."""
    return joined("stepper/index.js")


@cache
def style() -> str:
    """The style sheet with its colours."""
    sheet = (_FOLDER / "stepper.css").read_text(encoding="utf-8")
    return css(".ptwalk-stepper") + sheet


def page(
    timeline: Timeline,
    *,
    tree: SearchTree | None = None,
    step: int = 0,
    theme: str = "",
    options: dict[str, Any] | None = None,
) -> str:
    """A whole HTML page that plays this run without a network and without a kernel.

    `tree` adds the branches that were explored beforehand. `step` is where the page opens; `theme` "light"
    or "dark" overrides the reader's system.
    """
    title = html.escape(timeline.header.title)
    settings = {"step": step, "options": options or {}}
    data = [
        _data("ptwalk-timeline", timeline.dumps()),
        _data("ptwalk-catalogue", catalogue()),
        _data("ptwalk-settings", json.dumps(settings)),
    ]
    if tree is not None:
        data.append(_data("ptwalk-tree", tree.dumps()))
    code = module().replace("</script", "<\\/script")
    chosen = f' data-theme="{theme}"' if theme in ("light", "dark") else ""
    return (
        f'<!doctype html>\n<html lang="en"{chosen}>\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>\n{style()}\n{_PAGE_STYLE}\n</style>\n</head>\n<body>\n"
        f'<main><h1 class="title">{title}</h1><div id="ptwalk-stepper"></div></main>\n'
        f"{''.join(data)}"
        f'<script type="module">\n{code}\nmountPage(document);\n</script>\n</body>\n</html>\n'
    )


def save(path: str | Path, timeline: Timeline, **settings: Any) -> Path:
    """Write `page(timeline, ...)` to a file and return its path."""
    target = Path(path)
    target.write_text(page(timeline, **settings), encoding="utf-8")
    return target


_PAGE_STYLE = (
    "html{background:#fff;color-scheme:light}html[data-theme=dark]{background:#14171b;color-scheme:dark}"
    "@media (prefers-color-scheme:dark){html:not([data-theme=light]){background:#14171b;color-scheme:dark}}"
    "body{margin:0}.title{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);margin:0}"
)


def _data(name: str, text: str) -> str:
    """JSON in a page, so that no text in it can end the element it stands in."""
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{name}">{safe}</script>\n'
