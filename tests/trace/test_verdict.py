"""Verdicts in words and as JSON."""

import pytest

from ptwalk.trace.schedule import Schedule
from ptwalk.trace.verdict import Finding, Verdict, in_words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0"),
        (2369, "2,369"),
        (10**12, "1.0 × 10¹²"),
        (1169470266864993153080931, "1.2 × 10²⁴"),
        (999 * 10**12, "1.0 × 10¹⁵"),
    ],
)
def test_counts_are_written_as_people_read_them(count: int, words: str) -> None:
    """Exact while that can be read, rounded to two digits beyond."""
    assert in_words(count) == words


def test_the_three_outcomes_read_well() -> None:
    """One line each."""
    bug = Verdict(
        "bug",
        "dpor",
        cpus=2,
        schedule=Schedule.parse("0011"),
        switches=1,
        steps=4,
        report="lost",
        minimal=True,
    )
    assert str(bug) == "bug: lost; shortest failing schedule: 1 switch, 4 steps"
    safe = Verdict(
        "safe", "states", cpus=2, states=65, interleavings=221, assumptions=("sequentially consistent steps",)
    )
    assert str(safe) == (
        "safe: all 65 states visited, standing for 221 interleavings; 2 CPUs; sequentially consistent steps"
    )
    unfinished = Verdict(
        "incomplete", "dpor", cpus=3, executions=7, limit="the limit of 7 executions was reached"
    )
    assert str(unfinished) == (
        "incomplete: the limit of 7 executions was reached; no bug so far (7 executions; 3 CPUs)"
    )


def test_json_keeps_everything() -> None:
    """The schedule becomes its line, a finding its fields."""
    verdict = Verdict(
        "bug",
        "states",
        schedule=Schedule.parse("0x2:lock@4"),
        report=Finding("deadlock", "nobody can step", 1, "walker.py", 4, 2),
        assumptions=("a", "b"),
    )
    value = verdict.to_json()
    assert value["schedule"] == "0x2:lock@4"
    assert value["report"]["line"] == 4
    assert Verdict.from_json(value) == verdict


def test_the_long_text_has_the_line_to_paste() -> None:
    """What, schedule, how it was searched, what was assumed."""
    text = Verdict(
        "bug",
        "dpor",
        schedule=Schedule.parse("0x2"),
        executions=3,
        violations=1,
        report="lost",
        assumptions=("a",),
    ).text()
    assert (
        "schedule: 0x2" in text
        and "3 executions (1 with a violation), 0 blocked" in text
        and "assumed: a" in text
    )
