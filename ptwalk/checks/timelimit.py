"""A limit on how long a learner's code may run, so that a notebook never hangs.

Knows threads and signals, nothing of the course. On a notebook's main thread a timer signal interrupts Python
code; elsewhere, and on systems without that signal, a second thread does. One C call that never returns (a
power of enormous numbers) can't be stopped from inside its own process: interrupt the kernel then.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

AGAIN = 0.25
"""Seconds until code that swallowed the first interruption is interrupted again."""


class OutOfTime(BaseException):
    """The time is up. Not an `Exception`, so that a learner's `except Exception` doesn't swallow it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Run the body for at most `seconds`; then raise `OutOfTime` inside it."""
    on_main = threading.current_thread() is threading.main_thread()
    with _by_signal(seconds) if on_main and hasattr(signal, "setitimer") else _by_thread(seconds):
        yield


@contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    strikes = 0
    tracer = sys.gettrace()

    def up(_signal: int, frame: FrameType | None) -> None:
        nonlocal strikes
        strikes += 1
        if strikes > 1:
            _raise_at_every_line(frame)
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, up)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if strikes > 1:
            sys.settrace(tracer)


def _raise_at_every_line(frame: FrameType | None) -> None:
    # For `while True: try: ... except: pass`. The next line run is the handler's own, and what is raised
    # there leaves the loop.
    def trace(frame: FrameType, event: str, _value: object) -> object:
        if not _learners(frame):
            return None
        if event == "line":
            raise OutOfTime
        return trace

    while frame is not None and frame.f_globals.get("__name__") != "ptwalk.checks.verbs":
        if _learners(frame):
            frame.f_trace = trace
        frame = frame.f_back
    sys.settrace(trace)  # type: ignore[arg-type]


def _learners(frame: FrameType) -> bool:
    file = frame.f_code.co_filename.replace("\\", "/").lower()
    return not frame.f_globals.get("__name__", "").startswith("ptwalk.") and "/lib/python" not in file


@contextmanager
def _by_thread(seconds: float) -> Iterator[None]:
    target = ctypes.c_ulong(threading.get_ident())
    finished = threading.Event()
    turn = threading.Lock()

    asked = False

    def watch() -> None:
        nonlocal asked
        wait = seconds
        while not finished.wait(wait):
            with turn:
                if not finished.is_set():
                    asked = True
                    _interrupt(target)
            wait = AGAIN

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        while not finished.is_set():
            with suppress(OutOfTime), turn:
                finished.set()
        if asked:
            # One that was asked for and has not arrived arrives here. Taking it back with None instead would leave
            # CPython 3.11 believing for ever that one is pending, and its tracing then never gets past a call.
            with suppress(OutOfTime):
                _interrupt(target)
                while True:
                    time.sleep(0)
        watcher.join()


def _interrupt(thread: ctypes.c_ulong) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(OutOfTime))


def where_stopped(traceback: TracebackType | None) -> tuple[str, int, str] | None:
    """The innermost frame of the learner's own code: function, line number, file. None if there is none."""
    found = None
    while traceback is not None:
        if _learners(traceback.tb_frame):
            code = traceback.tb_frame.f_code
            found = (code.co_name, traceback.tb_lineno, code.co_filename)
        traceback = traceback.tb_next
    return found
