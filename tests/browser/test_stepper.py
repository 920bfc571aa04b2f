"""The stepper in a real browser, alone on a page: what is seen, what is asked, what never breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from steppers import RACE, go, open_stepper, race_with, violations

from ptwalk.trace.timeline import Timeline
from ptwalk.views.stepper_page import save

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_scrubbing_tells_the_race(browser: Browser) -> None:
    """Each step shows its sentence, the tables' states and what the CPUs believe; nothing fails on the way."""
    page = open_stepper(browser)
    go(page, 10)
    assert "CPU 0 still points into frame 7." in page.inner_text(".say")
    assert page.get_attribute('[data-frame="7"]', "data-s") == "unlinked"
    assert page.locator(".sts tr.lie").count() == 2
    assert page.inner_text('[data-slot="5.2"]').replace("\n", " ").startswith(("0 1", "0"))
    go(page, 17)
    assert "Store into a reused frame" in page.inner_text(".ver.hit")
    assert page.locator('[data-frame="7"].hitf').count() == 1
    page.fill("input[type=range]", "3")
    assert "Step 3 of 17" in page.inner_text(".say")
    assert page.errors == []  # type: ignore[attr-defined]


PLACES = """
() => {
  const seen = {};
  const note = (name, value) => { (seen[name] ??= new Set()).add(Math.round(value)); };
  const top = (node) => node.getBoundingClientRect().top;
  for (let n = 0; n <= app.run.length; n++) {
    app.player.go(n, true);
    for (const zone of ['.tabs', '.lane', '.sts dl', '.tl', '.ver'])
      document.querySelectorAll(zone).forEach((node, i) => note(zone + i, top(node)));
    note('height', document.querySelector('.w').getBoundingClientRect().height);
    document.querySelectorAll('.fr[data-frame]').forEach((node) =>
      note('frame ' + node.dataset.frame, top(node) + (node.dataset.s === 'deposited' ? 2.5 : 0)));
  }
  return Object.entries(seen).map(([name, places]) => [name, Math.min(...places), Math.max(...places)])
    .filter(([, least, most]) => most - least > 1);
}
"""


@pytest.mark.parametrize("width", [1132, 900, 700, 330])
@pytest.mark.parametrize(
    "scenario", ["", "munmap-vs-damon-v34", "collapse-anon-vs-damon-merged", "exit-vs-mm-count-only"]
)
def test_nothing_jumps(browser: Browser, scenario: str, width: int) -> None:
    """Zones, frames and the lines of a CPU's status keep their places over all steps of a run, wide and narrow."""
    import ptwalk

    run = ptwalk.stepper(scenario).run.dumps() if scenario else None
    page = open_stepper(browser, timeline=run, width=width)
    assert page.evaluate(PLACES) == []
    assert page.errors == []  # type: ignore[attr-defined]


def test_equal_locals_of_two_cpus_are_judged_apart(browser: Browser) -> None:
    """Who cleared the entry himself is not told that it changed; who read the very same value before is."""
    import ptwalk

    page = open_stepper(browser, timeline=ptwalk.stepper("munmap-vs-damon-v34").run.dumps())
    page.evaluate(
        "app.player.go(app.run.steps.findIndex(s => s.kind === 'clear' && /pmd/.test(s.label)) + 1)"
    )
    said = page.evaluate(
        "[...document.querySelectorAll('.lane')].map(lane => [...lane.querySelectorAll('.sts tbody tr')]"
        ".filter(row => row.querySelector('th')?.innerText === 'entry').map(row => row.className.includes('lie')))"
    )
    assert said == [[True], [False]]


def test_play_and_pause(browser: Browser) -> None:
    """Space plays and pauses; playing stops at the end."""
    page = open_stepper(browser)
    page.focus('[data-k="handle"]')
    page.evaluate("app.options.speed = 40")
    page.keyboard.press(" ")
    page.wait_for_function("app.n === 17 && !app.player.timer")
    assert page.inner_text('[data-k="play"]') == "Play"


@pytest.mark.parametrize(
    ("timeline", "says"),
    [
        ("not json", "cannot be shown"),
        ("{}", "not a ptwalk timeline"),
        (race_with(version=2), "schema version 2"),
        (race_with(base={"f1": {}}), "f1 is no frame"),
        (race_with(packed={"keys": [], "values": [], "steps": [[0, 9, 9, 9, []]]}), "tables"),
        (race_with(cpus=[]), "no CPU"),
    ],
)
def test_a_broken_trace_gets_a_sentence(browser: Browser, timeline: str, says: str) -> None:
    """What cannot be shown is said in the widget; it is never blank, and nothing is thrown."""
    page = open_stepper(browser, timeline=timeline)
    assert says in page.inner_text("[role=alert]")
    assert page.errors == []  # type: ignore[attr-defined]


def test_a_kernel_that_died_gets_a_sentence(browser: Browser) -> None:
    """No answer to a choice: the widget says so, and scrubbing still works."""
    page = open_stepper(browser, answer="() => null", traits={"patience": 60})
    page.focus('[data-k="handle"]')
    page.keyboard.press("1")
    page.wait_for_function("document.querySelector('.msg').textContent.includes('does not answer')")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("app.n") == 1


def test_a_branch_comes_from_the_kernel_and_goes_again(browser: Browser) -> None:
    """Another choice asks the kernel, keeps the common steps, forgets the future; undo brings it back."""
    answer = (
        "(m) => m.ask === 'step' ? ({update: {keep: m.choices.length, report: null, steps: "
        "[{cpu: m.cpu, kind: 'lock', label: 'lock', say: [['text', {text: 'A new step.'}]], set: {}}]}})"
        " : ({error: 'not offered here'})"
    )
    page = open_stepper(browser, answer=answer)
    go(page, 2)
    page.click('[data-k="step1"]')
    page.wait_for_function("app.run.length === 3")
    assert "A new step." in page.inner_text(".say")
    assert page.locator(".pill.future").count() == 0
    page.keyboard.press("u")
    assert page.evaluate("[app.run.length, app.n]") == [17, 2]
    page.keyboard.press("f")
    page.wait_for_function("document.querySelector('.msg').textContent.includes('not offered here')")


def test_predict_first_asks_before_it_shows(browser: Browser) -> None:
    """In that mode a step is asked for first; an answer is judged and the step shown."""
    page = open_stepper(browser, traits={"options": {"predict": True}})
    go(page, 9)
    page.focus('[data-k="handle"]')
    page.keyboard.press("ArrowRight")
    assert page.evaluate("app.n") == 9
    page.get_by_role("button", name="No, a belief becomes false").click()
    assert page.evaluate("app.n") == 10
    assert "Right. 1 of 1 predicted" in page.inner_text(".msg")


def test_the_challenge_hides_the_verdict(browser: Browser) -> None:
    """Nobody is told the answer; a claim is judged by what is known, else by the proof that is asked for."""
    proof = (
        "(m) => m.ask === 'prove' ? ({verdict: {outcome: 'bug', steps: 9, switches: 1}}) : ({error: 'no'})"
    )
    for timeline, says in ((None, "17 steps and 2 "), (race_with(verdict=None), "9 steps and 1 ")):
        page = open_stepper(browser, timeline=timeline, answer=proof)
        page.evaluate("app.player.act('toggle:challenge')")
        assert page.locator(".ver").count() == 0 and page.evaluate("app.run.length") == 0
        page.get_by_role("button", name="It cannot be broken").click()
        page.wait_for_function("says => document.querySelector('.ask').textContent.includes(says)", arg=says)
        page.keyboard.press("f")
        assert "nobody searches for you" in page.inner_text(".msg")
        assert page.evaluate("app.run.length") == 0


def test_a_saved_page_needs_no_network(browser: Browser, tmp_path: Path) -> None:
    """With the network cut the page opens, scrubs, and asks for nothing."""
    path = save(tmp_path / "race.html", Timeline.loads(RACE.read_text(encoding="utf-8")), step=3)
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert "Step 3 of 17" in page.inner_text(".say")
    page.fill("input[type=range]", "10")
    assert "unlinked" in page.inner_text('[data-frame="7"]')
    assert asked == [path.as_uri()]
    context.close()


def test_a_saved_page_takes_other_turns(browser: Browser, tmp_path: Path) -> None:
    """Without a kernel: another turn, a CPU run to its end, undo, back to the saved run, and the challenge."""
    import ptwalk

    path = ptwalk.stepper("munmap-vs-damon-v34", step=2).save(tmp_path / "race.html")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    page.evaluate("window.app = document.querySelector('.ptwalk-stepper').stepper")
    page.focus('[data-k="handle"]')
    page.keyboard.press("1")
    page.wait_for_function("app.run.length === 3")
    page.keyboard.press("Shift+Digit1")
    page.wait_for_function("app.run.length > 20")
    page.keyboard.press("u")
    assert page.evaluate("app.run.length") == 3
    page.keyboard.press("f")
    assert page.locator(".ver.hit:not(.later)").count() == 1
    page.evaluate("app.player.act('toggle:challenge')")
    assert page.evaluate("app.run.length") == 0
    for key in ("0", "0", "0", "0", "0", "Shift+Digit1", "0"):
        before = page.evaluate("app.n")
        page.keyboard.press(key)
        page.wait_for_function("n => app.n > n", arg=before)
    assert "A shorter way exists" in page.inner_text(".ask")
    context.close()


def test_memory_after_a_thousand_steps(browser: Browser, record_property: Any) -> None:
    """A thousand redraws leave no more nodes behind than one, and taking the widget away leaves none."""
    page = open_stepper(browser)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def measure() -> tuple[int, int]:
        session.send("HeapProfiler.collectGarbage")
        metrics = {
            one["name"]: int(one["value"]) for one in session.send("Performance.getMetrics")["metrics"]
        }
        return metrics["JSHeapUsedSize"], metrics["Nodes"]

    page.evaluate("for (let i = 0; i < 60; i++) app.player.go(i % 18, true)")
    before = measure()
    page.evaluate("for (let i = 0; i < 1000; i++) app.player.go((i * 7) % 18, true)")
    page.evaluate("app.player.go(59 % 18, true)")
    after = measure()
    record_property(
        "compared", f"heap {before[0] >> 10} KB then {after[0] >> 10} KB, nodes {before[1]} then {after[1]}"
    )
    assert after[1] <= before[1] * 1.2 + 200
    assert after[0] <= before[0] + 4_000_000
    page.evaluate("cleanup()")
    assert page.locator(".ptwalk-stepper").count() == 0


def test_a_long_run_still_scrubs(browser: Browser) -> None:
    """2,000 steps: the timeline folds, the handle goes everywhere, nothing fails."""
    data = Timeline.loads(RACE.read_text(encoding="utf-8")).to_json()
    steps: Any = data["steps"]
    data["steps"] = [steps[i % 16] for i in range(2000)]
    del data["report"]
    page = open_stepper(browser, timeline=json.dumps(data))
    for step in (1, 999, 2000):
        go(page, step)
        assert f"Step {step} of 2000" in page.inner_text(".say")
    assert page.locator(".tl svg g.pill").count() < 400
    assert "folded" in page.inner_text(".fold")
    assert page.errors == []  # type: ignore[attr-defined]


def test_linux_lies_beside_the_model(browser: Browser) -> None:
    """A recorded run under the simulated one: a pill where they meet, a count and a reason where Linux did more."""
    from ptwalk.conformance import beside

    run = beside("munmap_tables")
    page = open_stepper(browser, timeline=run.dumps())
    go(page, 18)
    assert page.locator(".pill.rec").count() > 30
    assert page.inner_text(".lin").startswith("Linux here:")
    page.evaluate("app.player.act('sheet:table')")
    table = page.inner_text("table.run")
    assert "Recorded run of Linux" in table and "recorded steps the model leaves out" in table
    page.evaluate("app.player.act('close')")
    assert violations(page) == []
    assert page.errors == []  # type: ignore[attr-defined]


def test_two_address_spaces_share_a_table(browser: Browser) -> None:
    """Each table says whose it is; the shared one is drawn once, with an arrow from both."""
    from ptwalk.trace.recording import TimelineWriter
    from ptwalk.trace.snapshot import Frame, Slot
    from ptwalk.trace.timeline import Header

    levels = tuple({"name": name, "shift": shift, "bits": 9} for name, shift in (("pmd", 21), ("pte", 12)))
    roots = ({"name": "A", "frame": 1}, {"name": "B", "frame": 2})
    writer = TimelineWriter(
        Header("shared", ({"name": "CPU 0"},), levels=levels, roots=roots, marks="P RW US A PS")
    )  # type: ignore[arg-type]
    writer.put(
        Frame(1, level="pmd"),
        Frame(2, level="pmd"),
        Frame(3, level="pte"),
        Frame(4, kind="page", size=1 << 21),
    )
    writer.put(Slot(1, 0, 3, "P RW US A"), Slot(2, 5, 3, "P US A"), Slot(2, 9, 4, "P RW US A PS", leaf=True))
    writer.begin()
    writer.put(Slot(2, 5, word="none"))
    writer.step(0, "clear", "pmd=0", [("clear", {"entry": "2.5"})])
    page = open_stepper(browser, timeline=writer.timeline().dumps())
    assert "shared by A, B" in page.inner_text('[data-frame="3"]')
    assert page.inner_text('[data-frame="2"]').endswith("B")
    assert page.locator(".ar .tr").count() == 3
    go(page, 1)
    assert page.locator(".ar .tr").count() == 2
    assert page.errors == []  # type: ignore[attr-defined]


def test_a_huge_page_passes_the_parked_table(browser: Browser) -> None:
    """The arrow of a 2 MiB entry goes round the deposited table in the column between, and the page says its size."""
    import ptwalk

    page = open_stepper(browser, timeline=ptwalk.stepper("thp-split-vs-damon-merged").run.dumps())
    assert "huge page, 2 MiB" in page.inner_text('[data-s="page"]')
    parked = page.evaluate("document.querySelector('[data-s=deposited]').getBoundingClientRect().bottom")
    lowest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.ar .tr')].map(a => a.getBoundingClientRect().bottom))"
    )
    assert lowest > parked


def test_a_recording_offers_no_search(browser: Browser) -> None:
    """What was recorded can be stepped, not searched; each step shows the stack it was recorded with."""
    from ptwalk.recordings import timeline

    page = open_stepper(browser, timeline=timeline("munmap_tables").dumps())
    assert page.locator('[data-k="find"]').count() == 0
    go(page, 30)
    assert "pv_queued_spin_unlock" in page.inner_text(".code .did")
    assert "One run" in page.inner_text(".ver")
