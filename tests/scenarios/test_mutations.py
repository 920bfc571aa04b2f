"""Each protocol is broken in turn, and a scenario must notice; so must the cell of the matrix, where one is named."""

from __future__ import annotations

import pytest

from ptwalk.scenarios import SCENARIOS, Never
from ptwalk.trials.explore import explore
from ptwalk.trials.matrix import tried

from .mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[f"{m.broken} ({m.noticed_by})" for m in MUTATIONS])
def test_a_broken_protocol_is_noticed(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scenario is safe as it is, and fails when the protocol is broken."""
    scenario = SCENARIOS[mutation.noticed_by]
    assert isinstance(scenario.expect, Never)
    mutation.patch(monkeypatch)
    verdict = explore(scenario, **mutation.axes)
    assert verdict.outcome == "bug", f"{mutation.noticed_by} does not notice that {mutation.broken}"
    assert getattr(verdict.report, "sanitizer", "") or verdict.report.kind == "deadlock", verdict.text()


IN_MATRIX = [mutation for mutation in MUTATIONS if mutation.cell]


@pytest.mark.parametrize("mutation", IN_MATRIX, ids=[f"{m.broken} ({' × '.join(m.cell)})" for m in IN_MATRIX])
def test_the_matrix_notices(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the scenario's kernel the cell is safe, and says otherwise when the protocol is broken."""
    scenario = SCENARIOS[mutation.noticed_by]
    walker, changer = mutation.cell
    where = (walker, changer, scenario.release, scenario.arch, None)
    assert tried(*where, scenario.axes).outcome == "safe"
    mutation.patch(monkeypatch)
    cell = tried(*where, {**scenario.axes, **mutation.axes})
    assert cell.outcome == "bug", f"{walker} × {changer} does not notice that {mutation.broken}"
