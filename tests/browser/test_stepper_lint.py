"""The browser's modules as their tools see them: linted, formatted, and their JSDoc types agree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from steppers import npm_package

import ptwalk.views

pytestmark = pytest.mark.slow
WEB = Path(ptwalk.views.__path__[0]) / "web" / "stepper"
RULES = Path(__file__).parent / "js" / "eslint.config.mjs"


def tool(package: str, program: str, *arguments: str, folder: Path = WEB) -> subprocess.CompletedProcess[str]:
    """Run a program of an npm package under node in a folder."""
    command = ["node", str(npm_package(package) / program), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def eslint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Lint the modules of a folder with our rules."""
    rules = ("--no-config-lookup", "--config", str(RULES), "--max-warnings", "0", ".")
    return tool("eslint@9.39.5", "bin/eslint.js", *rules, folder=folder)


def test_eslint_finds_nothing(tmp_path: Path) -> None:
    """No mistake a linter knows, and no module over 300 lines; the rules do see a mistake where there is one."""
    found = eslint(WEB)
    assert found.returncode == 0, found.stdout + found.stderr
    (tmp_path / "wrong.js").write_text("var unused = nowhere == 1;\n", encoding="utf-8")
    wrong = eslint(tmp_path)
    assert all(rule in wrong.stdout for rule in ("no-var", "no-undef", "eqeqeq", "no-unused-vars"))


def test_prettier_changes_nothing() -> None:
    """The modules are written as prettier writes them, 120 columns wide."""
    found = tool("prettier@3.10.1", "bin/prettier.cjs", "--check", "--print-width", "120", "*.js")
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_types_agree(tmp_path: Path) -> None:
    """TypeScript, reading the JSDoc comments, finds no contradiction; nothing is built."""
    options = {
        "allowJs": True,
        "checkJs": True,
        "noEmit": True,
        "target": "ES2022",
        "module": "ES2022",
        "moduleResolution": "bundler",
        "lib": ["ES2022", "DOM", "DOM.Iterable"],
        "types": [],
    }
    config = tmp_path / "tsconfig.json"
    config.write_text(json.dumps({"compilerOptions": options, "include": [f"{WEB}/*.js"]}), encoding="utf-8")
    found = tool("typescript@5.9.3", "bin/tsc", "--project", str(config))
    assert found.returncode == 0, found.stdout + found.stderr
