"""A progress bar on stderr for work of more than a second, on a terminal only.

Part of `cli`; knows nothing of the work.
"""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

_WIDTH = 24


class ProgressBar:
    """A bar that appears after `delay` seconds and is wiped away when the work is done.

    Used as a context manager. With `update(done, total)` it fills; without, a block runs to and fro, which
    says only that work goes on.
    """

    def __init__(self, label: str, *, delay: float = 1.0, stream: TextIO | None = None) -> None:
        self._label = label
        self._delay = delay
        self._stream = sys.stderr if stream is None else stream
        self._stop = threading.Event()
        self._part: float | None = None
        self._thread: threading.Thread | None = None

    def update(self, done: int, total: int) -> None:
        """Says how much of the work is done."""
        self._part = done / total if total else 1.0

    def __enter__(self) -> ProgressBar:
        if self._stream.isatty():
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        start = time.monotonic()
        if self._stop.wait(self._delay):
            return
        while True:
            self._stream.write("\r" + line(self._label, time.monotonic() - start, self._part))
            self._stream.flush()
            if self._stop.wait(0.1):
                break
        self._stream.write("\r\x1b[K")
        self._stream.flush()


def line(label: str, seconds: float, part: float | None) -> str:
    """The bar's one line of text after so many seconds, with the part done or None if nobody knows."""
    if part is None:
        swing = _WIDTH - 4
        place = int(seconds * 10) % (2 * swing)
        place = min(place, 2 * swing - place)
        bar = " " * place + "####" + " " * (swing - place)
        return f"{label} [{bar}] {seconds:.0f} s"
    part = min(max(part, 0.0), 1.0)
    full = round(part * _WIDTH)
    return f"{label} [{'#' * full}{' ' * (_WIDTH - full)}] {part:.0%}"
