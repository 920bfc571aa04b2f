"""A run as text: the table of its steps, for terminals and for those who read rather than look.

Knows `trace` values and the catalogue of sentences, which the browser uses too; a test holds both to the same
words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from ptwalk.trace.event import Event
from ptwalk.trace.snapshot import Json, Snapshot, apply
from ptwalk.trace.timeline import Timeline
from ptwalk.views.stepper_page import catalogue


@cache
def _words(language: str) -> dict[str, Any]:
    words: dict[str, Any] = json.loads(catalogue(language))
    return words


def sentences(timeline: Timeline, language: str = "en") -> list[str]:
    """Each step of a run in words, in order."""
    words = _words(language)
    values: dict[str, Json] = dict(timeline.base)
    out: list[str] = []
    for event in timeline.events:
        before = Snapshot(dict(values))
        apply(values, event.changes)
        out.append(_sentence(words, timeline, event, before, Snapshot(values)))
    return out


def _sentence(
    words: dict[str, Any], timeline: Timeline, event: Event, before: Snapshot, after: Snapshot
) -> str:
    parts: list[str] = []
    for key, params in event.say:
        named = _named(words, timeline, event.cpu, params, after)
        own = "{cpu}: {text}" if "text" in named else key
        if key == "op" or key.startswith("op."):
            named["op"] = done(event, before)
            own = words["say"]["op"]
        template = str(words["say"].get(key, own))
        for part in _fill(template, named).split("|"):
            parts.append(part if key == "text" else part[:1].upper() + part[1:])
    return " ".join(parts)


def done(event: Event, before: Snapshot) -> str:
    """What was done: the event's own operation, else what the CPU's `next` said before."""
    following = before[f"c{event.cpu}.next"]
    if event.operation:
        return event.operation
    if isinstance(following, dict):
        return str(following.get("op", event.label))
    return str(following or event.label)


def _named(
    words: dict[str, Any], timeline: Timeline, cpu: int, params: Mapping[str, Json], state: Snapshot
) -> dict[str, str]:
    cpus = timeline.header.cpus
    named = {"cpu": str(cpus[cpu]["name"])}
    frame = str(words["word"]["frame"])
    for name, value in params.items():
        if name == "who":
            named["who"] = str(cpus[int(str(value))]["name"])
        elif name in ("frame", "to"):
            named[name] = frame.replace("{n}", str(value))
        elif name == "entry":
            named["entry"] = state.slot_name(str(value))
        elif name == "lock":
            named["lock"] = _lock_name(words, timeline, str(value))
        else:
            named[name] = str(value)
    return named


def _lock_name(words: dict[str, Any], timeline: Timeline, lock: str) -> str:
    for known in timeline.header.locks:
        if known["id"] == lock:
            if known.get("frame") is None:
                return str(known["name"])
            frame = str(words["word"]["frame"]).replace("{n}", str(known["frame"]))
            return _fill(str(words["ui"]["lock_of"]), {"lock": str(known["name"]), "frame": frame})
    return lock


def _fill(template: str, params: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: params.get(match[1], match[0]), template)


def text_run(timeline: Timeline, *, width: int = 100) -> str:
    """The run as a readable table: step, CPU, what happens; then the report and the verdict.

    A mark `>` stands where another CPU takes over, `✕` at the violation.
    """
    head = timeline.header
    lines = [head.title + (f" ({head.note})" if head.note else "")]
    digits = len(str(len(timeline)))
    indent = " " * (digits + 10)
    last = -1
    for number, (event, sentence) in enumerate(zip(timeline.events, sentences(timeline), strict=True), 1):
        fatal = timeline.report is not None and timeline.report.get("step") == number
        mark = "✕" if fatal else ">" if event.cpu != last and last >= 0 else " "
        last = event.cpu
        name = str(head.cpus[event.cpu]["name"])
        start = f"{mark} {number:>{digits}}  {name:<6} "
        lines += _wrapped(start, indent, sentence.removeprefix(f"{name} "), width)
    if timeline.report is not None:
        lines += ["", f"✕ {timeline.report.get('title', '')}", str(timeline.report.get("text", ""))]
    if timeline.verdict is not None:
        lines += ["", f"verdict: {timeline.verdict.get('outcome', '')}"]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(start: str, indent: str, text: str, width: int) -> list[str]:
    lines: list[str] = []
    line = start
    for word in text.split():
        if len(line) + len(word) > width and line.strip():
            lines.append(line)
            line = indent + " "
        line += word + " "
    return [*lines, line]
