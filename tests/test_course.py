"""`course.py`, without a network: what it says when something is missing, and what it takes for a finished set-up."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def course(root: Path, tmp_path: Path) -> ModuleType:
    """A copy of course.py in a project of its own, loaded as a module."""
    for name in ("course.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path / name)
    spec = importlib.util.spec_from_file_location("course", tmp_path / "course.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stand_in(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let set-up be done by a stand-in that needs no network; returns the list of what it was asked to do."""
    done: list[str] = []
    make = "import os,sys; os.makedirs(sys.argv[1]); os.symlink(sys.executable, sys.argv[2])"
    monkeypatch.delenv("PTWALK_BROWSER", raising=False)

    def installers() -> list[tuple[str, list[list[str]]]]:
        done.append(course.wanted_extras())
        return [("stand-in", [[sys.executable, "-c", make, str(course.BIN), str(course.PYTHON)]])]

    monkeypatch.setattr(course, "installers", installers)
    return done


def ask(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run course.py with words that need no set-up."""
    return subprocess.run(
        [sys.executable, str(root / "course.py"), *words], capture_output=True, text=True, check=False
    )


def test_old_pythons_can_read_it(root: Path) -> None:
    """Its syntax is that of Python 3.6, so that an old Python says what is missing instead of 'invalid syntax'."""
    source = (root / "course.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert source.isascii(), "some consoles cannot print more than ASCII"


def test_it_uses_the_standard_library_only(root: Path) -> None:
    """It runs before anything is installed."""
    tree = ast.parse((root / "course.py").read_text(encoding="utf-8"))
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names


def test_help_names_every_verb(root: Path, course: ModuleType) -> None:
    """--help explains each verb, also after a verb; nothing at all is answered with the same, and exit code 2."""
    for words in (["--help"], ["-h"], ["test", "--help"]):
        answer = ask(root, *words)
        assert answer.returncode == 0 and all(f"\n  {verb} " in answer.stdout for verb in course.VERBS)
    assert ask(root).returncode == 2


def test_misspelt_verb_gets_the_near_one(root: Path) -> None:
    """A wrong verb is answered in one line with the verb that was meant."""
    answer = ask(root, "tset")
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "course.py: 'tset' is no verb of the course: did you mean 'test'? ('python3 course.py --help' explains)"
    ]


def test_old_python_is_told_in_one_line(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too old a Python, and no uv: one line with both versions and what to do."""
    monkeypatch.setattr(course.shutil, "which", lambda name: None)
    monkeypatch.setattr(course.sys, "version_info", (3, 9, 18))
    with pytest.raises(course.Stop, match=r"^Python 3\.11 or newer is needed and this is 3\.9\.18: [^\n]*$"):
        course.set_up()


def test_missing_venv_module_is_told_in_one_line(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's Python without python3-venv, and no uv: one line naming the package."""
    monkeypatch.setattr(course.shutil, "which", lambda name: None)
    monkeypatch.setattr(course.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(course.Stop, match=rf"^[^\n]*apt install python3\.{sys.version_info[1]}-venv[^\n]*$"):
        course.set_up()


def test_uv_comes_first_and_pip_is_the_way_out(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """With uv on the path there are two ways, uv first; without it only pip's. Both use the pins."""
    monkeypatch.setattr(course.shutil, "which", lambda name: "/somewhere/uv")
    assert [name for name, _ in course.installers()] == ["uv", "pip"]
    monkeypatch.setattr(course.shutil, "which", lambda name: None)
    ((name, commands),) = course.installers()
    assert name == "pip" and "constraints.txt" in commands[-1]


def test_set_up_is_done_once(course: ModuleType, stand_in: list[str]) -> None:
    """The second call finds the environment ready."""
    course.set_up()
    course.set_up()
    assert stand_in == ["test"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_pins_make_it_again(course: ModuleType, stand_in: list[str], name: str) -> None:
    """A change in either file of pins leads to a new environment."""
    course.set_up()
    with (course.ROOT / name).open("a") as pins:
        pins.write("# changed\n")
    course.set_up()
    assert len(stand_in) == 2 and course.ready("test") and not course.OLD_VENV.exists()


def test_half_made_environment_is_made_again(course: ModuleType, stand_in: list[str]) -> None:
    """A .venv without its stamp, or whose Python does not start, or that is a file, is not used."""
    course.BIN.mkdir(parents=True)
    course.PYTHON.symlink_to(sys.executable)
    course.set_up()
    course.PYTHON.unlink()
    course.set_up()
    shutil.rmtree(course.VENV)
    course.VENV.write_text("")
    course.set_up()
    assert len(stand_in) == 3 and course.ready("test")


@pytest.mark.parametrize("how", [KeyboardInterrupt, OSError])
def test_interrupted_update_keeps_the_finished_one(
    course: ModuleType, stand_in: list[str], monkeypatch: pytest.MonkeyPatch, how: type[BaseException]
) -> None:
    """Interrupted in the middle of an update, the older environment is back, and still counts as out of date."""
    course.set_up()
    before = course.STAMP.read_text()
    (course.ROOT / "constraints.txt").write_text("numpy==1\n")

    def interrupted(*arguments: object, **options: object) -> int:
        course.BIN.mkdir(parents=True)
        raise how

    with monkeypatch.context() as patch:
        patch.setattr(course.subprocess, "call", interrupted)
        with pytest.raises(how):
            course.set_up()
    assert course.STAMP.read_text() == before and course.PYTHON.exists() and not course.ready("test")
    course.set_up()
    assert course.ready("test")


def test_failed_first_set_up_leaves_nothing_finished(course: ModuleType, stand_in: list[str]) -> None:
    """If every way fails there is one line, and no stamp."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course.subprocess, "call", lambda *arguments, **options: 1)
        with pytest.raises(course.Stop, match="network"):
            course.set_up()
    assert not course.STAMP.exists()


def test_browser_extra_once_installed_stays(
    course: ModuleType, stand_in: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PTWALK_BROWSER=1 adds the browser's driver, and later runs without it do not take it away."""
    monkeypatch.setenv("PTWALK_BROWSER", "1")
    course.set_up()
    monkeypatch.delenv("PTWALK_BROWSER")
    course.set_up()
    assert stand_in == ["test,browser"]


def test_paths_choose_what_is_run(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths go to the run that they belong to, options to both; seen from the caller's own folder too."""
    asked: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(
        course, "run", lambda steps, chosen: asked.extend((name, line) for name, line, _ in steps)
    )
    (course.ROOT / "tests" / "arch").mkdir(parents=True)
    (course.ROOT / "notebooks").mkdir()
    (course.ROOT / "notebooks" / "a.ipynb").write_text("{}")
    course.test([])
    assert [name for name, _ in asked] == ["tests", "notebooks"]
    asked.clear()
    monkeypatch.chdir(course.ROOT / "tests")
    course.test(["-x", "arch::test_one"])
    assert len(asked) == 1 and asked[0][1][-2:] == ["-x", os.path.join("tests", "arch") + "::test_one"]
    asked.clear()
    course.test(["notebooks/a.ipynb"])
    assert [name for name, _ in asked] == ["notebooks"]


def test_every_step_runs_and_failures_are_named(
    course: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    """A failed step does not stop the next; the end lists each with what to do, and the exit code is 1."""
    fail, succeed = (
        [sys.executable, "-c", "raise SystemExit(3)"],
        [sys.executable, "-c", "print('second ran')"],
    )
    assert course.run([("first", fail, "mend it"), ("second", succeed, "")], chosen=False) == 1
    out = capfd.readouterr().out
    assert "second ran" in out and "FAILED" in out and ": mend it" in out
    assert course.run([("second", succeed, "")], chosen=False) == 0


def test_nothing_chosen_is_no_failure_when_asked_for(course: ModuleType) -> None:
    """With `-k` one of the two runs may have no test; without arguments an empty run is a failure."""
    empty = [("tests", [sys.executable, "-c", "raise SystemExit(5)"], "")]
    assert course.run(empty, chosen=True) == 0
    assert course.run(empty, chosen=False) == 1


@pytest.mark.skipif(os.name != "posix", reason="elsewhere the lab is a program started, not become")
@pytest.mark.parametrize(
    ("words", "starts"), [([], True), (["--port", "9000"], True), (["notebooks/a.ipynb"], False)]
)
def test_lab_opens_the_first_notebook(
    course: ModuleType, monkeypatch: pytest.MonkeyPatch, words: list[str], starts: bool
) -> None:
    """`lab` shows the whole course and opens its start, unless a notebook is named; its settings come first."""
    (course.ROOT / course.START).parent.mkdir()
    (course.ROOT / course.START).write_text("{}")
    became: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(course.os, "chdir", lambda folder: None)
    monkeypatch.setattr(
        course.os, "execve", lambda program, line, variables: became.append((line, variables))
    )
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/mine")
    monkeypatch.setattr(course.signal, "signal", lambda *arguments: None)
    monkeypatch.setattr(course.subprocess, "call", lambda *arguments, **options: 0)
    course.lab(words)
    ((line, variables),) = became
    assert f"--ServerApp.root_dir={course.ROOT}" in line and line[len(line) - len(words) :] == words
    assert any(course.START in word for word in line) is starts
    assert variables["JUPYTER_CONFIG_PATH"] == os.pathsep.join([str(course.ROOT / "jupyter"), "/mine"])
