"""What a trial can be about: a scenario by name or as a value, or any program.

Room: trials.  A name may say the kernel too: `munmap-vs-damon-v34@7.1`, `retract-vs-gup@5.15.0,arm64`,
`munmap-vs-damon-v34@6.1,preemptible=False`.
"""

from __future__ import annotations

import difflib
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.explore.search import program_of as with_cpus
from ptwalk.kernel.config import arch_named, axes
from ptwalk.machine.program import Program
from ptwalk.scenarios import SCENARIOS, Scenario
from ptwalk.scenarios.stage import FORMATS


class UnknownSubject(PtwalkError):
    """What was handed in is no scenario, no name of one, and no program."""


def scenario_named(name: str) -> Scenario:
    """The scenario with that name; raises `UnknownSubject`, naming the nearest ones."""
    found = SCENARIOS.get(name)
    if found is None:
        near = difflib.get_close_matches(name, SCENARIOS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "ptwalk scenarios lists them"
        raise UnknownSubject(f"there is no scenario {name!r}; {hint}")
    return found


def program_of(what: object, **overrides: Any) -> Program:
    """The program of `what`: a scenario's name (with `@release,arch,axis=value`), a scenario, or a program.

    `overrides` are `release`, `arch`, `order` and axes of the kernel; they win over what the name says.  Raises
    `UnknownSubject` for anything else.
    """
    if isinstance(what, Program):
        if overrides:
            raise UnknownSubject(
                f"a program is built already; {', '.join(overrides)} can be said of a scenario only"
            )
        return with_cpus(what)
    if isinstance(what, str):
        name, _, kernel = what.partition("@")
        return scenario_named(name).build(**{**_said(kernel), **overrides})
    if isinstance(what, Scenario):
        return what.build(**overrides)
    if callable(what):
        raise UnknownSubject(
            f"{getattr(what, '__name__', what)!r} is a function, not a scenario; to try a walker of yours, use"
            " ptwalk.check_walker(walker, against='munmap')"
        )
    raise UnknownSubject(
        f"{type(what).__name__} is no scenario: give a scenario's name, a Scenario or a Program (of async functions, "
        "ptwalk.machine.shared.Shared makes one)"
    )


def _said(kernel: str) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for word in filter(None, kernel.split(",")):
        name, is_axis, value = word.partition("=")
        if is_axis:
            said[name] = value_of_axis(name, value)
        elif arch_named(word) in FORMATS:
            said["arch"] = arch_named(word)
        else:
            said["release"] = word
    return said


def value_of_axis(name: str, text: str) -> Any:
    """A value of a kernel's axis from its text; a text that is none comes back as it is, for the axis check to tell."""
    for value in axes().get(name, ()):
        if str(value).lower() == text.lower():
            return value
    return text  # the scenario's check of axes names what is allowed
