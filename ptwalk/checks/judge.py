"""Judges a file of answers: runs it in a process of its own, and says of each exercise what came out.

Knows the paper, the learner's process and the marks; trusts nothing that comes back but its form.  A step that takes
the process down is named, left out, and the rest is run afresh: one bad cell never costs the others.  Plain answers are
judged here, where no learner's code runs.

What is not defended: a function is judged in the process it runs in, so code that digs for the judge's own objects can
forge a verdict.  The solutions travel with the library; who wants to cheat need not dig.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ptwalk.checks import verbs
from ptwalk.checks.learner_process import judged
from ptwalk.checks.mark import STATES, Mark, Marked
from ptwalk.checks.paper import Paper, Unreadable, read_paper
from ptwalk.checks.registry import exercises
from ptwalk.checks.sandbox import Limits

CELL_SECONDS = 20.0
"""How long one cell may run."""

GRACE = 5.0
"""Seconds after its time in which a step can still be stopped from inside, with its line named."""

RESTARTS = 8
"""How many steps of one file may take the process down before the rest is left alone."""

TOLD = 4 << 20
"""Bytes that a process may send back."""


def judge_file(
    path: Path, *, limits: Limits | None = None, seconds: float = CELL_SECONDS, beside: bool = True
) -> Marked:
    """The marks of the notebook or .py file at `path`; a file that can't be read has none, and says why.

    `beside` puts copies of the small files beside it into the scratch folder, so that it can import them.
    """
    began = time.monotonic()
    try:
        paper = read_paper(path)
    except Unreadable as error:
        return Marked(path.name, unreadable=str(error))
    run = _Run(paper, limits or Limits(), seconds)
    with tempfile.TemporaryDirectory(prefix="ptwalk-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder).resolve()
        if beside:
            _copy_beside(path, scratch)
        run.to_the_end(scratch)
    return replace(run.marked(), seconds=round(time.monotonic() - began, 2))


def _copy_beside(path: Path, scratch: Path) -> None:
    room = 20 << 20
    with contextlib.suppress(OSError):
        for file in sorted(path.parent.iterdir())[:200]:
            size = file.stat().st_size if file.is_file() and not file.is_symlink() else room
            if size < 1 << 20 and size < room and file.suffix in (".py", ".ipynb", ".json", ".txt", ".csv"):
                shutil.copyfile(file, scratch / file.name)
                room -= size


@dataclass
class _Run:
    """One paper on its way: what is known of each step so far."""

    paper: Paper
    limits: Limits
    seconds: float
    marks: dict[str, Mark] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    plain: dict[str, tuple[str, int]] = field(default_factory=dict)
    walls: tuple[str, ...] = ()
    skip: set[int] = field(default_factory=set)

    def to_the_end(self, scratch: Path) -> None:
        for _ in range(RESTARTS + 1):
            fatal = self._once(scratch)
            if fatal is None:
                break
            at, words = fatal
            if at is None:
                self._give_up(words)
                break
            self.skip.add(at)
            step = self.paper.steps[at]
            if step.kind == "check":
                self.marks[step.exercise] = Mark(
                    step.exercise, "stopped", f"While it was judged, your code {words}."
                )
            else:
                self.troubles[step.name] = words
                self._remark(f"The cell {step.name!r} {words}; it was left out, and the rest was run.")
        else:
            self._give_up(f"{RESTARTS} cells took the process down")
        for name, (literal, seed) in self.plain.items():
            self.marks[name] = _judge_plain(name, literal, seed)

    def _give_up(self, words: str) -> None:
        self._remark(f"The rest was not judged: {words}.")
        for step in self.paper.steps:
            if step.kind == "check" and step.exercise not in self.plain:
                missed = Mark(step.exercise, "stopped", f"It was not judged: {words}.")
                self.marks.setdefault(step.exercise, missed)

    def _once(self, scratch: Path) -> tuple[int | None, str] | None:
        """Run what is left; None when it came to its end, else the step that ended the process, and how."""
        token = secrets.token_hex(16)
        job = {
            "token": token,
            "scratch": os.fspath(scratch),
            "seconds": self.seconds,
            "limits": asdict(self.limits),
            "steps": [asdict(step) for step in self.paper.steps],
            "skip": sorted(self.skip),
        }
        process = _Process(json.dumps(job), scratch)
        at: int | None = None
        try:
            while True:
                line = process.line(self._allowed(at))
                if line is None:
                    return at, "could not be stopped when its time was up"
                if not line:
                    return at, process.ending(self.limits)
                told = _told(line, token)
                if told is None:
                    continue
                if told.get("end") is True:
                    return None
                if "walls" in told:
                    self.walls = tuple(str(wall) for wall in told["walls"])
                at = told["at"] if _is_step(told.get("at"), self.paper) else at
                if at is not None and told.get("again") is True:
                    return at, str(told.get("trouble"))[:400]
                if at is not None:
                    self._heard(at, told)
        finally:
            process.kill()

    def _allowed(self, at: int | None) -> float:
        if at is None:
            return 60 + GRACE
        step = self.paper.steps[at]
        judging = exercises()[step.exercise].seconds if step.kind == "check" else 0
        return self.seconds + judging + GRACE

    def _heard(self, at: int, told: dict[str, Any]) -> None:
        step = self.paper.steps[at]
        if told.get("trouble"):
            trouble = str(told["trouble"])[:400]
            self.troubles[step.name] = trouble
            self._remark(f"The cell {step.name!r} {trouble}.")
        for name in told.get("changed", [])[:5]:
            self._remark(f"The code changed {str(name)[:80]}; it was put back before anything was judged.")
        if step.kind != "check":
            return
        if "plain" in told:
            self.plain[step.exercise] = str(told["plain"]), int(told.get("seed", verbs.FIRST_SEED))
            self.skip.add(at)
        elif told.get("state") in STATES:
            parts = tuple((str(name), bool(holds)) for name, holds in told.get("parts", []))
            words = str(told.get("words", ""))[:2000]
            self.marks[step.exercise] = Mark(step.exercise, str(told["state"]), words, parts)
            self.skip.add(at)

    def _remark(self, text: str) -> None:
        if text not in self.remarks and len(self.remarks) < 40:
            self.remarks.append(text)

    def marked(self) -> Marked:
        """All that was found, in the order of the course."""
        for name in self.paper.untouched:
            self.marks[name] = Mark(name, "open", "The answer cell is as it was handed out.")
        for name in self.paper.missing:
            self.marks.setdefault(name, Mark(name, "missing", "There is no answer cell for it in this file."))
        for name, mark in self.marks.items():
            trouble = self.troubles.get(f"{name.replace('.', '-')}-answer")
            if trouble and mark.state in ("stopped", "not yet"):
                self.marks[name] = replace(mark, state="stopped", words=f"Its answer cell {trouble}.")
        ordered = tuple(self.marks[name] for name in exercises() if name in self.marks)
        return Marked(self.paper.path.name, ordered, (*self.paper.remarks, *self.remarks), self.walls)


class _Process:
    """The learner's process, and a thread that reads what it tells."""

    def __init__(self, job: str, scratch: Path) -> None:
        begin = "from ptwalk.checks.learner_process import main; main()"
        command = [sys.executable, "-I", "-X", "utf8", "-c", begin]
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=scratch,
            env=_environment(scratch),
            start_new_session=os.name == "posix",
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._flooded = False
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError):
            self._popen.stdin.write(job.encode() + b"\n")
            self._popen.stdin.close()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        room = TOLD
        with contextlib.suppress(OSError, ValueError):
            while line := self._popen.stdout.readline(TOLD):
                room -= len(line)
                if room < 0:
                    self._flooded = True
                    break
                self._lines.put(line)
        self._lines.put(b"")

    def line(self, seconds: float) -> bytes | None:
        """The next line; empty when there are no more, None when none came in so many seconds."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def ending(self, limits: Limits) -> str:
        """How the process ended, as the rest of a sentence."""
        if self._flooded:
            return "sent back more than it may"
        try:
            code = self._popen.wait(GRACE)
        except subprocess.TimeoutExpired:
            return "went silent"
        if os.name == "posix" and code == -signal.SIGXCPU:
            return f"used more than {limits.cpu} seconds of processor time"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            crash = " (a crash, or too much memory)" if name in ("SIGSEGV", "SIGBUS", "SIGABRT") else ""
            return f"ended the process by signal {name}{crash}"
        return f"ended the process by itself, with exit code {code}"

    def kill(self) -> None:
        """End the process and whatever it started."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.kill()
        self._popen.wait()
        self._reader.join(GRACE)
        if self._popen.stdout is not None and not self._reader.is_alive():
            self._popen.stdout.close()


def _environment(scratch: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TZ") if name in os.environ}
    home = os.fspath(scratch)
    places = {name: home for name in ("HOME", "TMPDIR", "TEMP", "TMP", "USERPROFILE", "MPLCONFIGDIR")}
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    record = os.path.join(home, ".ptwalk")
    return kept | places | threads | {"LANG": "C.UTF-8", "MPLBACKEND": "Agg", "PTWALK_HOME": record}


def _told(line: bytes, token: str) -> dict[str, Any] | None:
    """One message, if it is well formed and knows the token."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or told.get("token") != token:
        return None
    lists = all(isinstance(told.get(name, []), list) for name in ("walls", "changed", "parts"))
    return told if lists else None


def _is_step(at: object, paper: Paper) -> bool:
    return type(at) is int and 0 <= at < len(paper.steps)


def _judge_plain(name: str, literal: str, seed: int) -> Mark:
    try:
        answer = ast.literal_eval(literal)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return Mark(name, "stopped", "The answer is no plain value.")
    state, words, parts = judged(verbs.compare, exercises()[name], answer, seed)
    return Mark(name, state, words, parts)
