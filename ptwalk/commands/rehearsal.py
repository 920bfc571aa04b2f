"""What `doctor` looks at: one function a question, each with its answer in words and the mend.

Part of `cli`; changes nothing on the machine but one scratch folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

GOOD, ODD, BAD = "good", "odd", "bad"
"""good: nothing to do; odd: it will work, with something less; bad: the course will not run until it is mended."""

MODULES = {"ipython": "IPython", "pyelftools": "elftools"}
"""How a package is imported, where that is not by its own name."""

SET_UP = "run 'python3 course.py lab' in the course's folder: it makes the environment afresh"


@dataclass(frozen=True)
class Finding:
    """One answer: what was looked at, how it is, in words, and what to do about it."""

    name: str
    state: str
    words: str
    mend: str = ""


def versions() -> Iterator[Finding]:
    """Python and every package, against the ranges that the course asks for."""
    python = ".".join(map(str, sys.version_info[:3]))
    wanted = str(metadata.metadata("ptwalk")["Requires-Python"] or ">=3.11")
    if within(python, wanted):
        yield Finding("Python", GOOD, f"{python}, at {sys.executable}")
    else:
        yield Finding(
            "Python", BAD, f"{python}; {wanted} is needed", "install a newer Python, then " + SET_UP
        )
    wrong = []
    names = []
    for line in metadata.requires("ptwalk") or ():
        found = re.match(r"([A-Za-z0-9._-]+)\s*([^;]*)(;.*)?$", line)
        if found is None or "extra" in (found[3] or ""):
            continue
        name, ranges = found[1], found[2].strip()
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        names.append(f"{name} {version}")
        if importlib.util.find_spec(MODULES.get(name, name)) is None:
            wrong.append(f"{name} {version} is listed, and its files are gone")
        if not within(version, ranges):
            wrong.append(f"{name} is {version}, and {ranges} is needed")
    if wrong:
        yield Finding("packages", BAD, "; ".join(wrong), SET_UP)
    else:
        yield Finding("packages", GOOD, ", ".join(names))


def within(version: str, ranges: str) -> bool:
    """Whether a version such as 4.6.6 lies in ranges such as >=4.2,<5; what can't be read counts as inside."""
    have = _numbers(version)
    for part in filter(None, (each.strip() for each in ranges.split(","))):
        found = re.match(r"(>=|<=|==|!=|<|>|~=)\s*([0-9.]+)", part)
        if found is None:
            continue
        bound = _numbers(found[2])
        size = max(len(have), len(bound))
        a, b = (n + (0,) * (size - len(n)) for n in (have, bound))
        holds = {">=": a >= b, "<=": a <= b, "==": a == b, "!=": a != b, "<": a < b, ">": a > b, "~=": a >= b}
        if not holds[found[1]]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(each) for each in found[0].split(".")) if found else ()


_TRY_KERNEL = """
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3", startup_timeout=60)
said = []
def hear(message):
    if message["msg_type"] == "stream": said.append(message["content"]["text"])
    if message["msg_type"] == "error": said.append(message["content"]["ename"])
client.execute_interactive("import sys, ptwalk, anywidget, ipywidgets; print(sys.executable)", timeout=60,
                           output_hook=hear)
client.stop_channels(); manager.shutdown_kernel(now=True)
print("".join(said).strip())
"""


def kernel() -> Iterator[Finding]:
    """Whether a notebook's kernel starts, is our own Python, and can import the course."""
    try:
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _TRY_KERNEL],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        yield Finding(
            "kernel", BAD, "a kernel was started and never answered", "restart the machine; then " + SET_UP
        )
        return
    said = (ran.stdout.strip().splitlines() or [""])[-1]
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["no reason given"])[-1]
        yield Finding("kernel", BAD, f"no kernel starts: {last[:200]}", SET_UP)
    elif said.endswith("Error"):
        yield Finding("kernel", BAD, f"the kernel can't import the course: {said}", SET_UP)
    elif (
        os.path.realpath(said) != os.path.realpath(sys.executable)
        or Path(said).parent != Path(sys.executable).parent
    ):
        yield Finding(
            "kernel",
            ODD,
            f"the kernel 'python3' is another Python, {said}",
            "it has the course as well, so this may be meant; if not, choose the kernel of this environment "
            "in JupyterLab's Kernel menu",
        )
    else:
        yield Finding("kernel", GOOD, "starts, and has the course")


def widgets() -> Iterator[Finding]:
    """Whether JupyterLab has the two extensions that draw widgets, and neither is switched off."""
    folder = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    wanted = {"anywidget": "anywidget", "@jupyter-widgets/jupyterlab-manager": "jupyterlab-widgets"}
    lacking = [package for name, package in wanted.items() if not (folder / name).is_dir()]
    off: set[str] = set()
    for config in (Path(sys.prefix) / "etc" / "jupyter", Path.home() / ".jupyter"):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            page = json.loads((config / "labconfig" / "page_config.json").read_text("utf-8"))
            off |= {name for name, yes in dict(page.get("disabledExtensions", {})).items() if yes} & set(
                wanted
            )
    if lacking:
        yield Finding("widgets", BAD, f"JupyterLab lacks the extension of {', '.join(lacking)}", SET_UP)
    elif off:
        mend = "; ".join(f"jupyter labextension enable {name}" for name in sorted(off))
        yield Finding("widgets", BAD, f"switched off in JupyterLab: {', '.join(sorted(off))}", mend)
    else:
        yield Finding("widgets", GOOD, "both extensions are there")
    if (folder / "jupyterlab-rise").is_dir():
        yield Finding(
            "slides",
            ODD,
            "jupyterlab-rise is installed; with widgets its slides have been seen blank",
            "present with the stepper's own presenter mode, or with nbconvert's slides",
        )


def jupyter_settings() -> Iterator[Finding]:
    """Settings of the learner's own that can change what is seen, and whether Jupyter can write where it must."""
    variables = sorted(name for name in os.environ if name.startswith(("JUPYTER", "IPYTHON")))
    own = [
        str(file)
        for folder in (Path.home() / ".jupyter", Path.home() / ".ipython" / "profile_default")
        for pattern in ("*config*.py", "*config*.json", "startup/*.py", "custom/*")
        for file in sorted(folder.glob(pattern))
    ]
    if variables or own:
        words = "in force besides the course's own: " + ", ".join([*variables, *own][:6])
        yield Finding("Jupyter settings", ODD, words, "if a notebook behaves strangely, try it without them")
    else:
        yield Finding("Jupyter settings", GOOD, "none but the course's own")


def browser() -> Iterator[Finding]:
    """Whether there is a browser to open."""
    try:
        name = getattr(webbrowser.get(), "name", "the system's")
    except webbrowser.Error:
        yield Finding(
            "browser",
            ODD,
            "none can be opened from here (no screen, or none is installed)",
            "'python3 course.py lab' prints an address: open it in Firefox, Chrome, Edge or Safari",
        )
        return
    text_only = {"www-browser", "links", "elinks", "lynx", "w3m"}
    if name in text_only:
        yield Finding("browser", ODD, f"only {name}, which shows no notebook", "install Firefox or Chromium")
    else:
        yield Finding("browser", GOOD, str(name))


def room() -> Iterator[Finding]:
    """Disk, memory, a free port, and folders that can be written."""
    from ptwalk.checks.progress import home

    free = shutil.disk_usage(Path.cwd()).free >> 20
    if free < 200:
        yield Finding("disk", BAD, f"{free} MB are free", "make room: 200 MB at least")
    else:
        yield Finding("disk", GOOD, f"{free >> 10} GB free" if free >= 2048 else f"{free} MB free")
    memory = _memory()
    if memory is not None and memory < 1500:
        yield Finding(
            "memory", ODD, f"{memory} MB in all", "close other programs; one learner needs about 240 MB"
        )
    elif memory is not None:
        yield Finding("memory", GOOD, f"{memory / 1024:.0f} GB in all")
    place = home()
    while not place.exists():
        place = place.parent
    if os.access(place, os.W_OK):
        yield Finding("your record", GOOD, f"goes into {home()}")
    else:
        yield Finding(
            "your record",
            ODD,
            f"{place} can't be written: progress will last as long as the session",
            "set PTWALK_HOME to a folder of yours",
        )
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 8888))
        except OSError:
            yield Finding(
                "port 8888",
                ODD,
                "in use, perhaps by another Jupyter",
                "Jupyter takes the next one by itself; look at the address it prints",
            )


def _memory() -> int | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return None


def terminal() -> Iterator[Finding]:
    """Whether the terminal can show the signs that the course prints."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        "✓✗→".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        yield Finding(
            "terminal", ODD, f"writes {encoding}, so some signs show as ?", "set PYTHONUTF8=1 and try again"
        )
    else:
        yield Finding("terminal", GOOD, encoding)


_ANSWER = (
    "def translate(read, root, va):\n    return None\n\nimport ptwalk\nptwalk.check('01.2', translate)\n"
)


def judging() -> Iterator[Finding]:
    """Whether a learner's code is run and judged, and which limits this system gives."""
    from ptwalk.checks.judge import judge_file
    from ptwalk.commands.verdicts import walls_said

    with tempfile.TemporaryDirectory(prefix="ptwalk-") as folder:
        file = Path(folder) / "01_doctor.py"
        file.write_text(_ANSWER, "utf-8")
        marked = judge_file(file)
    mark = next((mark for mark in marked.marks if mark.exercise == "01.2"), None)
    if mark is None or mark.state != "not yet":
        words = mark.words if mark else marked.unreadable
        yield Finding("checks", BAD, f"a wrong answer was not judged as one: {words}", SET_UP)
        return
    from ptwalk.checks.sandbox import WALLS

    complete = set(marked.walls) == set(WALLS)
    mend = "" if complete else "grade other people's work on Linux, or in a container or a virtual machine"
    yield Finding("checks", GOOD if complete else ODD, walls_said(marked.walls), mend)
