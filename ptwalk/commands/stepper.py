"""`ptwalk.stepper`: a race, a run or a recording in the stepper, in one line.

Part of the façade: it knows trials, recordings and views, which do not know each other.
"""

from __future__ import annotations

from inspect import isfunction
from typing import TYPE_CHECKING, Any

from ptwalk.trace.schedule import Schedule
from ptwalk.trace.timeline import Timeline

if TYPE_CHECKING:
    from ptwalk.views.stepper import Stepper

MODES = ("predict", "challenge", "hb", "all")


def stepper(
    what: object, schedule: Schedule | str | None = None, *, step: int = 0, **options: Any
) -> Stepper:
    """A stepper on a race, for you to play: `ptwalk.stepper("munmap-vs-damon-v34")`.

    `what` is what `explore` takes; or a walker of yours, an `async def walker(mm, addr)`, played against `against`
    ("munmap" if left out; `own=True` if it walks its own process); or a `Timeline` (a recording of Linux, say), which
    can be watched but not changed.
    `schedule` is the run to open with; without one it is the shortest failing run, or, where there is none, the run in
    which the CPUs go one after the other. `step` is where it opens: 0 before the first step, -1 after the last.
    `predict`, `challenge`, `hb` (happens-before arrows) and `all` (all locks and frames) are modes of the widget; all
    other options say which kernel.
    """
    from ptwalk.views.stepper import Stepper

    modes: dict[str, Any] = {name: bool(options.pop(name)) for name in MODES if name in options}
    if isinstance(what, Timeline):
        return Stepper(what, step=_place(what, step), **modes)
    from ptwalk.trials.playing import play

    if isfunction(what):
        from ptwalk.trials.own_walker import own_scenario

        what, options = own_scenario(what, options.pop("against", "munmap"), **options), {}
    run, session = play(what, schedule, **options)
    return Stepper(run, session, step=_place(run, step), **modes)


def _place(run: Timeline, step: int) -> int:
    return max(0, min(len(run), step if step >= 0 else len(run) + 1 + step))
