"""The verdict of a search: bug, safe or incomplete, with the counts that show how it was reached.

Room: trace.  Knows schedules.  A verdict is a plain value: it can be compared, pickled, sent over a cluster, and
written as JSON with the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ptwalk.trace.report import Report, ReportStep, lines_of
from ptwalk.trace.schedule import Schedule

Outcome = Literal["bug", "safe", "incomplete"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the explorer itself found wrong, in words.

    `kind` is one of "deadlock", "livelock", "exception" (the code raised), "misuse" (the code does something
    that simulated code must not do), "violation" (an operation refused), "at end" (the last check failed), or
    "observer" for a plain sentence of an observer.  `cpu` is the CPU's number or None; `file` and `line` are the
    place in the source ("" and 0 if there is none); `step` counts the steps of that CPU from 1, 0 before the first.
    Whoever replays the schedule adds the `story`, the steps that took the locks still held, and the line to `replay`.
    """

    kind: str
    text: str
    cpu: int | None = None
    file: str = ""
    line: int = 0
    step: int = 0
    story: tuple[ReportStep, ...] = ()
    replay: str = ""

    def __str__(self) -> str:
        replay = [f"replay: {self.replay}"] if self.replay else []
        return "\n".join([self.text, *lines_of(self.story), *replay])

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "type": "finding",
            "kind": self.kind,
            "text": self.text,
            "cpu": self.cpu,
            "file": self.file,
            "line": self.line,
            "step": self.step,
            "story": [step.to_json() for step in self.story],
            "replay": self.replay,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Finding:
        """The finding written by `to_json`."""
        fields = {key: value[key] for key in ("kind", "text", "cpu", "file", "line", "step")}
        story = tuple(ReportStep(**step) for step in value.get("story", ()))
        return cls(**fields, story=story, replay=value.get("replay", ""))


def in_words(count: int) -> str:
    """A count as people read it: 2,369, and from 10^12 on 1.2 × 10¹⁵."""
    if count < 10**12:
        return f"{count:,}"
    digits = str(count)
    exponent = len(digits) - 1
    lead = (int(digits[:3]) + 5) // 10
    if lead == 100:
        lead, exponent = 10, exponent + 1
    raised = str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{lead // 10}.{lead % 10} × 10{raised}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a search found out about a program.

    `outcome` is "bug", "safe" or "incomplete"; a limit that was hit is "incomplete", never "safe".
    `executions` counts complete executions that were run, `violations` those among them that contain a violation,
    `blocked` runs that had to be given up as redundant, `states` the distinct states seen (0 where the engine keeps
    none), `interleavings` all complete schedules that the search stands for (None if not counted),
    `traces` the classes of equivalent schedules (None if not counted).
    `schedule` is a failing schedule with the fewest switches, then the fewest steps; `report` says what goes wrong
    there.  `state_bytes` is what one state cost in memory.  `limit` names the limit that ended the search.
    """

    outcome: Outcome
    engine: str
    program: str = ""
    cpus: int = 0
    executions: int = 0
    violations: int = 0
    blocked: int = 0
    states: int = 0
    interleavings: int | None = None
    traces: int | None = None
    schedule: Schedule | None = None
    switches: int | None = None
    steps: int | None = None
    report: Any = None
    assumptions: tuple[str, ...] = ()
    limit: str = ""
    state_bytes: int = 0
    minimal: bool = False

    @property
    def title(self) -> str:
        """What kind of bug was found, in a few words; empty where none was."""
        return str(getattr(self.report, "title", "") or getattr(self.report, "kind", ""))

    def __str__(self) -> str:
        stands = f", standing for {in_words(self.interleavings)} interleavings" if self.interleavings else ""
        if self.outcome == "bug":
            where = ""
            if self.schedule is not None:
                least = "shortest failing schedule" if self.minimal else "failing schedule"
                where = (
                    f"; {least}: {_plural(self.switches or 0, 'switch')}, {_plural(self.steps or 0, 'step')}"
                )
            head = str(self.report).split("\n", 1)[0] if self.report is not None else "a rule is broken"
            return f"bug: {head}{where}"
        if self.outcome == "safe":
            return f"safe: {self._explored()}{stands}; {_plural(self.cpus, 'CPU')}; {'; '.join(self.assumptions)}"
        return f"incomplete: {self.limit}; no bug so far ({self._seen()}; {_plural(self.cpus, 'CPU')})"

    @property
    def interrupted(self) -> bool:
        """Whether somebody ended the search before its time."""
        return self.limit.startswith("interrupted")

    def _explored(self) -> str:
        if self.executions:
            return f"all {_plural(self.executions, 'execution')} explored"
        return f"all {_plural(self.states, 'state')} visited"

    def _seen(self) -> str:
        parts = []
        if self.executions or not self.states:
            parts.append(_plural(self.executions, "execution"))
        if self.states:
            parts.append(_plural(self.states, "state"))
        return ", ".join(parts)

    def text(self) -> str:
        """The verdict in several lines: what, how it was found, the schedule to paste, what was assumed."""
        lines = [str(self)]
        if self.report is not None:
            lines += [*str(self.report).split("\n")[1:]]
        if self.schedule is not None:
            lines.append(f"schedule: {self.schedule}")
        counts = [f"engine {self.engine}"]
        if self.executions:
            bad = f" ({self.violations:,} with a violation)" if self.violations else ""
            counts.append(f"{_plural(self.executions, 'execution')}{bad}, {self.blocked:,} blocked")
        if self.states:
            size = f" at {self.state_bytes} bytes each" if self.state_bytes else ""
            counts.append(f"{_plural(self.states, 'state')}{size}")
        if self.traces is not None:
            counts.append(_plural(self.traces, "trace"))
        if self.interleavings is not None:
            counts.append(f"{in_words(self.interleavings)} interleavings")
        lines.append("searched: " + "; ".join(counts))
        if self.limit and self.outcome != "incomplete":
            lines.append(f"stopped: {self.limit}")
        if self.assumptions:
            lines.append("assumed: " + "; ".join(self.assumptions))
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values, with the names of the fields as keys."""
        value: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        value["schedule"] = None if self.schedule is None else str(self.schedule)
        value["assumptions"] = list(self.assumptions)
        if self.report is not None:
            value["report"] = self.report.to_json() if hasattr(self.report, "to_json") else str(self.report)
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Verdict:
        """The verdict written by `to_json`; a report of a kind not known here stays a dictionary."""
        fields = {name: value[name] for name in cls.__slots__ if name in value}
        if fields.get("schedule") is not None:
            fields["schedule"] = Schedule.from_json(fields["schedule"])
        fields["assumptions"] = tuple(fields.get("assumptions", ()))
        report = fields.get("report")
        if isinstance(report, dict) and report.get("type") == "finding":
            fields["report"] = Finding.from_json(report)
        elif isinstance(report, dict) and report.get("type") == "report":
            fields["report"] = Report.from_json(report)
        return cls(**fields)


def _plural(count: int, noun: str) -> str:
    ending = "" if count == 1 else "es" if noun.endswith("ch") else "s"
    return f"{in_words(count)} {noun}{ending}"
