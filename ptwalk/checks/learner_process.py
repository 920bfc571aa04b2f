"""The process in which a learner's code runs: a fresh Python whose first words are `main()`, started by `judge`.

Reads one job from stdin, puts up the walls, runs step after step and says on its first stdout what happened.  Plain
answers are sent back, to be judged where no learner's code has been.  An answer that is a function can only be judged
here: before each such check everything of ptwalk and of Python's builtins that was changed is put back, and said.
Code that digs for our own objects can still lie; the walls do not depend on it, the verdict does.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import json
import linecache
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CoroutineType, FunctionType, ModuleType
from typing import Any, TextIO

from ptwalk.checks import verbs
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import line_of
from ptwalk.checks.registry import exercises
from ptwalk.checks.sandbox import Limits, put_up
from ptwalk.checks.timelimit import OutOfTime, time_limit

PRINTED = 1 << 20
"""Characters that one cell may print."""

PLAIN = 200_000
"""Characters of a plain answer, written out, that is still sent back."""


TOO_MUCH_MEMORY = "asked for more memory than there is for it"
"""The one trouble after which a process is of no more use: the next cell would find no memory either."""


class Flood(BaseException):
    """A cell printed more than `PRINTED` characters. Not an `Exception`, so that `except Exception` lets it through."""


class _Sink:
    """Takes what is printed and throws it away, but counts."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self) -> None:
        self.room = PRINTED

    def write(self, text: str) -> int:
        self.room -= len(text)
        if self.room < 0:
            raise Flood
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


class _Face(ModuleType):
    """Stands for ptwalk in a check cell: keeps what is handed to `check`; the rest is ptwalk itself."""

    def __init__(self) -> None:
        super().__init__("ptwalk")
        self.handed_in: list[tuple[Any, int | None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules["ptwalk"], name)

    def check(self, name: str, answer: object = None, *, seed: int | None = None) -> None:
        self.handed_in.append((answer, seed))


class Original:
    """Remembers what ptwalk's modules, classes and exercises hold, and the builtins, as they were at first.

    Names that begin with _ are the modules' own to change as they work: caches, seeds, what failed last.
    """

    def __init__(self) -> None:
        self._builtins = vars(builtins)
        self._builtins_before = dict(self._builtins)
        self._places: list[tuple[str, Any, dict[str, Any]]] = []
        self._codes: list[tuple[str, FunctionType, Any]] = []
        self._tables: list[tuple[str, Any, Any]] = []
        seen: set[int] = set()
        for name, exercise in exercises().items():
            self._places.append((f"exercise {name}", exercise, dict(vars(exercise))))
        for name, module in sorted(sys.modules.items()):
            if name.split(".")[0] == "ptwalk" and module is not None:
                self._keep(name, module, seen)

    def _keep(self, name: str, place: Any, seen: set[int]) -> None:
        seen.add(id(place))
        self._places.append((name, place, dict(vars(place))))
        for key, value in vars(place).items():
            plain = getattr(value, "__func__", value)
            if isinstance(plain, FunctionType) and str(plain.__module__).startswith("ptwalk"):
                self._codes.append((f"{name}.{key}", plain, plain.__code__))
            elif isinstance(value, type) and value.__module__.startswith("ptwalk") and id(value) not in seen:
                self._keep(f"{name}.{key}", value, seen)
            elif type(value) in (dict, list, set) and not key.startswith("_") and id(value) not in seen:
                seen.add(id(value))
                self._tables.append((f"{name}.{key}", value, value.copy()))

    def put_back(self) -> list[str]:
        """Put back what was changed; its names."""
        changed = []
        # The builtins first, and by nothing that could be one of those that were changed.
        for key, value in self._builtins_before.items():
            if key not in self._builtins or self._builtins[key] is not value:
                changed += [f"builtins.{key}"]
                self._builtins[key] = value
        for name, place, before in self._places:
            for key, value in before.items():
                now = vars(place).get(key, self)
                code = callable(value) or isinstance(value, classmethod | staticmethod)
                if now is value or not (code or not key.startswith("_")):
                    continue
                changed.append(f"{name}.{key}")
                # An exercise is frozen; who changed it went round that, and so does who puts it back.
                (setattr if isinstance(place, type | ModuleType) else object.__setattr__)(place, key, value)
        for name, held, before in self._tables:
            if len(held) != len(before) or any(
                a is not b for a, b in zip(_flat(held), _flat(before), strict=True)
            ):
                changed.append(name)
                held.clear()
                held.extend(before) if type(held) is list else held.update(before)
        for name, function, code in self._codes:
            if function.__code__ is not code:
                changed.append(name)
                function.__code__ = code
        return changed


def _flat(held: dict[Any, Any] | list[Any] | set[Any]) -> list[Any]:
    return [*held.keys(), *held.values()] if type(held) is dict else list(held)


class Session:
    """Runs the steps of one job in one namespace, and tells each outcome."""

    def __init__(self, tell: Callable[..., None], seconds: float) -> None:
        self._tell = tell
        self._seconds = seconds
        self._namespace: dict[str, Any] = {"__name__": "__main__", "display": lambda *shown, **how: None}
        self._compare = verbs.compare  # kept here: a learner may put something else in its place
        self._seeds = verbs._seeds
        self._listed = exercises()
        self._original = Original()
        self._sink = _Sink()
        sys.stdout = sys.stderr = self._sink
        vars(sys).update(__stdout__=None, __stderr__=None)

    def run(self, steps: list[dict[str, str]], skip: set[int]) -> None:
        """Run every step but those in `skip`."""
        for at, step in enumerate(steps):
            if at in skip:
                continue
            self._tell(at=at)
            self._sink.room = PRINTED
            if step["kind"] == "cell":
                trouble = self._cell(step)
                self._restore(at)
                self._tell(at=at, trouble=trouble, again=trouble == TOO_MUCH_MEMORY)
            else:
                self._judge(at, step)

    def _restore(self, at: int) -> bool:
        """Put back what was changed of the judge; whether there was anything."""
        changed = self._original.put_back()
        if changed:
            self._tell(at=at, changed=changed[:5])
        return bool(changed)

    def _cell(self, step: dict[str, str]) -> str:
        """Run one cell; what stopped it, in words, or nothing."""
        file = f"<{step['name']}>"
        source = _without_magic(step["source"])
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        try:
            code = compile(source, file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError as error:
            return f"is no Python: {error.msg}, in its line {error.lineno}"
        except (ValueError, RecursionError, MemoryError) as error:
            return f"is no Python: {type(error).__name__}"
        try:
            with time_limit(self._seconds):
                waiting = eval(code, self._namespace)
                if type(waiting) is CoroutineType:
                    asyncio.run(waiting)
        except NotYet:
            return ""  # an own call of check; the sheet's own call counts
        except OutOfTime as out:
            return f"was still running after {self._seconds:g} seconds{line_of(out.__traceback__)}"
        except Flood:
            return f"printed more than {PRINTED >> 20} MB"
        except MemoryError:
            return TOO_MUCH_MEMORY
        except SystemExit as error:
            return f"asked Python to end (SystemExit){line_of(error.__traceback__)}"
        except BaseException as error:
            said = " ".join(str(error).split())[:200]
            return f"raised {type(error).__name__}{': ' + said if said else ''}{line_of(error.__traceback__)}"
        return ""

    def _judge(self, at: int, step: dict[str, str]) -> None:
        """Judge one exercise, or send its plain answer back to be judged elsewhere."""
        name = step["exercise"]
        face = _Face()
        try:
            with time_limit(self._seconds):
                exec(
                    compile(step["source"], f"<{step['name']}>", "exec"), {**self._namespace, "ptwalk": face}
                )
        except NameError as error:
            words = f"There is no {error.name!r}: the cell that makes it is gone, or stopped before it did."
            self._tell(at=at, state="stopped", words=words)
            return
        except OutOfTime:
            self._tell(at=at, state="stopped", words="Its check cell never came to an end.")
            return
        except BaseException as error:
            self._tell(at=at, state="stopped", words=f"Its check cell raised {type(error).__name__}.")
            return
        answer, seed = face.handed_in[0] if face.handed_in else (None, None)
        seed = self._seeds.get(name, verbs.FIRST_SEED) if seed is None else seed
        literal = plain(answer)
        if literal is not None and type(seed) is int:
            self._tell(at=at, plain=literal, seed=seed)
            return
        state, words, parts = judged(self._compare, self._listed[name], answer, seed)
        if self._restore(at):
            state, words = (
                "stopped",
                "While it was judged it changed the judge, so this verdict does not count.",
            )
        self._tell(at=at, state=state, words=words, parts=parts)


def judged(
    compare: Callable[[Exercise, object, int], str], exercise: Exercise, answer: object, seed: int
) -> tuple[str, str, tuple[tuple[str, bool], ...]]:
    """State, words and parts for one answer, whatever it does."""
    try:
        return "passed", compare(exercise, answer, seed), ()
    except NotYet as not_yet:
        some = any(holds for _, holds in not_yet.parts)
        return "partly" if some else "not yet", not_yet.observed, not_yet.parts
    except Flood:
        return "stopped", f"Your code printed more than {PRINTED >> 20} MB while it was judged.", ()
    except MemoryError:
        return "stopped", "Your code asked for more memory than there is for it.", ()
    except BaseException as error:
        said = " ".join(str(error).split())[:200]
        return "stopped", f"The check came upon {type(error).__name__}: {said}", ()


def plain(answer: object) -> str | None:
    """`answer` written out, if it is made of Python's plain values alone; else None."""
    try:
        copy = _plain_copy(answer, 0)
        text = repr(copy)
        same = len(text) <= PLAIN and ast.literal_eval(text) == copy
    except (TypeError, ValueError, RecursionError, MemoryError, SyntaxError):
        return None
    return text if same else None


def _plain_copy(value: object, depth: int) -> object:
    """The same value in exact types; raises TypeError for what is none."""
    # Through the types' own functions: a subclass can bring an __eq__ that says yes to everything.
    if value is None or type(value) in (bool, float):
        return value
    if depth > 20:
        raise TypeError
    if isinstance(value, int):
        return int.__add__(value, 0)
    if isinstance(value, str):
        return str.__getitem__(value, slice(None))
    if isinstance(value, bytes):
        return bytes.__getitem__(value, slice(None))
    if isinstance(value, list):
        return [_plain_copy(each, depth + 1) for each in list.__iter__(value)]
    if isinstance(value, tuple):
        return tuple(_plain_copy(each, depth + 1) for each in tuple.__iter__(value))
    if isinstance(value, set):
        return {_plain_copy(each, depth + 1) for each in set.__iter__(value)}
    if isinstance(value, dict):
        pairs = dict.items(value)
        return {_plain_copy(key, depth + 1): _plain_copy(each, depth + 1) for key, each in pairs}
    raise TypeError


def _without_magic(source: str) -> str:
    # IPython's own lines (%matplotlib, !ls, help?) mean nothing here; a blank keeps the line numbers.
    if source.lstrip().startswith("%%"):
        return ""
    lines = source.split("\n")
    return "\n".join(
        "" if line.lstrip().startswith(("%", "!", "?")) and _alone(line) else line for line in lines
    )


def _alone(line: str) -> bool:
    try:
        ast.parse(line.strip())
    except SyntaxError:
        return True
    return False


def main() -> None:
    """Read the job, go behind the walls, run it."""
    job = json.loads(sys.stdin.readline())
    sys.stdin.close()
    channel: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    token = job["token"]

    def tell(**what: Any) -> None:
        channel.write(json.dumps({"token": token, **what}) + "\n")
        channel.flush()

    scratch = Path(job["scratch"])
    os.chdir(scratch)
    sys.path.append(str(scratch))
    session = Session(tell, job["seconds"])  # imports what the checks need, while files can be written
    walls = put_up(scratch, Limits(**job["limits"]))
    tell(walls=walls)
    session.run(job["steps"], set(job["skip"]))
    tell(end=True)
    os._exit(0)  # threads that a learner left behind do not keep us
