"""The tables in docs that are made from scenarios and verdicts: `python -m ptwalk.trials.page docs` makes them anew.

Room: trials.  A page is written by hand; what stands between `<!-- name -->` and `<!-- end -->` is made here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from ptwalk.scenarios import CHANGERS, WALKERS, Scenario, Sometimes
from ptwalk.scenarios.catalogue import GROUPS
from ptwalk.trials.matrix import matrix

SHOWN = (("5.15.0", "x86-64"), ("5.15.0", "arm64"), ("6.6", "x86-64"), ("7.1", "x86-64"))
"""The kernels of the page with the matrix."""


def scenario_tables() -> str:
    """All scenarios by group: name, kernel, what is expected, story and source."""
    parts = []
    for title, group in GROUPS.items():
        rows = "\n".join(_row(scenario) for scenario in group)
        parts.append(
            f"## {title}\n\n| scenario | kernel | expected | story | source |\n| --- | --- | --- | --- | --- |\n{rows}"
        )
    return "\n\n".join(parts)


def _row(scenario: Scenario) -> str:
    axes = (f"{name}={value}" for name, value in scenario.axes.items())
    expected = str(scenario.expect)
    if isinstance(scenario.expect, Sometimes) and scenario.expect.switches is not None:
        expected += f", {scenario.expect.switches}"
    cells = (
        f"`{scenario.name}`",
        ", ".join([scenario.release, scenario.arch, *axes]),
        expected,
        scenario.story,
        scenario.source,
    )
    return "| " + " | ".join(cells) + " |"


def matrix_tables() -> str:
    """Walkers and changers with their stories, and one table for each kernel shown."""
    parts = ["## Who walks\n", *(f"- **{walker.name}**: {walker.story}" for walker in WALKERS.values())]
    parts += [
        "\n## Who changes\n",
        *(f"- **{changer.name}**: {changer.story}" for changer in CHANGERS.values()),
    ]
    for release, arch in SHOWN:
        words = {(cell.walker, cell.changer): cell.word for cell in matrix(None, None, release, arch=arch)}
        parts.append(
            f"\n## {release} on {arch}\n\n| | {' | '.join(WALKERS)} |\n| --- |{' --- |' * len(WALKERS)}"
        )
        for changer in CHANGERS:
            row = [words[walker, changer] for walker in WALKERS]
            shown = " | ".join(word if word in ("safe", "-") else f"**{word}**" for word in row)
            parts.append(f"| **{changer}** | {shown} |")
    return "\n".join(parts)


def filled(text: str, name: str, make: Callable[[], str]) -> str:
    """The page with the part called `name` made anew."""
    before, begin, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    return f"{before}{begin}\n{make()}\n\n{end}{after}"


PAGES: dict[str, tuple[str, Callable[[], str]]] = {
    "scenarios.md": ("scenarios", scenario_tables),
    "matrix.md": ("matrix", matrix_tables),
}
"""The pages with a part that is made: its name, and what makes it."""


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    for page, (name, make) in PAGES.items():
        path = folder / page
        path.write_text(filled(path.read_text(encoding="utf-8"), name, make), encoding="utf-8")
