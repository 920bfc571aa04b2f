"""`ptwalk watch [FILE]`: save in the editor or in Jupyter, see the verdict here at once."""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    from ptwalk.checks.mark import Mark, Marked

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

LOOK = 0.3
"""Seconds between two looks at the files."""


def register(verbs: Verbs) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "watch",
        help="watch your files: save, and see the verdict at once",
        description="Judges a file each time it is saved, and shows the first exercise that is still open. "
        "Without FILE it watches every notebook in exercises/, or else in this folder. Ctrl-C ends it.",
        epilog="Example: ptwalk watch exercises/01_page_tables.ipynb",
    )
    parser.add_argument("file", nargs="*", type=Path, metavar="FILE", help="notebooks or .py files to watch")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Watches until Ctrl-C."""
    from ptwalk.checks.judge import judge_file

    missing = next((file for file in args.file if not file.is_file()), None)
    if missing is not None:
        raise PtwalkError(
            f"there is no file {missing}; name one that is there, or name none to watch them all"
        )
    watcher = Watcher(args.file or found_here(Path.cwd()), judge_file, at_once=bool(args.file))
    try:
        watcher.run()
    except KeyboardInterrupt:
        from ptwalk.checks.verbs import progress

        print(f"\nNo longer watching. {progress().heading}.")
    return 0


def found_here(folder: Path) -> list[Path]:
    """The files to watch when none is named; raises `PtwalkError` if there is nothing that could be one."""
    for place in (folder / "exercises", folder):
        files = sorted([*place.glob("[0-9][0-9]*.ipynb"), *place.glob("[0-9][0-9]*.py")])
        if files:
            return files
    raise PtwalkError(f"there is no exercise to watch in {folder}; go to the course's folder, or name a FILE")


class Watcher:
    """Looks at files again and again, judges each that was saved, and tells what is new.

    A save that changes no code (Jupyter writes outputs too) is not judged again.
    """

    def __init__(self, files: list[Path], judge: Callable[[Path], Marked], *, at_once: bool) -> None:
        self._files = files
        self._judge = judge
        self._at_once = at_once
        self._saved: dict[Path, tuple[int, int]] = {}
        self._content: dict[Path, str] = {}
        self._before: dict[str, Mark] = {}

    def run(self) -> None:
        """Look until somebody interrupts."""
        for file in self._files:
            if not self._at_once:
                self._saved[file] = _stamp(file)
                self._content[file] = _content(file)
        names = self._files[0].name if len(self._files) == 1 else f"{len(self._files)} files"
        print(f"Watching {names}. Save, and the verdict comes here. Ctrl-C ends.", flush=True)
        while True:
            self.look()
            time.sleep(LOOK)

    def look(self) -> bool:
        """Look once at every file; whether something was judged."""
        judged = False
        for file in self._files:
            stamp = _stamp(file)
            if stamp == self._saved.get(file) or stamp == (0, 0):
                continue
            self._saved[file] = stamp
            content = _content(file)
            if content == self._content.get(file):
                continue
            self._content[file] = content
            print(f"\n{file.name} was saved; checking …", flush=True)
            self._tell(self._judge(file))
            judged = True
        return judged

    def _tell(self, marked: Marked) -> None:
        from ptwalk.checks.registry import exercises
        from ptwalk.commands import verdicts

        if marked.unreadable:
            print("\n".join(verdicts.lines(marked)), flush=True)
            return
        focus = next((m for m in marked.marks if m.state in ("partly", "not yet", "stopped")), None)
        out = []
        for mark in marked.marks:
            new = mark != self._before.get(mark.exercise)
            fresh = new and mark.state == "passed"
            out += verdicts.said(mark, brief=not (fresh or mark is focus))
            if fresh:
                out.append(f"      Why it works: {exercises()[mark.exercise].why}")
            if new:
                verdicts.write_down(mark)
            self._before[mark.exercise] = mark
        out += [f"  - {remark}" for remark in marked.remarks]
        following = next((m for m in marked.marks if m.state in ("open", "missing")), None)
        if focus is None and following is not None:
            exercise = exercises()[following.exercise]
            out.append(
                f"Next: {exercise.name} {exercise.title} ({exercise.stars}, {exercise.minutes} minutes)."
            )
        elif focus is None:
            out.append("Everything in this file holds.")
        print("\n".join(out), flush=True)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return 0, 0  # between two moments of being saved
    return status.st_mtime_ns, status.st_size


def _content(file: Path) -> str:
    """What of a file matters: its steps if it can be read, else its bytes."""
    from ptwalk.checks.paper import Unreadable, read_paper

    try:
        paper = read_paper(file)
        matter = repr((paper.steps, paper.untouched))
    except Unreadable as error:
        matter = str(error)
    return hashlib.sha256(matter.encode()).hexdigest()
