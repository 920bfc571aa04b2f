"""What is written down several times says the same everywhere: dependencies, versions, licences, public names."""

import ast
import importlib
import re
import sys
import tomllib
from importlib.metadata import files, version
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import ptwalk

REFRESH = "refresh it as CONTRIBUTING.md says under 'Dependencies and pins'"
CONDA_NAMES = {"matplotlib": "matplotlib-base"}  # ours -> conda-forge's, where they differ
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"]


@pytest.fixture(scope="module")
def pyproject(root: Path) -> dict[str, Any]:
    """The parsed pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pins(root: Path) -> list[Requirement]:
    """The lines of constraints.txt."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def ranges(requirements: list[str]) -> dict[str, SpecifierSet]:
    """Return the range of each package, by its canonical name."""
    return {canonicalize_name(r.name): r.specifier for r in map(Requirement, requirements)}


def test_conda_environment_equals_pyproject(root: Path, pyproject: dict[str, Any]) -> None:
    """environment.yml asks for the same packages and the same ranges as pyproject.toml, Python included."""
    environment = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge"]
    *lines, by_pip = environment["dependencies"]
    assert by_pip == {"pip": ["-e ."]}, (
        "the pip part of environment.yml installs this project and nothing else"
    )
    shown = ranges(lines)
    assert shown.pop("pip") == SpecifierSet()
    assert shown.pop("python") == SpecifierSet(pyproject["project"]["requires-python"])
    wanted = ranges(pyproject["project"]["dependencies"])
    assert shown == {CONDA_NAMES.get(name, name): range_ for name, range_ in wanted.items()}


def test_each_dependency_is_pinned_within_its_range(
    pyproject: dict[str, Any], pins: list[Requirement]
) -> None:
    """constraints.txt names one version of each dependency, for the running Python too, inside pyproject's range."""
    project = pyproject["project"]
    wanted = ranges([*project["dependencies"], *chain(*project["optional-dependencies"].values())])
    for name, allowed in wanted.items():
        found = [pin for pin in pins if canonicalize_name(pin.name) == name]
        assert found, f"constraints.txt does not pin {name}: {REFRESH}"
        here = [
            pin for pin in found if pin.marker is None or pin.marker.evaluate(dict(default_environment()))
        ]
        assert len(here) == 1, f"{len(here)} pins of {name} apply to this Python: {REFRESH}"
        for pin in found:
            (only,) = pin.specifier
            assert only.operator == "==" and allowed.contains(only.version), (
                f"{pin} is outside {allowed}: {REFRESH}"
            )


def test_pins_hold_for_every_python(pins: list[Requirement]) -> None:
    """On each supported Python exactly one version of a package applies, for numpy as for the others."""
    for minor in range(11, 15):
        place = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.9"}
        place |= {"sys_platform": "linux", "os_name": "posix", "platform_python_implementation": "CPython"}
        applying = [pin.name for pin in pins if pin.marker is None or pin.marker.evaluate(place)]
        assert len(applying) == len(set(applying)), (
            f"two pins of one package apply to Python 3.{minor}: {REFRESH}"
        )
        assert "numpy" in applying


def test_pins_hold_no_address(root: Path) -> None:
    """No registry, index, link or local path is written into the pins, nor into the other files of the set-up."""
    text = (root / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|^-|@|\\|/", text, re.MULTILINE), f"an address is in constraints.txt: {REFRESH}"
    for name in ("pyproject.toml", "environment.yml", "course.py", ".ci/run"):
        text = (root / name).read_text(encoding="utf-8")
        assert not re.search(r"(index|find-links|extra-index)[-_a-z]*\s*[= ]\s*\S*(://|/)", text), (
            f"an index is in {name}"
        )
    ignored = (root / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"uv.lock", ".venv/"} <= set(ignored)


def test_version_is_the_same_everywhere(root: Path, pyproject: dict[str, Any]) -> None:
    """pyproject.toml, the installed package, CITATION.cff and the newest entry of the changelog agree."""
    wanted = pyproject["project"]["version"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    newest = re.search(r"^## (\S+)", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest
    assert {version("ptwalk"), ptwalk.__version__, str(citation["version"]), newest[1]} == {wanted}


def test_citation_holds_what_the_format_requires(root: Path) -> None:
    """CITATION.cff has the fields that version 1.2.0 of the format asks for, and the two licences."""
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["license"] == ["BSD-3-Clause", "CC-BY-4.0"]


def test_licences_are_complete(root: Path, pyproject: dict[str, Any]) -> None:
    """Both licences are there in full, and the package names them."""
    code = (root / "LICENSE").read_text(encoding="utf-8")
    text = (root / "LICENSE-docs").read_text(encoding="utf-8")
    assert (
        "Redistribution and use in source and binary forms" in code and "POSSIBILITY OF SUCH DAMAGE" in code
    )
    assert all(f"Section {number} – " in text for number in range(1, 9))
    assert pyproject["project"]["license"] == "BSD-3-Clause AND CC-BY-4.0"
    assert pyproject["project"]["license-files"] == ["LICENSE", "LICENSE-docs"]


def test_package_says_that_it_is_typed(root: Path) -> None:
    """py.typed lies beside the code, so that a user's type checker reads our types."""
    assert (root / "ptwalk" / "py.typed").is_file()


def test_facade_keeps_its_word(root: Path) -> None:
    """Each name that `import ptwalk` offers is found where the façade says, and type checkers see the same names."""
    for module, names in ptwalk._HOME.items():
        room = importlib.import_module(module)
        for name in names:
            assert getattr(ptwalk, name) is getattr(room, name), f"{module} has another {name}"
    source = ast.parse((root / "ptwalk" / "__init__.py").read_text(encoding="utf-8"))
    typed = next(node for node in source.body if isinstance(node, ast.If))
    shown = {
        node.module: {a.name for a in node.names} for node in typed.body if isinstance(node, ast.ImportFrom)
    }
    assert shown == {module: set(names) for module, names in ptwalk._HOME.items()}
    assert set(ptwalk.__all__) == set().union(*shown.values()) | {"__version__"}
    assert set(ptwalk.__all__) <= set(dir(ptwalk))


def test_facade_knows_real_classes_and_views() -> None:
    """Each picture that a notebook is told of belongs to a class that exists, and its view can draw it as HTML."""
    for (module, name), view in ptwalk._PICTURES.items():
        assert getattr(importlib.import_module(module), name).__module__ == module
        assert callable(importlib.import_module(view).html)


def test_unknown_name_lists_what_there_is() -> None:
    """A misspelt name is answered with the names that exist."""
    with pytest.raises(AttributeError, match="open_capture"):
        _ = ptwalk.open_captur


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(root: Path, page: str) -> None:
    """Every relative link and picture on our pages names a file that exists."""
    for path in sorted(root.glob(page)):
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("#"):
                there = path.parent / target.partition("#")[0]
                assert there.exists(), f"{path.relative_to(root)} links to {target}, which is not there"


def test_index_lists_every_page(root: Path) -> None:
    """Nobody has to guess which pages there are: docs/index.md links to each one in its folder."""
    index = (root / "docs" / "index.md").read_text(encoding="utf-8")
    missing = [page.name for page in sorted((root / "docs").glob("*.md")) if f"({page.name})" not in index]
    assert missing in ([], ["index.md"]), f"add a line for {missing} to docs/index.md"


def test_editable_install_is_this_folder(root: Path) -> None:
    """The tests test this folder, not a copy installed elsewhere; and the command `ptwalk` is installed."""
    assert ptwalk.__file__ and Path(ptwalk.__file__).is_relative_to(root)
    assert any("ptwalk" in file.name for file in files("ptwalk") or [])
    assert sys.version_info >= (3, 11)
