"""A learner's loop is stopped, on the main thread and on others, even when it swallows interruptions."""

import threading
import time
from collections.abc import Callable

import pytest

from ptwalk.checks.timelimit import OutOfTime, time_limit


def plain() -> None:
    """Loops for ever."""
    while True:
        pass


def swallows_exceptions() -> None:
    """Loops for ever and catches every Exception."""
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            continue


def swallows_everything() -> None:
    """Loops for ever and catches whatever there is."""
    while True:
        try:  # noqa: SIM105
            sum(range(1000))
        except BaseException:
            pass


@pytest.mark.parametrize("loop", [plain, swallows_exceptions, swallows_everything])
def test_a_loop_is_stopped(loop: Callable[[], None]) -> None:
    """The main thread gets the error inside the loop."""
    with pytest.raises(OutOfTime), time_limit(0.05):
        loop()


@pytest.mark.parametrize("loop", [plain, swallows_exceptions])
def test_a_loop_on_another_thread_is_stopped(loop: Callable[[], None]) -> None:
    """Without the timer signal a second thread does the same."""
    stopped: list[bool] = []

    def run() -> None:
        try:
            with time_limit(0.05):
                loop()
        except OutOfTime:
            stopped.append(True)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert stopped == [True]


def test_quick_code_is_left_alone() -> None:
    """No interruption arrives after the end."""
    for _ in range(20):
        with time_limit(0.02):
            pass
    time.sleep(0.05)


def test_limits_nest_and_the_outer_handler_returns() -> None:
    """The signal handler of before is put back."""
    import signal

    before = signal.getsignal(signal.SIGALRM)
    with time_limit(5):
        pass
    assert signal.getsignal(signal.SIGALRM) is before
