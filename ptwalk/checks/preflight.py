"""A learner's function, called with care: every way to go wrong gets a sentence, none a traceback.

Knows Python functions, not what an exercise asks of them.
"""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable, Mapping
from types import TracebackType

from ptwalk.checks.notyet import NotYet
from ptwalk.checks.timelimit import where_stopped


class Learner:
    """Wraps the function a learner handed in; calling it gives its result or raises `NotYet` in words.

    `name` is how the exercise calls the function, `parameters` what it must take. Errors whose type is in
    `lets_through` reach the check as they are.
    """

    def __init__(
        self,
        answer: object,
        name: str,
        parameters: tuple[str, ...],
        lets_through: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.name = name
        self._lets_through = lets_through
        self._function = plain_function(answer, name, parameters)

    def __call__(self, *arguments: object) -> object:
        """Call the learner's function once."""
        try:
            result = self._function(*arguments)
        except self._lets_through:
            raise
        except NotYet:
            raise
        except RecursionError:
            raise NotYet(
                f"{self.name}() called itself until Python gave up. Which call should have been the last?"
            ) from None
        except (Exception, SystemExit) as error:
            raise NotYet(
                f"{self._shown(arguments)} raised {type(error).__name__}: {short(str(error))}"
                f"{line_of(error.__traceback__)}."
            ) from None
        if inspect.isawaitable(result):
            getattr(result, "close", lambda: None)()
            raise NotYet(
                f"{self.name}() gave something to await. Here everything is plain: no async, no await."
            )
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise NotYet(
                f"{self.name}() has a yield in it, so calling it only makes a generator. Use return."
            )
        return result

    def _shown(self, arguments: tuple[object, ...]) -> str:
        shown = ", ".join(f"{a:#x}" if isinstance(a, int) and a > 9 else _brief(a) for a in arguments)
        return f"{self.name}({shown})"


def plain_function(answer: object, name: str, parameters: tuple[str, ...]) -> Callable[..., object]:
    """The function in `answer`, if it is one that can be called with `parameters`; else `NotYet`."""
    wanted = f"{name}({', '.join(parameters)})"
    if answer is None or answer is ...:
        raise NotYet(f"Nothing was handed in. Hand in the function itself, without brackets: {name}")
    if not callable(answer):
        raise NotYet(
            f"You handed in {article(type(answer).__name__)}; this exercise wants the function {wanted}, "
            "by its name and without brackets."
        )
    if inspect.iscoroutinefunction(answer) or inspect.isasyncgenfunction(answer):
        raise NotYet(f"{name} is an `async def`. Here a plain `def {wanted}` is wanted.")
    try:
        inspect.signature(answer).bind(*parameters)
    except TypeError:
        raise NotYet(f"Your function can't be called as {wanted}. Look at its parameters.") from None
    except ValueError:
        pass  # a built-in without a signature: calling it will tell
    return answer


def entries_only(read: Callable[[int], int]) -> Callable[[int], int]:
    """`read` as a learner's walker gets it: an address that no entry can have is told in words."""

    def entry_at(pa: int) -> int:
        if isinstance(pa, bool) or not isinstance(pa, int):
            raise NotYet(f"You asked read() for {_brief(pa)}. It wants a physical address, a whole number.")
        if pa & 7 and not pa >> 48:  # above, the memory itself says that nothing is there
            raise NotYet(
                f"You asked read() for {pa:#x}, which is not a multiple of 8, so no entry lies there. "
                "Which low bits do not belong to the table's address?"
            )
        if pa < 0:
            raise NotYet(f"You asked read() for {pa:#x}. No memory lies below zero.")
        return read(pa)

    return entry_at


def number(value: object, what: str) -> int:
    """`value` as an int, or `NotYet` with words on what came instead. `what` begins the sentence."""
    if isinstance(value, bool) or not isinstance(value, int):
        index = getattr(value, "__index__", None)
        if index is None or isinstance(value, bool):
            raise NotYet(f"{what} is {_brief(value)}: {article(type(value).__name__)}, not a whole number.")
        return int(index())
    return value


def line_of(traceback: TracebackType | None) -> str:
    """Where in the learner's code a traceback ends, as the rest of a sentence; empty if nowhere."""
    stopped = where_stopped(traceback)
    if stopped is None:
        return ""
    function, line, file = stopped
    text = linecache.getline(file, line).strip()
    return f", in line {line} of that cell: {text}" if text else f", in {function}()"


def shown(value: object) -> str:
    """A learner's value as it stands in the words: short, in one line, and whatever its `repr` does."""
    try:
        text = repr(value)
    except Exception:
        return f"{article(type(value).__name__)} that cannot be shown"
    return short(re.sub(r" at 0x[0-9a-f]+", "", text))


def _brief(value: object) -> str:
    if isinstance(value, Mapping):
        return "{…}"
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return shown(value)


def short(text: str, limit: int = 90) -> str:
    """A text in one line, cut where it gets long."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def article(noun: str) -> str:
    """A noun with "a" or "an" before it."""
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"
