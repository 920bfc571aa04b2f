"""Driving one coroutine from one operation to the next, whatever its author wrote into it.

Room: machine.  Knows operations.  Code under test may forget an await, await something foreign, loop without
ever awaiting, raise, or not be a coroutine at all.  Here each of these becomes a `Finding` in words.
"""

from __future__ import annotations

import gc
import inspect
import sys
import traceback
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptwalk.machine.operation import Operation, OutsideSimulation, Violation, unawaited
from ptwalk.machine.watchdog import Endless, Watchdog
from ptwalk.trace.verdict import Finding

Frame = tuple[str, int, str]  # file, line, function

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_STANDARD_LIBRARY = str(Path(inspect.__file__).resolve().parent)
_AWAIT_CODE = Operation.__await__.__code__


@dataclass(frozen=True, slots=True)
class Pause:
    """Where a coroutine stands: at an operation, finished (no finding), or stopped by a finding."""

    operation: Operation | None
    frames: tuple[Frame, ...] = ()
    finding: Finding | None = None


def place(frames: tuple[Frame, ...]) -> tuple[str, int]:
    """(file, line) a reader should look at: the innermost frame that is neither ptwalk nor Python itself."""
    for file, line, _ in reversed(frames):
        if not file.startswith((_PACKAGE, _STANDARD_LIBRARY)):
            return file, line
    return frames[-1][:2] if frames else ("", 0)


def _suspended(awaitable: Any) -> tuple[Frame, ...]:
    # The chain of frames that are waiting, outermost first.
    frames: list[Frame] = []
    while awaitable is not None:
        frame = None
        inner = None
        for prefix, follow in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            frame = getattr(awaitable, prefix + "_frame", None)
            if frame is not None:
                inner = getattr(awaitable, follow, None)
                break
        if frame is None or frame.f_code is _AWAIT_CODE:
            break
        frames.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        awaitable = inner
    return tuple(frames)


def _collecting(phase: str, info: dict[str, Any]) -> None:
    unawaited.collecting = phase == "start"


gc.callbacks.append(_collecting)

_warn_unawaited: Callable[[Any], None] | None = getattr(warnings, "_warn_unawaited_coroutine", None)


def _note_unawaited(coroutine: Any) -> None:
    # The interpreter calls this when a coroutine dies unstarted; outside of a simulated CPU it warns as always.
    notes = unawaited.notes
    if notes is None or unawaited.collecting:
        if _warn_unawaited is not None:
            _warn_unawaited(coroutine)
        return
    notes.append((f"a call of {coroutine.__name__}()", *place(coroutine.cr_origin or ())))


def run(resume: Callable[[], Any], coroutine: Any, describe: tuple[int, str, int]) -> Pause:
    """Let `resume()` run until the next operation and say where `coroutine` stands then.

    `describe` is (CPU number, CPU name, steps it has taken), for the words of a finding.
    """
    cpu, name, step = describe

    def found(kind: str, text: str, file: str, line: int) -> Finding:
        where = f" (line {line} of {Path(file).name})" if line else ""
        return Finding(kind, f"CPU {cpu} ({name}) {text}{where}", cpu, file, line, step)

    warnings._warn_unawaited_coroutine = _note_unawaited  # type: ignore[attr-defined]
    notes: list[tuple[str, str, int]] = []
    outer_notes, unawaited.notes = unawaited.notes, notes
    watchdog = Watchdog()
    finding: Finding | None = None
    operation: Operation | None = None
    frames: tuple[Frame, ...] = ()
    origins = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(1)
    try:
        watchdog.start()
        try:
            value = resume()
        finally:
            watchdog.stop()
        frames = _suspended(coroutine)
        if isinstance(value, Operation):
            operation = value
        else:
            finding = found("misuse", _foreign(value), *place(frames))
    except StopIteration as stop:
        if inspect.iscoroutine(stop.value) or isinstance(stop.value, Operation):
            what = getattr(stop.value, "__qualname__", None) or getattr(stop.value, "kind", "it")
            if inspect.iscoroutine(stop.value):
                stop.value.close()
            finding = found(
                "misuse", f"returns {what} without having awaited it: write 'return await'", "", 0
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        watchdog.stop()
        finding = _raised(error, watchdog, found)
        traceback.clear_frames(error.__traceback__)
        error.__traceback__ = None
    finally:
        unawaited.notes = outer_notes
        sys.set_coroutine_origin_tracking_depth(origins)
    if notes and (finding is None or finding.kind == "exception"):
        what, file, line = notes[0]
        so = "so it never happens"
        if finding is not None:
            so, file, line = "and stumbles over what it got instead of a result", finding.file, finding.line
        finding = found("misuse", f"forgets 'await': {what} is made but not awaited, {so}", file, line)
        operation = None
    return Pause(operation, frames, finding)


def _foreign(value: Any) -> str:
    what = "something that gives the turn to an event loop" if value is None else repr(type(value).__name__)
    return f"awaits {what}, which is no operation of the simulated machine: await operations only"


def _raised(
    error: BaseException, watchdog: Watchdog, found: Callable[[str, str, str, int], Finding]
) -> Finding:
    if isinstance(error, Endless):
        return found(
            "misuse",
            "runs on and on without an operation: a loop that waits for others must await one in each round",
            *watchdog.place,
        )
    # Python turns a StopIteration that leaves a coroutine into another error, and keeps the first as its cause.
    source = error.__cause__ if isinstance(error.__cause__, StopIteration) else error
    trace = tuple(
        (summary.filename, summary.lineno or 0, summary.name)
        for summary in traceback.extract_tb(source.__traceback__)
        if summary.filename != __file__
    )
    file, line = place(trace)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, OutsideSimulation) or "no running event loop" in str(error):
        return found("misuse", "awaits something of an event loop: await operations only", file, line)
    if isinstance(error, Violation):
        return found("violation", str(error), file, line)
    return found("exception", f"raised {text}", file, line)


def begin(start: Callable[[], Any], cpu: int, name: str) -> tuple[Any, Pause]:
    """Make the coroutine of a CPU and run it to its first operation: (coroutine or None, where it stands)."""
    made: list[Any] = []

    def resume() -> Any:
        coroutine = start()
        made.append(coroutine)
        if isinstance(coroutine, Coroutine):
            return coroutine.send(None)
        raise _NotAsync

    pause = run(resume, _Late(made), (cpu, name, 0))
    coroutine = made[0] if made else None
    if made and not isinstance(coroutine, Coroutine):
        function = getattr(start, "__name__", name)
        if inspect.isasyncgen(coroutine):
            how = "has a 'yield' in it: await each step, and return at the end"
        elif inspect.isgenerator(coroutine):
            how = "is a generator: use 'await', not 'yield', and begin it with 'async def'"
        else:
            how = "is not async: begin it with 'async def'"
        code = getattr(start, "__code__", None)
        file, line = (code.co_filename, code.co_firstlineno) if code is not None else ("", 0)
        where = f" (line {line} of {Path(file).name})" if line else ""
        text = f"CPU {cpu} ({name}): {function} {how}{where}"
        return None, Pause(None, (), Finding("misuse", text, cpu, file, line, 0))
    return coroutine, pause


class _NotAsync(Exception):
    pass


class _Late:
    # Stands for a coroutine that does not exist yet when its first run begins.
    def __init__(self, made: list[Any]) -> None:
        self._made = made

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._made[0], attribute)


def _keep_for_ever(coroutine: Any) -> None:
    # A coroutine that refuses to be closed (a bare `except` around an await): the interpreter would complain when
    # it tries the same, be it at its own end.  So it is never let go.
    try:
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))
    except (ImportError, AttributeError):
        pass


def abandon(coroutine: Any) -> None:
    """Close a coroutine in mid-run; cleanup code that awaits or raises is of no interest any more."""
    outer_notes, unawaited.notes = unawaited.notes, []
    watchdog = Watchdog()
    try:
        watchdog.start()
        try:
            coroutine.close()
        finally:
            watchdog.stop()
    except BaseException as error:
        watchdog.stop()
        if getattr(coroutine, "cr_frame", None) is not None:
            _keep_for_ever(coroutine)
        if isinstance(error, KeyboardInterrupt):
            raise
    finally:
        unawaited.notes = outer_notes
