"""The watchdog: stops code that runs on and on between two operations.

Room: machine.  Knows nothing of ptwalk.  It counts instructions by a trace function, which works in any thread and in
a browser's Python.  Code that swallows what the trace function raises (a bare `except` in a loop) is asked again and
again from a second thread, where there are threads.
"""

from __future__ import annotations

import sys
import threading
import time
import types
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

# Instructions that may run between two operations before the code counts as looping without one.  Each prefix
# is run once, so the search can afford to watch.  Lines would not do: CPython 3.11 reports none for a loop that
# is written on a single line.
INSTRUCTIONS_BETWEEN_OPERATIONS = 400_000

_Answer = TypeVar("_Answer")

# Frames of this package are counted by calls only.
_PACKAGE = str(Path(__file__).resolve().parent.parent)
_ASK_AFTER = 0.02  # seconds


class Endless(BaseException):
    """Raised inside code that ran too long; not an Exception, so that `except Exception` lets it through."""

    def __init__(self, file: str = "", line: int = 0) -> None:
        self.place = (file, line)


class Watchdog:
    """Watches one stretch of code: `start`, run it, `stop`."""

    def __init__(self) -> None:
        self._left = INSTRUCTIONS_BETWEEN_OPERATIONS
        self._outer: Any = None
        self._place = ("", 0)
        self._asking = False
        self._asked = False
        self._busy = False
        self._thread = threading.get_ident()

    def start(self) -> None:
        """Begin to count."""
        self._outer = sys.gettrace()
        sys.settrace(self._trace)

    def stop(self) -> None:
        """The code came to its next operation, or ended; safe to call twice."""
        asked, self._asking = self._asking or self._asked, False
        sys.settrace(self._outer)
        if asked:
            # No lock here: this very thread may be hit between taking it and being able to give it back.
            self._asked = True
            # What was thrown and has not hit yet hits now.
            with suppress(Endless):
                while self._busy:
                    time.sleep(0)
            with suppress(Endless):
                for _ in range(10):
                    time.sleep(0)

    @property
    def place(self) -> tuple[str, int]:
        """(file, line) where the patience ended."""
        return self._place

    def _trace(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            self._place = (frame.f_code.co_filename, frame.f_lineno)
            if not self._asking:
                self._asking = True
                try:
                    threading.Thread(target=self._ask, daemon=True).start()
                except RuntimeError:  # no threads here
                    self._asking = False
            raise Endless(*self._place)
        if event == "call":
            if frame.f_code.co_filename.startswith(_PACKAGE):
                return None
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        return self._trace

    def _ask(self) -> None:
        # In quick succession, so that one of them hits outside of the `try`: on the way back up the loop.
        time.sleep(_ASK_AFTER)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            possible = True
            while possible:
                self._busy = True
                possible = self._asking and _throw(self._thread, Endless)
                self._busy = False
                time.sleep(0)
        finally:
            sys.setswitchinterval(interval)


def watched(call: Callable[..., _Answer], *arguments: Any) -> _Answer:
    """`call(*arguments)`, which raises `Endless` if it runs on and on."""
    watchdog = Watchdog()
    watchdog.start()
    try:
        return call(*arguments)
    finally:
        watchdog.stop()


def is_strange(code: object) -> bool:
    """Whether a function or class, or what an object is made of, was written by somebody else: it needs watching."""
    return not str(getattr(code, "__module__", "")).startswith("ptwalk.")


def _throw(thread: int, error: type[BaseException]) -> bool:
    # Raise `error` in another thread; False where Python cannot do that.
    try:
        import ctypes

        throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
        return bool(throw(ctypes.c_ulong(thread), ctypes.py_object(error)) == 1)
    except (ImportError, AttributeError):
        return False
