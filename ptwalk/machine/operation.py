"""The one thing simulated code may await: an operation, one atomic step of one CPU.

Room: machine.  Knows only the errors.  Between two awaits nothing else can happen; at an await any other
CPU may run.  An operation declares its footprint, says whether it must wait, and acts on the memory vector;
who calls `execute`, and when, is decided elsewhere (one CPU straight through, every interleaving, a replay).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Hashable
from pathlib import Path
from typing import Any, ClassVar, Self

from ptwalk.errors import PtwalkError

_PACKAGE = str(Path(__file__).resolve().parent.parent)

# What `execute` and `enabled` get: the memory vector, as a list or as a view that lets them touch no more
# than their footprint.
Memory = list[Any]
Footprint = tuple[tuple[int, ...], tuple[int, ...]]


class OutsideSimulation(PtwalkError):
    """An operation was awaited by something that is not a simulated CPU, such as a notebook's event loop."""


class Violation(PtwalkError):
    """Raised by `execute`: this step breaks a rule of the simulated machine itself.

    The step does not happen and its CPU stops there; the verdict is a bug with this text.  Use it for what
    has no meaningful continuation (unlocking a lock that is not held).  What can go on is an observer's matter.
    """


class _Unawaited(threading.local):
    # Where an operation that dies without having been awaited is noted, with the place where it was made, while
    # simulated code runs.
    notes: list[tuple[str, str, int]] | None = None
    # Set while the garbage collector works: what dies then was dropped long ago, perhaps by another program.
    collecting = False


unawaited = _Unawaited()


class Operation:
    """One atomic step of one CPU; subclasses say what it touches and what it does.

    Footprint, text and effect may depend on the fields of the operation and on the CPU, on nothing else; and
    `enabled` and `execute` may look at cells of the footprint only.  The explorer relies on both: two steps
    that share no cell which one of them writes can be exchanged.  It hands out a guarded memory, so an operation
    that strays is told, not believed.

    Subclasses are usually frozen dataclasses.  `kind` is one lower-case word.
    """

    __slots__ = ("__weakref__", "_made")

    kind: ClassVar[str] = "step"

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        """A new operation; one that simulated code makes remembers where, until it is awaited."""
        operation = object.__new__(cls)
        if unawaited.notes is not None:
            # The caller, or who called the methods of ours that make the step.
            frame = sys._getframe(1)
            for _ in range(2):
                if frame.f_back is None or not frame.f_code.co_filename.startswith(_PACKAGE):
                    break
                frame = frame.f_back
            object.__setattr__(operation, "_made", (frame.f_code.co_filename, frame.f_lineno))
        return operation

    def footprint(self, cpu: int) -> Footprint:
        """(cells read, cells written) by this step; a cell that is read and written may stand in both."""
        raise NotImplementedError(
            f"{type(self).__name__} must say which cells it reads and writes: define footprint()"
        )

    def enabled(self, memory: Memory, cpu: int) -> bool:
        """Whether the step can happen now.  False means the CPU waits here: it is blocked, it does not spin.

        Leave it out when the step never waits: the explorer then saves itself the question.
        """
        return True

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        """Do the step on `memory` in place and return all that the CPU learns from it (hashable)."""
        raise NotImplementedError(f"{type(self).__name__} must say what it does: define execute()")

    def text(self) -> str:
        """The step in words, with every operand: "clears pmd[2] of frame 3"."""
        return self.kind

    def __await__(self) -> Generator[Operation, Any, Any]:
        object.__setattr__(self, "_made", None)
        try:
            result = yield self
        except Exception as error:
            # Only a foreign event loop throws anything in here: it was handed a thing it does not know.
            raise OutsideSimulation(
                f"'{self.text()}' is a step of a simulated CPU and was awaited outside of one; "
                "do not await it here: put it into an async function and hand that function to the explorer"
            ) from error
        return result

    def __del__(self) -> None:
        notes = unawaited.notes
        made = getattr(self, "_made", None)
        if notes is not None and made is not None and not unawaited.collecting:
            try:
                text = self.text()
            except AttributeError:
                return  # half-built: making it raised, and that is told
            notes.append((f"the step '{text}'", *made))
