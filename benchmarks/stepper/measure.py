"""How quick the stepper is, in a real browser: `python benchmarks/stepper/measure.py [--lab]`.

Scrubbing is measured in the page, from the call to the next animation frame's layout, over 500 steps of a run of
2,000; the first picture from the module's import to the drawn widget; with `--lab`, a click that asks the kernel and
the growth of a saved notebook, in JupyterLab with the course's settings. Every figure of one run is printed as a
row with its limit; figures of different machines are not comparable.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from laboratory import PLAY, laboratory, open_and_run, write_notebook  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from steppers import open_stepper  # noqa: E402

from ptwalk.trace.timeline import Timeline  # noqa: E402
from ptwalk.trials.playing import play  # noqa: E402
from ptwalk.views.stepper_page import catalogue, module  # noqa: E402

SCRUB = """
async (plan) => {
  const times = [];
  for (const n of plan) {
    const start = performance.now();
    app.player.go(n, true);
    document.body.getBoundingClientRect();  // layout is part of the step
    times.push(performance.now() - start);
    await new Promise(requestAnimationFrame);
  }
  return times;
}
"""

FIRST = """
async ([code, traits]) => {
  const start = performance.now();
  const blob = URL.createObjectURL(new Blob([code + "//" + start], {type: "text/javascript"}));
  const widget = (await import(blob)).default;
  const el = document.createElement("div");
  document.body.appendChild(el);
  const close = widget.render({model: window.makeModel(traits), el});
  el.getBoundingClientRect();
  const spent = performance.now() - start;
  close();
  el.remove();
  return spent;
}
"""


def row(what: str, times: list[float], limit: str) -> None:
    """One line of the table."""
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    print(f"| {what} | {statistics.median(ordered):.1f} | {p95:.1f} | {limit} |")


def long_run(steps: int) -> str:
    """A run of that many steps: the shortest failing one of a scenario, over and over."""
    run, _ = play("munmap-vs-damon-v34")
    data: dict[str, Any] = run.to_json()
    once = data["steps"]
    data["steps"] = [once[i % len(once)] for i in range(steps)]
    del data["report"]
    return Timeline.from_json(data).dumps()


def alone(browser: Browser) -> None:
    """Figures of the widget alone in a page."""
    for steps in (34, 200, 500, 2000):
        text = long_run(steps)
        page = open_stepper(browser, timeline=text)
        page.evaluate(SCRUB, [i % steps for i in range(40)])  # warm up, as a user has by then
        row(
            f"scrub a step, run of {steps:,} ({len(text) / 1000:.0f} KB)",
            page.evaluate(SCRUB, [(i * 7) % steps for i in range(500)]),
            "16 at p95",
        )
        page.context.close()
    page = open_stepper(browser)
    code = [
        module(),
        {"timeline": long_run(34), "catalogue": catalogue(), "tree": "", "live": False, "step": 0},
    ]
    first = [float(page.evaluate(FIRST, code)) for _ in range(20)]
    row("first picture, from the module's text to the laid-out widget", first, "300")


def in_lab(browser: Browser) -> None:
    """Figures in JupyterLab: a choice that asks the kernel, and what a saved notebook grows by."""
    with tempfile.TemporaryDirectory() as folder:
        book = write_notebook(Path(folder) / "race.ipynb", PLAY)
        with laboratory(Path(folder)) as lab:
            page = open_and_run(browser, lab, book.name)
            page.evaluate("window.app = document.querySelector('.ptwalk-stepper').stepper; app.player.go(2)")
            asks = []
            for _ in range(50):
                asks.append(
                    page.evaluate(
                        "() => new Promise(done => { const start = performance.now(); app.player.go(2);"
                        " document.querySelector('[data-k=step1]').click();"
                        " const look = () => app.run.length === 3 ? done(performance.now() - start)"
                        " : setTimeout(look, 0); look(); })"
                    )
                )
                page.evaluate("app.player.act('undo')")
            row("click to picture, asking the kernel", asks, "30 median")
            page.keyboard.press("Control+s")
            page.wait_for_timeout(2000)
            outputs = json.loads(book.read_text(encoding="utf-8"))["cells"][0]["outputs"]
            print(f"| a saved notebook grows by | {len(json.dumps(outputs)) / 1000:.1f} KB |  | 10 KB |")


def main() -> None:
    """Measure and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lab", action="store_true", help="also in JupyterLab")
    options.add_argument("--chromium", default="/usr/bin/chromium")
    chosen = options.parse_args()
    print("| what | median, ms | p95, ms | limit, ms |\n| --- | --- | --- | --- |")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox"])
        alone(browser)
        if chosen.lab:
            in_lab(browser)
        browser.close()


if __name__ == "__main__":
    main()
