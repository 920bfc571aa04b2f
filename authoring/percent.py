"""From a readable script to notebook cells.

A script has a docstring of its own, then cells. `# %% name` begins a code cell, `# %% [markdown] name` a text
cell, whose text stands in triple quotes. The name becomes the cell's id and must be unique; it never changes with the
cell's place. A word in brackets after the name is a tag: `# %% four-indices [shut]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HEAD = re.compile(r"^# %%(?P<markdown> \[markdown\])? (?P<name>[a-z0-9-]{1,64})(?P<tags>(?: \[[a-z-]+\])*)$")


@dataclass(frozen=True)
class Cell:
    """One cell of a script."""

    name: str
    kind: str
    source: str
    tags: tuple[str, ...] = ()


class ScriptError(Exception):
    """A script that is not in the form above; the text says where and what to do."""


def read_script(path: Path) -> list[Cell]:
    """The cells of the script at `path`, in order."""
    cells: list[Cell] = []
    head: re.Match[str] | None = None
    body: list[str] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.startswith("# %%"):
            if head is not None:
                cells.append(_cell(path, head, body))
            head, body = HEAD.match(line), []
            if head is None:
                raise ScriptError(f"{path.name}:{number}: write '# %% name' or '# %% [markdown] name'")
        else:
            body.append(line)
    if head is None:
        raise ScriptError(f"{path.name}: no cells; begin one with '# %% name'")
    cells.append(_cell(path, head, body))
    names = [cell.name for cell in cells]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ScriptError(f"{path.name}: two cells are called {', '.join(sorted(twice))}; names are cell ids")
    return cells


def _cell(path: Path, head: re.Match[str], body: list[str]) -> Cell:
    source = "\n".join(body).strip("\n")
    name = head["name"]
    tags = tuple(re.findall(r"\[([a-z-]+)\]", head["tags"]))
    if not head["markdown"]:
        return Cell(name, "code", source.rstrip(), tags)
    quoted = re.fullmatch(r'\s*(?:r?"""|r?\'\'\')\n?(.*?)\n?(?:"""|\'\'\')\s*', source, re.DOTALL)
    if quoted is None:
        raise ScriptError(f'{path.name}: text cell {name}: put its text between """ and """')
    return Cell(name, "markdown", quoted[1].strip("\n"), tags)
