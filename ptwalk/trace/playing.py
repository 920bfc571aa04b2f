"""Trace: what a player of a run is answered: a run to show, a verdict, one sentence.

Both sides of the stepper know this value: who plays (views) and who can search (above machine and explore).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ptwalk.trace.snapshot import Json
from ptwalk.trace.timeline import Timeline
from ptwalk.trace.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """What a session answers to a search.

    `timeline` is the run to show next, or None to stay; `verdict` what is known of all runs now, as JSON values
    of the timeline's schema; `message` one sentence for the learner.
    """

    timeline: Timeline | None = None
    verdict: Mapping[str, Json] | None = None
    message: str = ""


def verdict_json(verdict: Verdict, *, counted: bool = False, rule: str = "") -> dict[str, Json]:
    """A verdict in the words of the timeline's schema; `counted` says that the search went on after the
    first bug, so that its counts are of all executions; `rule` is the rule at stake, if it is known."""
    counted = counted and not verdict.limit
    out: dict[str, Json] = {
        "outcome": verdict.outcome,
        "executions": verdict.executions,
        "complete": verdict.outcome == "safe" or counted,
    }
    if verdict.violations and counted:
        out["failing"] = verdict.violations
    if verdict.interleavings:
        # Counts beyond 2^53 lose their last digits in a browser; only their size is shown there.
        out["interleavings"] = (
            verdict.interleavings if verdict.interleavings < 2**53 else float(verdict.interleavings)
        )
    if verdict.states:
        out["states"] = verdict.states
    if verdict.schedule is not None:
        out["schedule"] = str(verdict.schedule)
        out["steps"] = verdict.steps if verdict.steps is not None else verdict.schedule.steps
        out["switches"] = verdict.switches if verdict.switches is not None else verdict.schedule.switches
        if not verdict.minimal:
            out["minimal"] = False
    if verdict.limit:
        out["limit"] = verdict.limit
    title = getattr(verdict.report, "title", "")
    if title:
        out["subject"] = str(title)
    elif verdict.report is not None:
        out["text"] = str(verdict.report).split("\n", 1)[0]
    rule = rule or str(getattr(verdict.report, "rule", "") or "")
    if rule:
        out["rule"] = rule
    return out
