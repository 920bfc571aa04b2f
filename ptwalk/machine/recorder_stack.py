"""Where a simulated CPU stands: its call stack, its source, its local values, read off a paused coroutine.

Storey 2 (machine).  A coroutine that waits at an operation keeps its frames; this module looks into them and
never changes them.  A local that points into memory is named by frame and entry, so that a picture can compare
what a CPU holds with what is there now.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import lru_cache
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any, Protocol

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
    """(function, file, first line, text) of a function.

    Its head is written as one line without annotations, its docstring is left out; the lines between stay
    empty, so that line numbers hold.
    """
    place = PurePath(code.co_filename).name
    try:
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return code.co_name, place, code.co_firstlineno, ""
    function = tree.body[0]
    if not isinstance(function, (ast.AsyncFunctionDef, ast.FunctionDef)):
        return code.co_name, place, first, "".join(lines).rstrip()
    body = function.body
    start = body[0].lineno
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and len(body) > 1:
        start = (body[0].end_lineno or start) + 1
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    kind = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    head = f"{indent}{kind} {code.co_name}({', '.join(named)}):"
    kept = [head, *[""] * (start - 2), *(line.rstrip() for line in lines[start - 1 :])]
    return code.co_name, place, first, "\n".join(kept).rstrip()


class FrameBook(Protocol):
    """What is asked of a machine's frames."""

    def number(self, frame: Frame) -> int:
        """The number a picture uses for a frame."""

    def generation(self, frame: Frame) -> int:
        """How often the frame was handed out so far."""

    def frame_at(self, entry: Entry) -> Frame | None:
        """The frame an entry's address lies in."""


class LocalReader:
    """Reads the locals of one CPU and remembers from which entry each value was loaded.

    A pointer keeps the generation its frame had when a local of this CPU first held it.
    """

    def __init__(self, describe: Describe, frames: FrameBook) -> None:
        self._describe = describe
        self._frames = frames
        self._loaded: dict[tuple[str, int], tuple[str, int]] = {}
        self._first: dict[int, tuple[Any, int]] = {}
        self._seen: dict[int, tuple[Any, int]] = {}

    def loaded(self, pointer: EntryPointer, raw: int, generation: int) -> None:
        """Note that this CPU loaded `raw` from an entry; `generation` is that of the frame it leads to."""
        self._loaded[pointer.level.name, raw] = (
            f"{self._frames.number(pointer.frame)}.{pointer.index}",
            generation,
        )

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
            place = f"{self._frames.number(value.frame)}.{value.index}"
            return Local(name, depth=depth, at=place, generation=self._since(value, value.frame))
        if isinstance(value, Frame):
            return Local(
                name, depth=depth, to=self._frames.number(value), generation=self._since(value, value)
            )
        if isinstance(value, Lock):
            if value.frame is None:
                return Local(name, value.name[:_LONGEST], depth)
            place = f"{self._frames.number(value.frame)}.lock"
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
        target = self._frames.frame_at(value)
        if target is None:
            return Local(name, value.state.name.lower(), depth, source=source)
        return Local(name, "", depth, source=source, to=self._frames.number(target), generation=generation)

    def _since(self, value: Any, frame: Frame) -> int:
        """The generation a pointer was made in: that of the frame when a local of this CPU first held it."""
        kept = self._first.get(id(value)) or self._seen.get(id(value))
        if kept is None or kept[0] is not value:
            kept = (value, self._frames.generation(frame))
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
