"""The browser side of the widgets: real ES modules in `web/`, joined into the one module a widget needs.

Knows the folder `web/` only. A widget's module reaches the browser without an address of its own, so it
cannot import its neighbours there; they are joined here instead, each once, imports first. The modules
keep to two forms, which a test holds them to: `import { a, b } from "./file.js";` and `export` before a
declaration; top-level names are unique over the modules joined.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

WEB = Path(__file__).parent / "web"
"""The folder of the ES modules and style sheets."""

_IMPORT = re.compile(r'^import \{[^}]*\} from "(\./|(?:\.\./)+)([\w/.-]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)


@cache
def joined(name: str) -> str:
    """The module `web/<name>` with all it imports in front of it, as one module that exports its default.

    Raises `FileNotFoundError` if a module does not exist, which a test would see first.
    """
    parts: list[str] = []
    _join(WEB / name, parts, set())
    return "\n".join(parts)


def style(*names: str) -> str:
    """The style sheets `web/<name>` one after the other, the colour tokens of `.ptwalk` in front."""
    from ptwalk.views.tokens import css

    sheets = [(WEB / name).read_text(encoding="utf-8") for name in names]
    return "\n".join([css(".ptwalk-widget"), *sheets])


def _join(path: Path, parts: list[str], seen: set[Path]) -> None:
    path = path.resolve()
    if path in seen:
        return
    seen.add(path)
    source = path.read_text(encoding="utf-8")
    for match in _IMPORT.finditer(source):
        _join(path.parent / (match[1] + match[2]), parts, seen)
    parts.append(f"// {path.name}\n" + _EXPORT.sub("", _IMPORT.sub("", source)))
