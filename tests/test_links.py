"""Every link of every page and notebook: files that exist, headings that exist, addresses that are well formed.

Nothing is fetched.
"""

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
BOOKS = sorted(
    path for kind in ("notebooks", "solutions", "exercises") for path in ROOT.glob(f"{kind}/*.ipynb")
)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/**/*.html")])

FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|(?:href|src)=[\"']([^\"']+)[\"']")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$|<h[1-6][^>]*>(.*?)</h[1-6]>|\bid=\"([^\"]+)\"", re.MULTILINE)

every_page = pytest.mark.parametrize("path", PAGES + BOOKS, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def text(path: Path) -> str:
    """What a page or a notebook says, without code."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text("utf-8"))["cells"]
        said = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        shown = ["".join(o.get("data", {}).get("text/html", "")) for c in cells for o in c.get("outputs", [])]
        return CODE.sub("", FENCED.sub("", "\n\n".join(said))) + "\n".join(shown)
    return CODE.sub("", FENCED.sub("", path.read_text("utf-8")))


@cache
def anchors(path: Path) -> set[str]:
    """The names that a link into this page may carry, as code hosts and JupyterLab make them from headings."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text("utf-8"))["cells"]
        source = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    else:
        source = path.read_text("utf-8")
    found = set()
    for markdown, html, identity in HEADING.findall(FENCED.sub("", source)):
        if identity:
            found.add(identity)
            continue
        heading = re.sub(r"<[^>]+>|[*`]|\]\([^)]*\)|\[", "", markdown or html).strip()
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
        found.add(heading.replace(" ", "-"))
    return found


def links(path: Path) -> list[str]:
    """The targets of all links of a page."""
    return [one or other for one, other in LINK.findall(text(path))]


def outside(target: str) -> bool:
    """Whether a target is an address and not a place in this project."""
    return bool(urlsplit(target).scheme)


@every_page
def test_links_inside_lead_somewhere(path: Path) -> None:
    """Each relative link names a file of this project and, behind a #, one of its headings."""
    for target in links(path):
        if outside(target):
            continue
        name, _, anchor = unquote(target).partition("#")
        place = (path.parent / name).resolve() if name else path
        assert place.exists(), f"{target}: there is no such file"
        assert place == ROOT or ROOT in place.parents, f"{target} leads out of the project"
        if anchor and place.suffix in (".md", ".html", ".ipynb"):
            assert anchor in anchors(place), f"{target}: no such heading; there are {sorted(anchors(place))}"


@every_page
def test_addresses_outside_are_well_formed(path: Path) -> None:
    """A link to the outside is https with a host, without a login, a port or blanks; pictures come from here."""
    for target in links(path):
        if not outside(target) or target.startswith("data:"):
            continue
        parts = urlsplit(target)
        if parts.scheme == "mailto":
            assert "@" in parts.path, target
            continue
        assert parts.scheme == "https" and parts.hostname and "." in parts.hostname, target
        assert parts.username is None and parts.port is None, target
    fetched = re.findall(
        r"(?:<img|<script|<iframe)[^>]*src=[\"'](https?:[^\"']+)|!\[[^\]]*\]\((https?:[^)]+)", text(path)
    )
    assert fetched == [], "a page must need no network"


def test_the_course_can_be_walked_by_its_links() -> None:
    """From the README every lesson is reached, and from each lesson its exercises; every page is reached too."""
    reached = {ROOT / "README.md"}
    waiting = list(reached)
    while waiting:
        page = waiting.pop()
        if page.suffix not in (".md", ".ipynb", ".html"):
            continue
        inside = [unquote(target).partition("#")[0] for target in links(page) if not outside(target)]
        found = {(page.parent / name).resolve() for name in inside if name} - reached
        reached |= found
        waiting += [place for place in found if place.is_file()]
    wanted = [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("exercises/*.ipynb"), *ROOT.glob("docs/*.md")]
    assert [str(path.relative_to(ROOT)) for path in sorted(wanted) if path not in reached] == []
