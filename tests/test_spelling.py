"""Common misspellings, found with codespell's own word list; nothing is fetched.

Words that are right here are in pyproject.toml under [tool.codespell].
"""

import subprocess
import sys
from pathlib import Path


def test_no_word_is_misspelt(root: Path, tmp_path: Path) -> None:
    """In pages, lessons, exercises, code, reports and the widgets' words, no common misspelling stands."""
    # Notebooks are made from authoring/; their outputs are made from ptwalk/.
    places = [*root.glob("*.md"), root / "course.py"]
    places += [root / name for name in ("docs", "authoring", "ptwalk", "tests", "benchmarks", "jupyter")]
    command = [sys.executable, "-m", "codespell_lib", "--toml", str(root / "pyproject.toml")]
    done = subprocess.run(
        [*command, *map(str, places)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_misspelt_word_is_found(root: Path, tmp_path: Path) -> None:
    """The check above looks: a page with a common misspelling is refused."""
    (tmp_path / "page.md").write_text("Page tables are writ" + "en by the kernel.\n")
    command = [sys.executable, "-m", "codespell_lib", "--toml", str(root / "pyproject.toml"), "page.md"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode != 0 and "written" in done.stdout
