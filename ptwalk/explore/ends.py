"""Ends: what is wrong with a state in which nobody can take a step.

Room: explore.  Knows log-tries and programs.  Somebody may wait for ever, go round in circles, or the program's last
check may have something to say.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptwalk.explore.livelock import livelock
from ptwalk.explore.logtrie import Node
from ptwalk.machine.coroutine import place
from ptwalk.machine.program import Program
from ptwalk.machine.watchdog import Endless, watched
from ptwalk.trace.verdict import Finding


def wrong_at_end(program: Program, nodes: Sequence[Node], memory: list[Any]) -> Any:
    """What is wrong with the end at which the CPUs stand at `nodes`: a report, or None.

    Where a CPU was cut short, None means only that nothing is known to be wrong.
    """
    if any(node.ending == "cut" for node in nodes):
        return livelock(program, nodes, memory)
    waiting = [node for node in nodes if node.ending is None and not program.cpus[node.cpu].daemon]
    if waiting:
        return _deadlock(program, nodes, waiting)
    if program.at_end is None or any(node.ending not in ("finished", None) for node in nodes):
        return None
    return _last_check(program, memory)


def _deadlock(program: Program, nodes: Sequence[Node], waiting: list[Node]) -> Finding:
    cpus = program.cpus
    parts = []
    for node in waiting:
        assert node.operation is not None
        file, number = node.place
        line = f" (line {number} of {Path(file).name})" if number else ""
        parts.append(f"CPU {node.cpu} ({cpus[node.cpu].name}) waits at '{node.operation.text()}'{line}")
    parts += [
        f"CPU {node.cpu} ({cpus[node.cpu].name}) has ended"
        for node in nodes
        if node.ending == "finished" and not cpus[node.cpu].daemon
    ]
    file, line_number = waiting[0].place
    text = "deadlock: " + "; ".join(parts) + "; nobody can take a step"
    return Finding("deadlock", text, waiting[0].cpu, file, line_number, waiting[0].depth)


def _last_check(program: Program, memory: list[Any]) -> Any:
    assert program.at_end is not None
    try:
        report = watched(program.at_end, memory)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return _check_failed(error)
    if isinstance(report, bool) or inspect.isawaitable(report):
        if inspect.iscoroutine(report):
            report.close()
            report = "a coroutine"
        wanted = "return a sentence that says what is wrong, or None (and write it without 'async')"
        return Finding("misuse", f"the check at the end returned {report}, which says nothing: {wanted}")
    return Finding("at end", report) if isinstance(report, str) else report


def _check_failed(error: BaseException) -> Finding:
    frames = [(one.filename, one.lineno or 0, one.name) for one in traceback.extract_tb(error.__traceback__)]
    file, line = error.place if isinstance(error, Endless) else place(tuple(frames))
    where = f" (line {line} of {Path(file).name})" if line else ""
    if isinstance(error, Endless):
        return Finding("misuse", f"the check at the end runs on and on{where}", None, file, line)
    if isinstance(error, AssertionError):
        text = str(error).split("\n", 1)[0] or "an assertion of the check at the end fails"
        return Finding("at end", f"{text}{where}", None, file, line)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Finding("exception", f"the check at the end raised {said}{where}", None, file, line)
