"""The explorers in a real browser: mouse and keys flip bits, keys stay inside, themes and widths hold."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from ptwalk.capture import Capture, open_capture
from ptwalk.views.explorers import entry_explorer, walk_explorer

from .conftest import X86

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LEAF = 0x8000000140A65067


@pytest.fixture
def errors() -> list[str]:
    """What the page complained about; every test ends with none."""
    return []


def open_page(browser: "Browser", path: Path, errors: list[str], width: int = 1000, **options: str) -> "Page":
    """Opens a saved explorer; counts the keys that leave the widget, as a notebook would hear them."""
    page = browser.new_page(viewport={"width": width, "height": 900}, **options)  # type: ignore[arg-type]
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(path.as_uri())
    page.evaluate("window.heard = []; document.addEventListener('keydown', (e) => window.heard.push(e.key))")
    return page


@pytest.fixture
def entry_page(browser: "Browser", tmp_path: Path, errors: list[str]) -> "Iterator[Page]":
    """An entry explorer on a page of its own."""
    page = open_page(browser, entry_explorer(LEAF).save(tmp_path / "entry.html"), errors)  # type: ignore[union-attr]
    yield page
    page.close()
    assert errors == []


def raw_of(page: "Page") -> int:
    """The number in the entry's text field."""
    return int(page.get_by_label("Entry", exact=True).input_value(), 16)


def test_mouse_flips_bits(entry_page: "Page") -> None:
    """A click on P takes the page away, at once, in the words of Python."""
    entry_page.get_by_role("button", name="bit 0, P").click()
    assert raw_of(entry_page) == LEAF ^ 1
    assert X86.decode(LEAF ^ 1, "pte").sentence in entry_page.locator(".says").inner_text()
    assert "faults: bit 0 is clear" in entry_page.locator(".says").inner_text()


def test_keys_move_and_flip_and_stay_inside(entry_page: "Page") -> None:
    """One tab stop for 64 bits; arrows move, Space flips, and the notebook around hears nothing of it."""
    entry_page.get_by_role("button", name="bit 0, P").focus()
    for key in ("ArrowLeft", "ArrowUp", "b", "d", "d", "x", " "):
        entry_page.keyboard.press(key)
    assert raw_of(entry_page) == LEAF ^ 1 << 17
    assert entry_page.evaluate("document.activeElement.dataset.bit") == "17"
    entry_page.keyboard.press("Home")
    entry_page.keyboard.press("Enter")
    assert raw_of(entry_page) == LEAF ^ 1 << 17 ^ 1 << 63
    assert entry_page.evaluate("window.heard") == []
    entry_page.keyboard.press("Escape")
    assert entry_page.evaluate("window.heard") == ["Escape"]


def test_choices_change_what_is_decoded(entry_page: "Page") -> None:
    """Architecture, tables, level, release and examples, each decoded at once; a wrong number is refused."""
    entry_page.get_by_label("Architecture").select_option("arm64")
    assert "AP[2]" in entry_page.locator("table.fields").inner_text()
    entry_page.get_by_label("Tables").select_option("arm64-64k-48")
    entry_page.get_by_label("Level").select_option("pmd")
    entry_page.get_by_label("Linux").select_option("6.19")
    entry_page.get_by_label("Example").select_option(label="PROT_NONE")
    assert "≠ Linux counts it as present" in entry_page.locator(".says").inner_text()
    box = entry_page.get_by_label("Entry", exact=True)
    box.fill("not a number")
    box.press("Enter")
    assert entry_page.locator("[aria-invalid=true]").count() == 1


@pytest.mark.parametrize("width", [320, 700, 2400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_every_width(
    browser: "Browser", tmp_path: Path, errors: list[str], width: int, scheme: str
) -> None:
    """Nothing runs over the side from 320 pixels to 2400, no text is under 12 pixels, and both themes differ."""
    saved = (
        entry_explorer(LEAF).save(tmp_path / "entry.html"),  # type: ignore[union-attr]
        walk_explorer(open_capture("aarch64-4k-48bit-6.1")).save(tmp_path / "walk.html"),  # type: ignore[union-attr]
    )
    for path in saved:
        page = open_page(browser, path, errors, width, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = page.evaluate(
            "[...document.querySelectorAll('.ptwalk-widget *')].filter((e) => e.textContent.trim())"
            ".map((e) => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 12
        ground = page.evaluate("getComputedStyle(document.querySelector('.ptwalk-widget')).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
        page.close()
    assert errors == []


def addresses(capture: Capture) -> list[int]:
    """Starts, ends and insides of the process's areas, the kernel's ranges, and addresses of nobody."""
    random = Random(7)
    found = [0, 1 << 50, (1 << 64) - 1]
    for vma in capture.vmas:
        found += [vma.start, vma.end - 1, vma.end, random.randrange(vma.start, vma.end)]
    for run in list(capture.mapped_ranges("kernel"))[:120]:
        found += [run.start, run.end - 1]
    return found


@pytest.mark.parametrize("name", ["x86_64-4level-6.1", "aarch64-4k-48bit-6.1"])
def test_walks_agree_with_python(browser: "Browser", tmp_path: Path, errors: list[str], name: str) -> None:
    """Hundreds of addresses typed into the explorer end where the capture's own walk ends."""
    capture = open_capture(name)
    page = open_page(browser, walk_explorer(capture).save(tmp_path / "walk.html"), errors)  # type: ignore[union-attr]
    told = page.evaluate(
        """(all) => all.map((va) => {
            const box = document.querySelector('.walk-explorer input[type=text]');
            box.value = va;
            box.dispatchEvent(new Event('change'));
            return document.querySelector('.verdict').innerText;
        })""",
        [hex(va) for va in addresses(capture)],
    )
    for va, words in zip(addresses(capture), told, strict=True):
        record = capture.walk(va)
        if record.physical is not None:
            assert f"Reaches physical {record.physical:#x} in a" in words, hex(va)
            assert f"with rights {record.rights}." in words
        else:
            assert record.fault is not None
            where = f" at {record.fault.level}" if record.fault.level else ""
            assert words.startswith(f"✕ Stops{where}: {record.fault.reason}."), hex(va)
    page.close()
    assert errors == []


def test_indices_and_places_make_addresses(browser: "Browser", tmp_path: Path, errors: list[str]) -> None:
    """A new index moves the address by that level's size; a place jumps; an entry's fields can be looked at."""
    capture = open_capture("x86_64-4level-6.1")
    page = open_page(browser, walk_explorer(capture, 0x10000).save(tmp_path / "walk.html"), errors)  # type: ignore[union-attr]
    box = page.get_by_label("Address")
    index = page.get_by_label("pte index")
    index.fill("17")
    index.press("Enter")
    assert int(box.input_value(), 16) == 0x11000
    page.get_by_label("pgd index").fill("511")
    page.get_by_label("pgd index").press("Enter")
    assert int(box.input_value(), 16) == 0xFFFFFF8000011000
    page.get_by_label("Place").select_option(index=2)
    assert int(box.input_value(), 16) == capture.vmas[1].start
    page.get_by_role("button", name="pgd entry").click()
    assert page.locator(".detail h4").inner_text().startswith("pgd[")
    assert page.evaluate("document.activeElement.dataset.key") == "row-0"
    page.close()
    assert errors == []
