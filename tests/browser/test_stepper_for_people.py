"""The stepper in a real browser, for all people: keys, focus, screen readers, zoom, print, themes, a projector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from steppers import go, open_stepper, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MOMENTS = (0, 3, 10, 14, 16, 17)


def test_keys_stay_inside(browser: Browser) -> None:
    """Every key is stopped at the widget but Tab and those with Ctrl, Alt, Meta; the ones with a meaning act."""
    page = open_stepper(browser)
    page.evaluate("window.leaked = []; document.addEventListener('keydown', e => leaked.push(e.key))")
    page.focus('[data-k="handle"]')
    for key in ("b", "d", "d", "x", "a", "ArrowRight", "ArrowRight", "Enter", "End", "Home"):
        page.keyboard.press(key)
    assert page.evaluate("leaked") == []
    assert page.evaluate("app.n") == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate("app.n") == 4
    page.keyboard.press("1")
    assert page.evaluate("app.n") == 5
    page.keyboard.press("?")
    assert page.locator("dialog[open] [data-sheet=help]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.keyboard.press("Tab")
    page.keyboard.press("Control+b")
    assert page.evaluate("leaked.filter(k => k !== 'Control' && k !== 'Shift')") == ["Tab", "b"]


def test_focus_survives_a_redraw(browser: Browser) -> None:
    """Stepping from a button keeps the focus on it; when it is gone the handle has it."""
    page = open_stepper(browser)
    page.focus('[data-k="forward"]')
    for _ in range(16):
        page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.k") == "forward"
    page.keyboard.press("Enter")
    assert page.evaluate("app.n") == 17
    assert page.evaluate("document.activeElement.dataset.k") == "handle"


def test_the_live_region_speaks_when_scrubbing_rests(browser: Browser) -> None:
    """In the middle of scrubbing it is silent; then it says the sentence once."""
    page = open_stepper(browser)
    for step in (3, 4, 5, 6):
        go(page, step)
    page.wait_for_function("document.querySelector('.spoken').textContent.startsWith('Step 6.')")
    assert "downgrades" in page.inner_text(".spoken")
    assert "Step 6 of 17" in str(page.get_attribute("input[type=range]", "aria-valuetext"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1132, 600, 320])
def test_axe_finds_nothing(browser: Browser, theme: str, width: int, record_property: Any) -> None:
    """Zero violations at every telling moment and in each sheet, in both themes, wide and narrow."""
    page = open_stepper(browser, theme=theme, width=width, reduced_motion="reduce")
    for step in MOMENTS:
        go(page, step)
        assert violations(page) == []
    for sheet in ("help", "more", "table", "paste"):
        page.evaluate("name => app.player.act('sheet:' + name)", sheet)
        assert violations(page) == []
        page.evaluate("app.player.act('close')")
    record_property("compared", f"{len(MOMENTS) + 4} pictures, {theme}, {width} px")


def test_targets_are_large_enough(browser: Browser) -> None:
    """Every button is at least 24 pixels high and wide, but the quiet one inside a table's last line."""
    page = open_stepper(browser)
    go(page, 5)
    small = page.evaluate(
        "[...document.querySelectorAll('.ptwalk-stepper button:not([tabindex])')]"
        ".map(b => [b.innerText, b.getBoundingClientRect()])"
        ".filter(([_, r]) => r.width && (r.height < 23.9 || r.width < 23.9)).map(([t]) => t)"
    )
    assert small == []


@pytest.mark.parametrize(
    ("width", "zoom"), [(320, 1), (600, 1), (859, 1), (870, 1), (1015, 1), (1132, 2), (3840, 1)]
)
def test_nothing_runs_out_of_the_page(browser: Browser, width: int, zoom: int) -> None:
    """From 320 pixels to 4K and at 200 % zoom the page does not scroll sideways."""
    page = open_stepper(browser, width=width // zoom, device_scale_factor=zoom)
    for step in MOMENTS:
        go(page, step)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_print_has_the_run_as_a_table(browser: Browser) -> None:
    """On paper: no buttons, the current step, and all steps in words."""
    page = open_stepper(browser)
    go(page, 10)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator(".printed tbody tr:visible").count() == 17
    assert page.locator(".head button:visible").count() == 0


def test_presenter_mode_fills_the_screen(browser: Browser) -> None:
    """Key `m`: the whole screen, type scaled up, keys still step; again, and all is as before."""
    page = open_stepper(browser, width=1920, height=1080)
    page.focus('[data-k="handle"]')
    before = page.evaluate("document.querySelector('.say').getBoundingClientRect().height")
    page.keyboard.press("m")
    page.wait_for_function("document.querySelector('.ptwalk-stepper').classList.contains('presents')")
    assert page.evaluate("document.querySelector('.w').getBoundingClientRect().width") > 1200
    assert page.evaluate("document.querySelector('.say').getBoundingClientRect().height") > before * 1.1
    page.keyboard.press("ArrowRight")
    assert page.evaluate("app.n") == 1
    arrow = page.evaluate(
        "(() => { const a = document.querySelector('.ar .tr').getBoundingClientRect();"
        " const b = document.querySelector('[data-frame]').getBoundingClientRect(); return a.left - b.right; })()"
    )
    assert -4 <= arrow <= 8, "arrows keep to their boxes when scaled"
    page.keyboard.press("m")
    page.wait_for_function("!document.querySelector('.ptwalk-stepper').classList.contains('presents')")
    assert page.evaluate("document.querySelector('.w').style.zoom") == ""


@pytest.mark.parametrize(
    ("page_ground", "kept"), [("#ffffff", True), ("#fdfdf8", True), ("#808080", False), ("#2b2b2b", False)]
)
def test_an_unreadable_ground_is_not_taken_over(browser: Browser, page_ground: str, kept: bool) -> None:
    """The page's ground is ours where all our text colours have a contrast of 4.5 on it; else our own is laid."""
    page = open_stepper(browser)
    page.evaluate(
        "ground => { document.documentElement.style.setProperty('--jp-layout-color1', ground);"
        " document.body.className = 'changed'; }",
        page_ground,
    )
    page.wait_for_timeout(0)
    shown = page.evaluate("getComputedStyle(document.querySelector('.w')).backgroundColor")
    red = int(page_ground[1:3], 16)
    assert (str(red) in shown and kept) or (shown == "rgb(255, 255, 255)" and not kept)


def test_a_host_that_listens_first_is_asked_to_let_keys_through(browser: Browser) -> None:
    """Notebook 7 takes shortcuts in the capture phase: the focused node then bears the mark it respects, but for
    keys that are its own.
    """
    page = open_stepper(browser)
    page.evaluate(
        "window.marks = {}; document.addEventListener('keydown', e =>"
        " { marks[e.key] = e.target.hasAttribute('data-lm-suppress-shortcuts'); }, true)"
    )
    page.focus('[data-k="handle"]')
    for key in ("b", "ArrowRight", "Control+s", "Escape"):
        page.keyboard.press(key)
    marks = page.evaluate("marks")
    assert marks["b"] and marks["ArrowRight"]
    assert not marks["s"] and not marks["Escape"]
