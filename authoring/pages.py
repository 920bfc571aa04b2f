"""The pages that follow from others: the map, the index of functions, the sheet. Every build writes them.

    docs/images/course-map.svg   the notebooks and what leads to what
    docs/function-index.md       every kernel function that a lesson names, from the lessons themselves
    docs/rules-sheet.html        docs/rules-sheet.md on one sheet of A4, to print

`python -m authoring.pages` writes them alone. A test compares all three with what is written.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import mistune

from authoring import figures
from authoring.percent import read_script
from ptwalk.checks import registry
from ptwalk.views.drawing import Line, Picture, Rect, Text
from ptwalk.views.svg import svg

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

# ---- the map ----

# Where each notebook stands (column, row), and its short title.
PLACES: dict[str, tuple[float, float, str]] = {
    "00": (0, 1, "Start here"),
    "01": (1, 1, "Page tables"),
    "02": (2, 1, "Who changes them"),
    "03": (3, 1, "Locks"),
    "04": (3, 2, "Walkers"),
    "05": (4, 1, "Race: munmap"),
    "06": (5, 1, "Race: collapse"),
    "07": (6, 0, "Race: no locks"),
    "08": (6, 1, "The small print"),
    "09": (6, 2, "Mending DAMON"),
    "10": (7, 1, "The matrix"),
    "11": (8, 1, "A patch of your own"),
}
ARROWS = (
    ("00", "01"), ("01", "02"), ("02", "03"), ("03", "04"), ("03", "05"), ("05", "06"), ("06", "07"), ("06", "08"),
    ("04", "09"), ("08", "09"), ("07", "10"), ("08", "10"), ("09", "10"), ("10", "11"),
)  # fmt: skip
QUICK = ("00", "03", "05", "07", "10", "11")
"""The way through for people who know the kernel."""
WIDE, HIGH, GAP_X, GAP_Y, EDGE = 94, 58, 16, 40, 16


def course_map() -> str:
    """The map of the course as SVG."""
    width = 2 * EDGE + 9 * WIDE + 8 * GAP_X
    last = max(PLACES)
    picture = Picture(
        width,
        2 * EDGE + 3 * HIGH + 2 * GAP_Y + 24,
        "Map of the course",
        "Twelve notebooks. "
        + " ".join(f"{int(one)} {PLACES[one][2]} leads to {_after(one)}." for one in PLACES if _after(one))
        + f" {int(last)} {PLACES[last][2]} is the last."
        + f" The quick way for people who know the kernel: {', '.join(str(int(one)) for one in QUICK)}.",
    )
    for one, other in ARROWS:
        picture.add(_arrow(one, other))
    for number, (_, _, title) in PLACES.items():
        x, y = _corner(number)
        quick = number in QUICK
        picture.add(
            Rect(
                x, y, WIDE, HIGH, fill="path-tint" if quick else "panel", stroke="path" if quick else "line"
            ),
            Text(x + WIDE / 2, y + 20, str(int(number)), bold=True, anchor="middle", size=14),
        )
        for row, words in enumerate(_wrapped(title)):
            picture.add(Text(x + WIDE / 2, y + 36 + 14 * row, words, anchor="middle"))
    low = 2 * EDGE + 3 * HIGH + 2 * GAP_Y + 6
    picture.add(
        Rect(EDGE, low - 10, 14, 12, fill="path-tint", stroke="path"),
        Text(EDGE + 22, low, "the quick way, for people who know the kernel", colour="ink2"),
    )
    return svg(picture) + "\n"


def _after(number: str) -> str:
    return " and ".join(str(int(other)) for one, other in ARROWS if one == number)


def _corner(number: str) -> tuple[float, float]:
    column, row, _ = PLACES[number]
    return EDGE + column * (WIDE + GAP_X), EDGE + row * (HIGH + GAP_Y)


def _arrow(one: str, other: str) -> Line:
    (x, y), (to_x, to_y) = _corner(one), _corner(other)
    if to_x == x:  # straight down or up
        down = to_y > y
        return Line(
            ((x + WIDE / 2, y + HIGH * down), (x + WIDE / 2, to_y + HIGH * (not down))), "ink2", arrow=True
        )
    return Line(((x + WIDE, y + HIGH / 2), (to_x, to_y + HIGH / 2)), "ink2", arrow=True)


def _wrapped(title: str) -> list[str]:
    words, rows = title.split(), [""]
    for word in words:
        if rows[-1] and len(rows[-1]) + 1 + len(word) > 11:
            rows.append(word)
        else:
            rows[-1] = f"{rows[-1]} {word}".strip()
    return rows


# ---- the index of functions ----

CALLED = re.compile(r"`([a-z_][a-z0-9_]*)\(\)`")
SOURCE = re.compile(r"\*Source\*: (.+?)(?:\n\n|\Z)", re.DOTALL)
ROOMS = ("kernel", "walk", "actors")


def simulated() -> dict[str, str]:
    """The kernel functions that ptwalk simulates, with where they were read."""
    found: dict[str, str] = {}
    for room in ROOMS:
        for path in sorted((ROOT / "ptwalk" / room).glob("*.py")):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                    source = SOURCE.search(ast.get_docstring(node) or "")
                    if source:
                        found[node.name] = " ".join(source[1].split()).rstrip(".")
    return found


def named() -> dict[str, list[str]]:
    """Each kernel function that a lesson names, with the numbers of those lessons, in order."""
    known = simulated()
    found: dict[str, list[str]] = {}
    for script in sorted((ROOT / "authoring" / "notebooks").glob("*.py")):
        text = "\n".join(cell.source for cell in read_script(script))
        functions = {name for name in CALLED.findall(text) if "_" in name or name in known}
        functions |= {name for name in known if re.search(rf"`{name}`|\b{name}\(", text)}
        for name in functions:
            found.setdefault(name, []).append(script.stem)
    return found


def function_index() -> str:
    """The index as Markdown: function, where it was read, the notebook that names it first, and the others."""
    known = simulated()
    rows = [
        "# Functions of the kernel, and where the course teaches them",
        "",
        "Made from the notebooks by `python -m authoring`. A function with a source is one that ptwalk simulates",
        "under its own name; the source says where it was read. The first notebook is the one that teaches it.",
        "",
        "| function | read in | taught in | also in |",
        "| --- | --- | --- | --- |",
    ]
    for name, stems in sorted(named().items()):
        first, *others = (f"[{stem[:2]}](../notebooks/{stem}.ipynb)" for stem in stems)
        source = known.get(name, "").replace("|", "\\|")
        rows.append(f"| `{name}` | {source} | {first} | {', '.join(others)} |")
    return "\n".join(rows) + "\n"


# ---- the sheet ----

STYLE = """
@page { size: A4 landscape; margin: 9mm }
body { font: 12.5px/1.4 system-ui, sans-serif; max-width: 277mm; margin: 1em auto; padding: 0 1em; color: #1b1f24 }
body { background: #fff }
h1 { font-size: 17px; margin: 0 0 .4em }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #999; padding: 3px 6px; text-align: left; vertical-align: top }
td:first-child { width: 13% }
p { margin: .5em 0 }
@media print { body { margin: 0; padding: 0 } }
"""


def rules_sheet() -> str:
    """The rules as a page to print."""
    body = mistune.create_markdown(plugins=["table"])((DOCS / "rules-sheet.md").read_text("utf-8"))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n<title>Walking page tables: the rules</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def pages() -> dict[Path, str]:
    """Every page that follows from others, with its text."""
    for book in registry.NOTEBOOKS:
        if book.number not in PLACES:
            raise ValueError(
                f"notebook {book.number} has no place on the map; give it one in authoring/pages.py"
            )
    return {
        DOCS / "images" / "course-map.svg": course_map(),
        DOCS / "images" / "table-life.svg": figures.table_life(),
        DOCS / "images" / "lock-places.svg": figures.lock_places(),
        DOCS / "function-index.md": function_index(),
        DOCS / "rules-sheet.html": rules_sheet(),
    }


if __name__ == "__main__":
    for target, content in pages().items():
        target.write_text(content, "utf-8")
