"""A widget as one HTML file that needs nothing else: no server, no kernel, no network.

Knows the joined modules and style sheets; nothing of what they draw.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from ptwalk.errors import PtwalkError

# What a widget's module expects of its model, over plain values; there is nobody to send changes to.
_MODEL = """
const values = JSON.parse(document.getElementById("values").textContent);
const listeners = {};
const model = {
  get: (name) => values[name],
  set: (name, value) => {
    if (values[name] === value) return;
    values[name] = value;
    for (const f of listeners["change:" + name] ?? []) f();
  },
  save_changes: () => {},
  on: (name, f) => (listeners[name] ??= []).push(f),
  off: (name, f) => { listeners[name] = (listeners[name] ?? []).filter((other) => other !== f); },
  send: () => {},
};
"""


def page(title: str, module: str, sheet: str, values: dict[str, Any], fallback: str) -> str:
    """The HTML of a page with one widget: its module and style, its state, and words where scripts are off."""
    # "</" would end the script element, whatever it stands in.
    data = json.dumps(values).replace("</", "<\\/")
    script = module.replace("export default", "const widget =").replace("</script", "<\\/script")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        "<style>\nhtml{color-scheme:light dark;background:#ffffff}body{margin:0 auto;max-width:1400px}\n"
        "@media (prefers-color-scheme:dark){html:not([data-theme=light]){background:#14171b}}\n"
        "html[data-theme=dark]{background:#14171b}\n"
        f'{sheet}\n</style>\n</head>\n<body>\n<main id="widget"></main>\n'
        f"<noscript><pre>{escape(fallback)}</pre></noscript>\n"
        f'<script type="application/json" id="values">{data}</script>\n'
        f'<script type="module">\n{script}\n{_MODEL}\n'
        'widget.render({ model, el: document.getElementById("widget") });\n</script>\n</body>\n</html>\n'
    )


def write(path: str | Path, content: str) -> Path:
    """Writes the page; raises `PtwalkError` if the file cannot be written."""
    where = Path(path)
    try:
        where.write_text(content, encoding="utf-8")
    except OSError as error:
        raise PtwalkError(
            f"cannot write {where}: {error.strerror}; give a file in a folder that exists"
        ) from None
    return where
