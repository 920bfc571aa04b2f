"""The page "check your own walker": its code runs, and its commands say what the page says."""

import re
import shlex
from pathlib import Path

import pytest

from ptwalk.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "check-your-own-walker.md"


@pytest.fixture
def walker_file(tmp_path, monkeypatch):
    """my_walker.py, out of the page, in the working directory."""
    blocks = re.findall(r"<!-- my_walker.py -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    (tmp_path / "my_walker.py").write_text("\n".join(blocks), encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def commands() -> list[str]:
    """The explore commands of the page, in order."""
    return re.findall(r"^ptwalk (explore my_walker.*)$", PAGE.read_text(encoding="utf-8"), re.M)


def test_the_page_says_what_happens(walker_file, capsys):
    """The first walker fails against munmap with two switches; the mended one is safe, then and now."""
    first, *others = commands()
    assert main(first.split()) == 1
    told = capsys.readouterr().out
    assert "2 switches" in told and "my_walker.py" in told and "(a) inside a VMA" in told
    assert len(others) == 3
    for command in others:
        assert main(command.split()) == 0, command
    assert "safe: all 3 executions explored" not in told


def test_the_replay_line_of_a_walker_of_ones_own_works(walker_file, capsys):
    """What explore prints can be replayed with the walker's file."""
    main(commands()[0].split())
    line = re.search(r"^replay: ptwalk (.*)$", capsys.readouterr().out, re.M)[1]
    code = main(shlex.split(line))
    assert code == 1 and "BUG" in capsys.readouterr().out


def test_every_name_in_the_table_exists():
    """What the page says can be imported can be."""
    import ptwalk.kernel

    named = set(re.findall(r"await (\w+)\(|`(\w+)\(entry\)`", PAGE.read_text(encoding="utf-8")))
    names = {one or other for one, other in named} - {"walk_page_range", "page_young"}
    assert names and [name for name in names if not hasattr(ptwalk.kernel, name)] == []
