"""Turns recorded beforehand: a saved page answers them as the kernel would."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ptwalk.machine.recorder_branches import branches
from ptwalk.trace.snapshot import apply
from ptwalk.trials.playing import play


@pytest.mark.parametrize("scenario", ["retract-vs-damon-v34", "munmap-vs-damon-write-locked"])
def test_any_turn_is_what_a_run_shows(scenario: str) -> None:
    """Along random turns the tree leads to the very state that running the schedule leads to, and ends as it does."""
    run, session = play(scenario)
    tree = session.branches(run)
    assert 100 < len(tree.turns) <= 800
    dice = random.Random(7)
    for _ in range(8):
        choices: list[int] = []
        then = tree.roots
        values: dict[str, Any] = dict(run.base)
        while then:
            cpu = dice.choice(sorted(then))
            turn = tree.turns[then[cpu]]
            apply(values, turn.step.get("set", {}))  # type: ignore[arg-type]
            choices.append(int(cpu))
            then = turn.then
        real = session.run(choices)
        assert len(real) == len(choices)
        assert _plain(values) == _plain(dict(real.at(len(real)).values))
        assert (turn.report is None) == (real.report is None)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Without the places in the source, whose numbers differ from page to page."""
    return {key: value for key, value in values.items() if ".s." not in key}


def test_a_limit_cuts_the_far_ones() -> None:
    """With few steps allowed the runs with the fewest switches are there, and it says that it is not complete."""
    run, session = play("retract-vs-damon-v34")
    tree = branches(session.subject, run, most=20)
    assert len(tree.turns) == 20 and not tree.complete
    assert json.loads(tree.dumps())["complete"] is False
