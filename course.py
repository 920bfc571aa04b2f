#!/usr/bin/env python3
"""The course in one command: sets up its own Python environment once, then opens, tests or checks.

Standard library only, and written so that every Python 3.6 or newer can read it: an old one is told so in a line.
The environment is the folder .venv beside this file. It counts as finished only when the last thing written into it,
a stamp, fits pyproject.toml, constraints.txt and this folder; anything else is made again.
"""

import difflib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELP = """\
usage: python3 course.py VERB [ARGUMENT ...]

  lab     open the course in JupyterLab, at notebooks/00_start_here.ipynb
  test    run every test: the package's, then each notebook, as a learner would
  check   what every change must pass, quickly: format, lint, types, import arrows, quick tests

The first run makes an environment in .venv (once; about 15 seconds with uv, a minute or two with pip).
Further arguments go on: to JupyterLab after 'lab', to pytest after 'test' and 'check'. For example:

  python3 course.py lab --no-browser --port 9000
  python3 course.py test -x tests/arch
  python3 course.py test notebooks/01_page_tables.ipynb

Set PTWALK_BROWSER=1 to install what the browser tests need as well (they drive the system's own Chromium).
Remove the folder .venv to start afresh."""

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
OLD_VENV = ROOT / ".venv.old"  # the last finished environment, kept until the new one is finished
STAMP = VENV / "ptwalk-stamp.txt"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
OLDEST = (3, 11)
START = "notebooks/00_start_here.ipynb"
NOTEBOOK_FOLDERS = ("notebooks", "solutions")
TWO_AT_ONCE = ["-n", "2", "--dist", "loadscope"]  # loadscope: all cells of a notebook go to one kernel
NO_TESTS_CHOSEN = 5  # pytest's exit code
AGAIN = "see above; run one alone with 'python3 course.py test PATH::NAME'"


class Stop(Exception):
    """What is missing and what to do, in one line."""


# --- the environment ---------------------------------------------------------------------------------------------


def wanted_extras() -> str:
    """Return the extras to install, as pip spells them; what is installed once stays wanted."""
    installed = STAMP.read_text().split()[1:] if STAMP.is_file() else []
    browser = os.environ.get("PTWALK_BROWSER") == "1" or "test,browser" in installed
    return "test,browser" if browser else "test"


def stamp(extras: str) -> str:
    """Return what the stamp of a finished environment says: a hash of its pins and place, then its extras."""
    # An environment holds its own path: moved, it is no longer good.
    pins = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        pins.update((ROOT / name).read_bytes().replace(b"\r\n", b"\n"))
    return pins.hexdigest() + " " + extras


def ready(extras: str) -> bool:
    """Say whether the environment is finished, fits the pins, and its Python still starts."""
    if not STAMP.is_file() or STAMP.read_text() != stamp(extras):
        return False
    try:
        return subprocess.call([str(PYTHON), "-c", ""], env=environment()) == 0
    except OSError:
        return False


def environment() -> "dict[str, str]":
    """Return the variables for programs of the environment, as if it were activated."""
    variables = dict(os.environ)
    for setting_of_another_python in ("PYTHONPATH", "PYTHONHOME"):
        variables.pop(setting_of_another_python, None)
    variables.update(VIRTUAL_ENV=str(VENV), PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    variables["PATH"] = str(BIN) + os.pathsep + variables.get("PATH", os.defpath)
    return variables


def installers() -> "list[tuple[str, list[list[str]]]]":
    """Return the ways to make the environment, best first, each a name and its commands; `Stop` if there is none."""
    packages = ["-c", "constraints.txt", "-e", ".[" + wanted_extras() + "]"]
    # never the Python inside .venv, which goes away
    python = getattr(sys, "_base_executable", None) or sys.executable
    old = sys.version_info < OLDEST
    oldest = ".".join(map(str, OLDEST))
    ways = []
    uv = shutil.which("uv")
    if uv:
        uv_venv = [uv, "venv", "--quiet", "--python", ">=" + oldest if old else python, str(VENV)]
        uv_pip = [uv, "pip", "install", "--quiet", "--python", str(PYTHON), *packages]
        ways.append(("uv", [uv_venv, uv_pip]))
    if not old and importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", *packages]
        ways.append(("pip", [[python, "-m", "venv", str(VENV)], pip]))
    if ways:
        return ways
    if old:
        text = "Python {} or newer is needed and this is {}: install one (or uv), and run it on this file"
        raise Stop(text.format(oldest, ".".join(map(str, sys.version_info[:3]))))
    text = "Python's venv module is missing: install it (Debian, Ubuntu: apt install python{}.{}-venv), or uv"
    raise Stop(text.format(*sys.version_info[:2]))


def set_up() -> None:
    """Make the environment unless it is ready; if that fails, a finished older one stays as it was."""
    extras = wanted_extras()
    if ready(extras):
        return
    ways = installers()
    why = "once; a minute or two"
    if VENV.exists():
        why = (
            "again, as its pins or its place have changed"
            if STAMP.is_file()
            else "again, as it was not finished"
        )
    say("Setting up the course's environment in .venv ({}) ...".format(why))
    if STAMP.is_file():  # the environment was finished: keep it until there is a better one
        remove(OLD_VENV)
        VENV.rename(OLD_VENV)
    began = time.monotonic()
    try:
        for name, commands in ways:
            remove(VENV)
            if all(subprocess.call(command, cwd=str(ROOT), env=environment()) == 0 for command in commands):
                break
            say("Setting up with {} did not work; its own words are above.".format(name))
        else:
            raise Stop("no environment could be made: mend what is said above (often the network), try again")
        unfinished = STAMP.with_suffix(".new")
        unfinished.write_text(stamp(extras))
        unfinished.replace(STAMP)
    except BaseException:
        if OLD_VENV.exists():
            remove(VENV)
            OLD_VENV.rename(VENV)
        raise
    remove(OLD_VENV)
    say("Ready after {:.0f} s, made with {}.".format(time.monotonic() - began, name))


def remove(folder: Path) -> None:
    """Remove a folder, or whatever else lies at its place; `Stop` if something in it is in use."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(str(folder), ignore_errors=True)
    elif folder.exists() or folder.is_symlink():
        folder.unlink()
    if folder.exists():
        raise Stop("{} cannot be removed: close the programs that use it, then run this again".format(folder))


# --- the verbs ---------------------------------------------------------------------------------------------------


def lab(arguments: "list[str]") -> int:
    """Open JupyterLab with the course's own settings beside the learner's; theirs are neither changed nor hidden."""
    variables = environment()
    paths = [str(ROOT / "jupyter"), variables.get("JUPYTER_CONFIG_PATH", "")]
    variables["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, paths))
    named = any(argument.endswith(".ipynb") for argument in arguments)
    # As an address, not as a file to open: then the link that is printed leads there too, and the file browser shows
    # the exercises beside it.
    first = ["--LabApp.default_url=/lab/tree/" + START] if not named and (ROOT / START).is_file() else []
    command = [str(PYTHON), "-m", "jupyterlab", "--ServerApp.root_dir=" + str(ROOT), *first, *arguments]
    if os.name == "posix":  # become JupyterLab, so that Ctrl-C reaches it alone
        os.chdir(str(ROOT))
        sys.stdout.flush()
        os.execve(command[0], command, variables)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.call(command, cwd=str(ROOT), env=variables)


def test(arguments: "list[str]") -> int:
    """Run the unit tests, then every notebook cell by cell. Paths among the arguments choose what is run."""
    paths = list(filter(None, map(place, arguments)))
    options = [argument for argument in arguments if not place(argument)]
    if not paths:
        paths = ["tests"] + [folder for folder in NOTEBOOK_FOLDERS if any((ROOT / folder).rglob("*.ipynb"))]
    books = [path for path in paths if is_notebook(path)]
    units = [path for path in paths if not is_notebook(path)]
    steps = []
    if units:
        steps.append(("tests", pytest("-p", "no:nbval", *TWO_AT_ONCE, *options, *units), AGAIN))
    if books:
        nbval = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", "tests/nbval_sanitize.cfg"]
        steps.append(("notebooks", pytest(*nbval, *TWO_AT_ONCE, *options, *books), AGAIN))
    return run(steps, chosen=bool(arguments))


def check(arguments: "list[str]") -> int:
    """Run what every change must pass, and say for each step that fails how to mend it."""
    ruff = [str(PYTHON), "-m", "ruff"]
    mend = "{} -m ruff ".format(PYTHON.relative_to(ROOT))
    arrows = "tests/test_architecture.py"
    quick = ["-p", "no:nbval", "-m", "not slow", *TWO_AT_ONCE, "--deselect", arrows, *arguments]
    steps = [
        ("format", [*ruff, "format", "--check", "."], "'{}format .' does it for you".format(mend)),
        ("lint", [*ruff, "check", "."], "mend what is listed; '{}check --fix .' does some".format(mend)),
        ("types", [str(PYTHON), "-m", "mypy", "--strict", "ptwalk"], "mend the lines that mypy lists"),
        ("import arrows", pytest("-p", "no:nbval", arrows), "each failure says which import and what to do"),
        ("quick tests", pytest(*quick), AGAIN),
    ]
    return run(steps, chosen=bool(arguments))


def place(argument: str) -> str:
    """Return a path that pytest was given, seen from the course's folder; "" if the argument is no path."""
    name, colons, rest = argument.partition("::")
    for folder in (Path.cwd(), ROOT):
        if not name.startswith("-") and (folder / name).exists():
            return os.path.relpath(str(folder / name), str(ROOT)) + colons + rest
    return ""


def is_notebook(path: str) -> bool:
    """Say whether a path from `place` stands for a notebook, or for a folder of them."""
    parts = Path(path.split("::")[0]).parts
    return bool(parts) and (parts[-1].endswith(".ipynb") or parts[0] in NOTEBOOK_FOLDERS)


def pytest(*arguments: str) -> "list[str]":
    """Return the command for pytest with these arguments."""
    return [str(PYTHON), "-m", "pytest", "-q", *arguments]


def run(steps: "list[tuple[str, list[str], str]]", chosen: bool) -> int:
    """Run every step, even after one failed; say at the end which failed and what to do; 0 if none did."""
    lines, failed = [], False
    scratch = tempfile.mkdtemp(prefix="ptwalk-")
    variables = dict(
        environment(), PTWALK_HOME=scratch
    )  # running the solutions passes nothing for the learner
    for name, command, mend in steps:
        say("--- {}".format(name))
        began = time.monotonic()
        code = subprocess.call(command, cwd=str(ROOT), env=variables)
        nothing = code == NO_TESTS_CHOSEN and chosen
        failed = failed or (code != 0 and not nothing)
        word = "nothing chosen" if nothing else "passed" if code == 0 else "FAILED"
        hint = ": " + mend if word == "FAILED" and mend else ""
        lines.append("{:<14} {:<7} {:4.0f} s{}".format(name, word, time.monotonic() - began, hint))
    shutil.rmtree(scratch, ignore_errors=True)
    say("---\n" + "\n".join(lines))
    return 1 if failed else 0


def say(text: str) -> None:
    """Print at once, also where the output is a file that others write to."""
    print(text, flush=True)


VERBS = {"lab": lab, "test": test, "check": check}


def main(words: "list[str]") -> int:
    """Do what the command line says; the result is the exit code."""
    if not words or words[0] in ("help", "-h", "--help") or words[1:2] in (["-h"], ["--help"]):
        say(HELP)
        return 0 if words else 2
    if words[0] not in VERBS:
        near = difflib.get_close_matches(words[0], VERBS, 1)
        guess = "did you mean '{}'?".format(near[0]) if near else "choose lab, test or check"
        raise Stop(
            "'{}' is no verb of the course: {} ('python3 course.py --help' explains)".format(words[0], guess)
        )
    set_up()
    return VERBS[words[0]](words[1:])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Stop as stop:
        sys.exit("course.py: {}".format(stop))
    except OSError as error:
        sys.exit("course.py: {}; mend that, then run this again".format(error))
    except KeyboardInterrupt:
        sys.exit("course.py: interrupted")
