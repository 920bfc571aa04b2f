"""What the stepper's browser tests share: a bare page with the widget's module and a stand-in for its model."""

from __future__ import annotations

import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ptwalk.views.stepper_page import catalogue, module, style

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RACE = Path(__file__).parent / "data" / "munmap_race.json"
AXE = "axe-core@4.14.1"

_MODEL = """
window.makeModel = (traits, answer) => {
  const handlers = {};
  return {
    sent: [], handlers,
    get: (name) => traits[name], set: (name, value) => { traits[name] = value; },
    on: (name, f) => { handlers[name] = f; }, off: (name) => { delete handlers[name]; },
    save_changes: () => {},
    send(message) {
      this.sent.push(message);
      const reply = answer && answer(message);
      if (reply) setTimeout(() => handlers["msg:custom"] && handlers["msg:custom"]({ id: message.id, ...reply }), 0);
    },
  };
};
"""


def open_stepper(
    browser: Browser,
    *,
    timeline: str | None = None,
    width: int = 1132,
    height: int = 900,
    theme: str = "light",
    answer: str = "null",
    traits: dict[str, Any] | None = None,
    **context: Any,
) -> Page:
    """A page with one stepper and nothing else; `answer` is a JavaScript function from message to reply.

    The page's errors are collected in `page.errors`; every request it makes in `page.asked`.
    """
    text = RACE.read_text(encoding="utf-8") if timeline is None else timeline
    made = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, **context)  # type: ignore[arg-type]
    page = made.new_page()
    page.errors, page.asked = [], []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.errors.append(str(error)))  # type: ignore[attr-defined]
    page.on("request", lambda request: page.asked.append(request.url))  # type: ignore[attr-defined]
    settings = {
        "timeline": text,
        "catalogue": catalogue(),
        "tree": "",
        "live": answer != "null",
        "step": 0,
        "options": {},
    }
    settings |= traits or {}
    page.set_content(
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><title>stepper</title><style>{style()}'
        "html{background:#fff}html[data-theme=dark]{background:#14171b}body{margin:0}</style></head>"
        '<body><main><h1 class="sr" style="position:absolute;clip-path:inset(50%);margin:0">Stepper</h1>'
        '<div id="here"></div></main></body></html>'
    )
    page.evaluate(_MODEL)
    page.evaluate(
        "async ([code, traits, answer]) => {"
        " const blob = URL.createObjectURL(new Blob([code], {type: 'text/javascript'}));"
        " const widget = (await import(blob)).default;"
        " window.model = window.makeModel(traits, eval(answer));"
        " window.cleanup = widget.render({model: window.model, el: document.getElementById('here')});"
        " window.app = document.querySelector('.ptwalk-stepper').stepper; }",
        [module(), settings, answer],
    )
    return page


def go(page: Page, step: int) -> None:
    """Show a step."""
    page.evaluate("step => app.player.go(step)", step)


@cache
def npm_package(package: str) -> Path:
    """The folder of a package of npm ("eslint@9.39.5"), fetched once into a cache outside the project.

    Skips, with the reason, where npm cannot get it.
    """
    name = package[: package.rindex("@")]
    home = Path(tempfile.gettempdir()) / "ptwalk-test-cache" / package.replace("/", "-")
    target = home / "node_modules" / name
    if not (target / "package.json").exists():
        home.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(home), package],
                capture_output=True, text=True, check=False, timeout=300,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            pytest.skip(
                f"{package} cannot be fetched here ({type(error).__name__}); it needs npm and a registry"
            )
        if done.returncode or not (target / "package.json").exists():
            pytest.skip(f"{package} cannot be fetched here: npm install did not succeed")
    return target


@cache
def axe_source() -> str:
    """The text of axe-core."""
    return (npm_package(AXE) / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What axe finds in the widget, as lines."""
    page.evaluate(axe_source())
    found = page.evaluate("() => axe.run('#here', {resultTypes: ['violations']}).then(r => r.violations)")
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary'][:300]}"
        for one in found
        for node in one["nodes"]
    ]


def race_with(**change: Any) -> str:
    """The race's JSON with parts replaced."""
    return json.dumps(json.loads(RACE.read_text(encoding="utf-8")) | change)
