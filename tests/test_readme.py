"""What the README and CONTRIBUTING tell people to type does what they say."""

import re
import shlex
from pathlib import Path

import pytest

from ptwalk import cli


def commands(page: Path, program: str) -> list[list[str]]:
    """Return the words of every line of a page's shell blocks that calls this program, without its comment."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words for words in lines if words and words[0] == program]


def test_commands_of_the_readme_work(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every `ptwalk` command of the README ends well and prints something, as text and as JSON."""
    found = commands(root / "README.md", "ptwalk")
    assert len(found) >= 3
    for words in found:
        for further in ([], ["--json"]):
            assert cli.main([*words[1:], *further]) == 0, words
            assert capsys.readouterr().out.strip()


def test_picture_is_what_the_project_draws(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README's picture is drawn by the command in CONTRIBUTING.md, byte for byte."""
    (words,) = commands(root / "CONTRIBUTING.md", "ptwalk")
    picture = root / words[-1]
    fresh = tmp_path / picture.name
    assert cli.main([*words[1:-1], str(fresh)]) == 0
    assert fresh.read_bytes() == picture.read_bytes(), f"run '{shlex.join(words)}' and commit {words[-1]}"
    assert words[-1] in (root / "README.md").read_text(encoding="utf-8")


def test_readme_names_only_verbs_that_exist(root: Path) -> None:
    """Every verb of course.py in our pages is one that it has."""
    source = (root / "course.py").read_text(encoding="utf-8")
    for page in ("README.md", "CONTRIBUTING.md"):
        for verb in re.findall(r"course\.py (\w+)", (root / page).read_text(encoding="utf-8")):
            assert f'"{verb}": {verb}' in source, f"{page} names the verb {verb}"
