"""Code under test may do anything; each mistake is told in words with its line and never breaks the search."""

import asyncio
import gc
import itertools
import random
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from ptwalk.errors import PtwalkError
from ptwalk.explore import explore
from ptwalk.machine.operation import Operation
from ptwalk.machine.shared import Shared
from ptwalk.trace.verdict import Verdict

shared = Shared(2)
x, m = shared.variable("x"), shared.mutex("m")


async def good() -> None:
    value = await x.read()
    await x.write(value + 1)


async def callee() -> None:
    await x.read()


async def forgets_a_step() -> None:
    await m.lock()
    x.read()
    await m.unlock()


async def forgets_a_call() -> None:
    await m.lock()
    callee()
    await m.unlock()


async def computes_with_a_step() -> None:
    value: Any = x.read()
    await x.write(value + 1)


async def returns_a_coroutine() -> Any:
    await x.read()
    return callee()


def not_async() -> None:
    return None


def a_generator() -> Any:
    yield x.read()


async def loops_on_one_line() -> None:
    await x.read()
    while True: pass  # fmt: skip  # noqa: E701


async def loops_and_swallows() -> None:
    await x.read()
    while True:
        try:
            sum(range(10))
        except Exception:
            continue


async def loops_and_swallows_all() -> None:
    await x.read()
    while True:
        try:
            sum(range(10))
        except:  # noqa: E722
            continue


async def sleeps() -> None:
    await asyncio.sleep(0)


async def sleeps_longer() -> None:
    await asyncio.sleep(1)


async def raises() -> None:
    if await x.read():
        raise ValueError("the pmd is gone")


async def exits() -> None:
    await x.read()
    raise SystemExit(1)


async def recurses() -> None:
    await recurses()


async def keeps_the_lock() -> None:
    await m.lock()


async def unlocks_too_often() -> None:
    await x.read()
    await m.unlock()


async def locks_twice() -> None:
    await m.lock()
    await m.lock()


async def rolls_dice() -> None:
    await x.read()
    await (x.read() if random.random() < 0.5 else x.write(3))
    await x.read()


_calls = itertools.count()


async def counts_its_runs() -> None:
    await x.write(next(_calls))


async def refuses_to_close() -> None:
    while True:
        try:
            await x.read()
        except BaseException:
            continue


async def keeps_a_step_in_a_variable() -> None:
    value = x.read()
    await x.write(1)
    del value


async def writes_a_step() -> None:
    await x.write(x.read())


async def yields() -> Any:
    yield x.read()


async def waits_for_an_endless_function() -> None:
    def condition(value: int) -> bool:
        while True:
            value += 1

    await shared.wait(condition, x)


async def goes_through_a_set_of_objects() -> None:
    class Page:
        def __init__(self, number: int) -> None:
            self.number = number

    for page in {Page(number) for number in range(20)}:
        await x.write(page.number)


CASES: list[tuple[Callable[[], Any], str, str]] = [
    (forgets_a_step, "misuse", "forgets 'await': the step 'reads x'"),
    (forgets_a_call, "misuse", "forgets 'await': a call of callee()"),
    (computes_with_a_step, "misuse", "forgets 'await': the step 'reads x'"),
    (returns_a_coroutine, "misuse", "return await"),
    (not_async, "misuse", "begin it with 'async def'"),
    (a_generator, "misuse", "use 'await', not 'yield'"),
    (loops_on_one_line, "misuse", "without an operation"),
    (loops_and_swallows, "misuse", "without an operation"),
    (loops_and_swallows_all, "misuse", "without an operation"),
    (sleeps, "misuse", "await operations only"),
    (sleeps_longer, "misuse", "await operations only"),
    (raises, "exception", "ValueError: the pmd is gone"),
    (exits, "exception", "SystemExit"),
    (recurses, "exception", "RecursionError"),
    (keeps_the_lock, "at end", "still holds m"),
    (unlocks_too_often, "violation", "unlocks m, which nobody holds"),
    (locks_twice, "deadlock", "waits at 'locks m'"),
    (rolls_dice, "misuse", "besides the simulated memory"),
    (counts_its_runs, "misuse", "besides the simulated memory"),
    (keeps_a_step_in_a_variable, "misuse", "forgets 'await': the step 'reads x'"),
    (writes_a_step, "misuse", "forgets 'await': the step 'reads x'"),
    (yields, "misuse", "has a 'yield' in it"),
    (waits_for_an_endless_function, "misuse", "runs on and on"),
    (goes_through_a_set_of_objects, "misuse", "besides the simulated memory"),
]


def _verdict(function: Callable[[], Any], engine: str) -> Verdict:
    return explore(shared.program(function, good), engine)


@pytest.mark.parametrize("engine", ["dpor", "states"])
@pytest.mark.parametrize(("function", "kind", "words"), CASES, ids=[case[0].__name__ for case in CASES])
def test_each_mistake_is_told(function: Callable[[], Any], kind: str, words: str, engine: str) -> None:
    """The verdict is a bug whose text says what the code does wrong."""
    verdict = _verdict(function, engine)
    assert verdict.outcome == "bug"
    assert verdict.report.kind == kind
    assert words in str(verdict.report)


@pytest.mark.parametrize(
    "function",
    [
        forgets_a_step,
        forgets_a_call,
        computes_with_a_step,
        loops_on_one_line,
        raises,
        sleeps,
        unlocks_too_often,
        keeps_a_step_in_a_variable,
        writes_a_step,
        waits_for_an_endless_function,
        goes_through_a_set_of_objects,
    ],
    ids=lambda function: function.__name__,
)
def test_the_line_is_named(function: Any) -> None:
    """The line lies inside the function that is wrong, in this file, although the step is made elsewhere."""
    report = _verdict(function, "dpor").report
    first = function.__code__.co_firstlineno
    last = max(line for _, _, line in function.__code__.co_lines() if line)
    assert report.file == __file__
    assert first < report.line <= last
    assert f"line {report.line}" in report.text


def test_code_that_cannot_be_closed_is_left_alone() -> None:
    """A bare except around an await survives being abandoned; the search ends all the same."""
    assert _verdict(refuses_to_close, "states").outcome in ("incomplete", "bug")


def test_one_broken_cpu_does_not_hide_the_race_of_the_others() -> None:
    """With everything counted, the other CPUs are still explored around the one that stopped."""
    verdict = explore(shared.program(raises, good), stop_at_first=False)
    assert verdict.executions == 2
    assert verdict.violations == 1


def test_an_operation_that_strays_is_told() -> None:
    """An operation that looks at a cell its footprint does not name would make the search miss schedules."""

    class Stray(Operation):
        kind = "stray"

        def footprint(self, cpu: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
            return (), ()

        def execute(self, memory: list[Any], cpu: int) -> Any:
            return memory[x.cell]

    async def strays() -> None:
        await Stray()

    verdict = explore(shared.program(strays))
    assert verdict.report.kind == "misuse"
    assert "cell x, which its footprint() does not name" in verdict.report.text


def test_an_unhashable_result_is_told() -> None:
    """What a step writes or answers must be hashable."""

    async def writes_a_list() -> None:
        await x.write([])  # type: ignore[arg-type]

    assert "unhashable" in str(explore(shared.program(writes_a_list)).report)


def test_what_the_garbage_collector_finds_is_nobodys_forgotten_await() -> None:
    """An operation of an earlier program that dies while this one runs says nothing about this one."""

    async def collects() -> None:
        gc.collect()
        await x.read()
        gc.collect()

    for _ in range(3):
        never_awaited: list[Any] = [x.read(), good()]
        never_awaited.append(never_awaited)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            del never_awaited
            assert explore(shared.program(collects)).outcome == "safe"


def _asserts(end: Any) -> None:
    assert end["x"] == 2, "an update is lost"


def _loops(end: Any) -> None:
    while True:
        pass


CHECKS: list[tuple[Any, str, str]] = [
    (_asserts, "at end", "an update is lost (line"),
    (_loops, "misuse", "the check at the end runs on and on (line"),
    (
        lambda end: end["no such variable"],
        "exception",
        "the check at the end raised KeyError: 'no such variable'",
    ),
    (lambda end: end["x"] == 2, "misuse", "return a sentence that says what is wrong, or None"),
    (lambda end: callee(), "misuse", "returned a coroutine"),
]


@pytest.mark.parametrize(("check", "kind", "words"), CHECKS)
def test_a_check_that_goes_wrong_is_told(check: Any, kind: str, words: str) -> None:
    """It may assert; what raises, loops or returns no sentence is a mistake in words, never the end of the search."""
    report = explore(shared.program(good, good, check=check)).report
    assert report.kind == kind
    assert words in str(report)


def test_a_condition_that_looks_elsewhere_is_told() -> None:
    """The search asks some conditions again."""
    calls = itertools.count()

    async def waits() -> None:
        await shared.wait(lambda value: next(calls) < 1, x)

    assert "does something else when it is done again" in str(explore(shared.program(waits)).report)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no CPU"),
        ((good, None), "CPU 1 was given None"),
        ((good, [good]), "which is no function"),
        ((good, good, good), "Shared\\(cpus=3\\)"),
    ],
)
def test_what_cannot_run_is_refused_at_once(arguments: tuple[Any, ...], words: str) -> None:
    """When the program is made."""
    with pytest.raises(PtwalkError, match=words):
        shared.program(*arguments)


def test_a_call_in_place_of_a_function_is_refused() -> None:
    """`good()` where `good` is meant."""
    with pytest.raises(PtwalkError, match="hand in the function, good"):
        shared.program(good())  # type: ignore[arg-type]
