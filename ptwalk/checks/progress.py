"""What a learner has done, in one small file on their own machine.

Knows names of exercises as text only. Written whole and swapped in at once, so a crash leaves the old file or the new
one. A damaged file is kept under another name and begun afresh. Where nothing can be written, progress lasts as
long as the session: that never stops a check.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

VERSION = 1
FILE = "progress.json"


@dataclass(frozen=True)
class Done:
    """What happened with one exercise so far."""

    tries: int = 0
    passed: bool = False
    hints: int = 0
    solution_asked: int = 0


class Progress:
    """The learner's record, kept in `folder`/progress.json."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or home()) / FILE
        self._kept_in_memory: dict[str, Done] | None = None

    def all(self) -> dict[str, Done]:
        """Every exercise that was touched, by name."""
        if self._kept_in_memory is not None:
            return dict(self._kept_in_memory)
        try:
            text = self.path.read_text("utf-8")
        except OSError:
            return {}
        except UnicodeDecodeError:
            text = ""
        try:
            return _parse(text)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._set_aside()
            return {}

    def of(self, exercise: str) -> Done:
        """What happened with one exercise."""
        return self.all().get(exercise, Done())

    def record(self, exercise: str, **changes: int | bool) -> Done:
        """Change what is known of one exercise and write it down; the new record."""
        everything = self.all()
        everything[exercise] = replace(everything.get(exercise, Done()), **changes)  # type: ignore[arg-type]
        self._write(everything)
        return everything[exercise]

    def _write(self, everything: dict[str, Done]) -> None:
        done = {name: asdict(entry) for name, entry in sorted(everything.items())}
        text = json.dumps({"version": VERSION, "exercises": done}, indent=1) + "\n"
        scratch = ""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, scratch = tempfile.mkstemp(dir=self.path.parent, prefix=FILE, suffix=".new")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, self.path)
        except OSError:
            self._kept_in_memory = everything
            if scratch:
                Path(scratch).unlink(missing_ok=True)

    def _set_aside(self) -> None:
        for copy in range(1, 1000):
            aside = self.path.with_name(f"progress.damaged-{copy}.json")
            if not aside.exists():
                break
        try:
            os.replace(self.path, aside)
        except OSError:
            self._kept_in_memory = {}


def _parse(text: str) -> dict[str, Done]:
    data = json.loads(text)
    if data["version"] != VERSION:
        raise ValueError("another version")
    entries = {}
    for name, entry in data["exercises"].items():
        entries[str(name)] = Done(
            tries=int(entry.get("tries", 0)),
            passed=bool(entry.get("passed", False)),
            hints=int(entry.get("hints", 0)),
            solution_asked=int(entry.get("solution_asked", 0)),
        )
    return entries


def home() -> Path:
    """Where progress lives: $PTWALK_HOME, the course's folder if we are inside one, else the user's data folder."""
    named = os.environ.get("PTWALK_HOME")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "exercises").is_dir() and (folder / "notebooks").is_dir():
            return folder / ".ptwalk"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "ptwalk"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ptwalk"
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "ptwalk"
