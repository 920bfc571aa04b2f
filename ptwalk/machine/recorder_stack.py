"""Where a simulated CPU stands: its call stack, its source, its local values, read off a paused coroutine.

Storey 2 (machine).  A coroutine that waits at an operation keeps its frames; this module looks into them and
never changes them.  A local that points into memory is named by frame and entry, so that a picture can compare
what a CPU holds with what is there now.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any

from ptwalk.arch import Entry, EntryState
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.frames import Frame
from ptwalk.machine.locks import Lock
from ptwalk.machine.operation import Operation
from ptwalk.trace.snapshot import Local

_AWAIT = Operation.__await__.__code__
_LONGEST = 32  # letters of a local's text
_PLAIN = 3  # plain values shown of the innermost function

Describe = Callable[[Any], "str | None"]
"""What to show of an object the machine does not know; None leaves it out."""


def frames_of(coroutine: Any) -> list[FrameType]:
    """The frames of a paused coroutine, outermost first, down to the one that awaits the operation."""
    frames: list[FrameType] = []
    inner = coroutine
    while inner is not None:
        frame = (
            getattr(inner, "cr_frame", None)
            or getattr(inner, "gi_frame", None)
            or getattr(inner, "ag_frame", None)
        )
        if frame is None or frame.f_code is _AWAIT or frame.f_code.co_name == "__await__":
            break
        frames.append(frame)
        following = getattr(inner, "cr_await", None)
        if following is None:
            following = getattr(inner, "gi_yieldfrom", None) or getattr(inner, "ag_await", None)
        inner = following
    return frames


@lru_cache(maxsize=1024)
def source_of(code: CodeType) -> tuple[str, str, int, str]:
    """(function, file, first line, text) of a function; docstring lines are left empty, so line numbers hold."""
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return code.co_name, PurePath(code.co_filename).name, code.co_firstlineno, ""
    text = "".join(_without_docstring(lines, code)).rstrip("\n")
    return code.co_name, PurePath(code.co_filename).name, first, text


def _without_docstring(lines: list[str], code: CodeType) -> list[str]:
    doc = code.co_consts[0] if code.co_consts and isinstance(code.co_consts[0], str) else None
    if not doc:
        return lines
    quiet: list[str] = []
    quote = ""
    done = False
    for line in lines:
        stripped = line.strip()
        opens = not done and not quote and stripped[:3] in ('"""', "'''")
        if opens:
            quote = stripped[:3]
            if stripped.count(quote) >= 2 and len(stripped) > 3:
                quote, done = "", True
            quiet.append("\n")
        elif quote:
            if quote in stripped:
                quote, done = "", True
            quiet.append("\n")
        else:
            quiet.append(line)
    return quiet


class LocalReader:
    """Reads the locals of one CPU and remembers from which entry each value was loaded.

    `generations` gives the generation of a frame now; a pointer keeps the one from when it was first seen.
    """

    def __init__(
        self, describe: Describe, number_of: Callable[[Frame], int], generation_of: Callable[[Frame], int]
    ) -> None:
        self._describe = describe
        self._number = number_of
        self._generation = generation_of
        self._loaded: dict[tuple[str, int], tuple[str, int]] = {}
        self._first: dict[int, tuple[Any, int]] = {}
        self._seen: dict[int, tuple[Any, int]] = {}

    def loaded(self, pointer: EntryPointer, raw: int, generation: int) -> None:
        """Note that this CPU loaded `raw` from an entry; `generation` is that of the frame it leads to."""
        self._loaded[pointer.level.name, raw] = (f"{self._number(pointer.frame)}.{pointer.index}", generation)

    def read(self, frames: list[FrameType]) -> list[Local]:
        """The locals worth showing: all of the innermost function, those that name frames of its callers."""
        found: list[Local] = []
        named: set[str] = set()
        plain = 0
        self._seen = {}
        for depth in reversed(range(len(frames))):
            innermost = depth >= len(frames) - 1
            pointed: set[int] = set()
            for name, value in frames[depth].f_locals.items():
                if name.startswith("_") or name == "self" or name in named or id(value) in pointed:
                    continue
                local = self._local(name, value, depth, innermost and plain < _PLAIN)
                if local is None:
                    continue
                if isinstance(local.to_json(), str):
                    plain += 1
                else:
                    pointed.add(id(value))
                found.append(local)
                named.add(name)
        self._first = self._seen
        return found

    def _local(self, name: str, value: Any, depth: int, innermost: bool) -> Local | None:
        if isinstance(value, Entry):
            return self._entry(name, value, depth)
        if isinstance(value, EntryPointer):
            place = f"{self._number(value.frame)}.{value.index}"
            return Local(name, depth=depth, at=place, generation=self._since(value, value.frame))
        if isinstance(value, Frame):
            return Local(name, depth=depth, to=self._number(value), generation=self._since(value, value))
        if isinstance(value, Lock):
            if value.frame is None:
                return Local(name, value.name[:_LONGEST], depth)
            place = f"{self._number(value.frame)}.lock"
            since = self._since(value, value.frame)
            return Local(name, depth=depth, at=place, lock=value.name, generation=since)
        text = self._describe(value)
        if text is None and innermost:
            text = plain_text(value)
        if text is None or text == name:
            return None
        return Local(name, text[:_LONGEST], depth)

    def _entry(self, name: str, value: Entry, depth: int) -> Local | None:
        source, generation = self._loaded.get((value.level.name, value.raw), ("", 0))
        if value.state is EntryState.NONE:
            return Local(name, "none", depth, source=source)
        target = self._target(value)
        if target is None:
            return Local(name, value.state.name.lower(), depth, source=source)
        return Local(name, "", depth, source=source, to=self._number(target), generation=generation)

    def _target(self, value: Entry) -> Frame | None:
        return self.frame_at(value) if value.address is not None else None

    def frame_at(self, value: Entry) -> Frame | None:
        """The frame an entry's address lies in; set by the recorder, which knows the machine."""
        return None

    def _since(self, value: Any, frame: Frame) -> int:
        """The generation a pointer was made in: that of the frame when a local of this CPU first held it."""
        kept = self._first.get(id(value)) or self._seen.get(id(value))
        if kept is None or kept[0] is not value:
            kept = (value, self._generation(frame))
        self._seen[id(value)] = kept
        return kept[1]


def plain_text(value: Any) -> str | None:
    """Plain values as people write them; None for what says nothing."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return f"{value:#x}" if value > 4096 else str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and len(value) <= 3 and all(isinstance(part, (int, str)) for part in value):
        return ", ".join(plain_text(part) or "" for part in value)
    return None
