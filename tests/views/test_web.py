"""The browser's modules: their own unit tests under node, joined without a build step, and typed by JSDoc."""

import re
from pathlib import Path

import pytest

from ptwalk.views.esm import WEB, joined, style

from .conftest import WEB_TESTS, run_node

WIDGETS = ("entry_explorer.js", "walk_explorer.js")


def test_the_modules_pass_their_own_tests(node: str) -> None:
    """`node --test` over tests/views/web."""
    run_node(node, "--test", *map(str, sorted(WEB_TESTS.glob("*.test.mjs"))))


@pytest.mark.parametrize("name", WIDGETS)
def test_a_joined_module_stands_alone(node: str, name: str, tmp_path: Path) -> None:
    """What a widget sends has no import left, each module once, and gives a `render` when it is loaded."""
    text = joined(name)
    assert not re.search(r"^import\b", text, re.MULTILINE)
    assert text.count("// decoder.js") == 1
    assert re.findall(r"^export .*", text, re.MULTILINE) == ["export default { render };"]
    path = tmp_path / "widget.mjs"
    path.write_text(text)
    script = f"import('{path.as_uri()}').then((m) => console.log(typeof m.default.render))"
    assert run_node(node, "-e", script).strip() == "function"


@pytest.mark.parametrize("name", WIDGETS)
def test_joined_names_are_unique(name: str) -> None:
    """Modules share one scope once they are joined, so no two of them may declare the same name."""
    names = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", joined(name), re.MULTILINE)
    assert len(names) == len(set(names))


def test_imports_keep_to_the_form_that_can_be_joined() -> None:
    """Every import of every module is `import { … } from "./file.js";` and names a file that is there."""
    for path in WEB.glob("*.js"):
        for line in re.findall(r"^import\b.*", path.read_text(encoding="utf-8"), re.MULTILINE):
            match = re.fullmatch(r'import \{[^}]*\} from "(\.[\w./-]+)";', line)
            assert match and (path.parent / match[1]).exists(), (path.name, line)


def test_style_has_no_colour_of_its_own() -> None:
    """The style sheets name tokens; the colours themselves are written in tokens.py alone."""
    sheet = (WEB / "explorers.css").read_text(encoding="utf-8")
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb\(|hsl\(", sheet)
    assert "font:11px" not in sheet
    assert "--pt-ink:" in style("explorers.css")
