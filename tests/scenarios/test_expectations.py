"""Every scenario that ships has the verdict that it says, from both engines, in whatever order its CPUs are listed."""

import pytest

from ptwalk.scenarios import SCENARIOS, Never, Scenario, Sometimes
from ptwalk.trace.verdict import Verdict
from ptwalk.trials.explore import explore

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


def keeps(scenario: Scenario, verdict: Verdict) -> None:
    """Fail unless the verdict is what the scenario expects."""
    if isinstance(scenario.expect, Never):
        assert verdict.outcome == "safe", f"{scenario.name} should be safe:\n{verdict.text()}"
        return
    assert isinstance(scenario.expect, Sometimes)
    assert verdict.outcome == "bug", f"{scenario.name} should fail:\n{verdict.text()}"
    assert verdict.minimal
    assert verdict.report.sanitizer == scenario.expect.oracle, verdict.text()
    if scenario.expect.switches is not None:
        assert verdict.switches == scenario.expect.switches, verdict.text()


@every_scenario
def test_dpor_finds_what_is_expected(scenario: Scenario) -> None:
    """Optimal DPOR gives the expected verdict, and no execution of it is redundant."""
    verdict = explore(scenario, "dpor")
    keeps(scenario, verdict)
    assert verdict.blocked == 0
    if isinstance(scenario.expect, Never):
        assert verdict.executions == verdict.traces


@every_scenario
def test_the_stateful_search_agrees(scenario: Scenario) -> None:
    """The stateful search gives the same verdict, and a failing schedule with as few switches and steps."""
    verdict = explore(scenario, "states")
    keeps(scenario, verdict)
    other = explore(scenario, "dpor")
    assert (verdict.switches, verdict.steps) == (other.switches, other.steps)


@every_scenario
def test_the_order_of_cpus_changes_nothing(scenario: Scenario) -> None:
    """With its CPUs listed the other way round a scenario has the same verdict."""
    order = scenario.cpus[::-1]
    verdict = explore(scenario, "states", order=order)
    keeps(scenario, verdict)
    assert verdict.steps == explore(scenario, "states").steps


@every_scenario
def test_it_is_told_in_full(scenario: Scenario) -> None:
    """A scenario says in one sentence what happens and where it is from, and its name is made of plain words."""
    assert scenario.story and scenario.source
    assert scenario.story[-1] != "."
    assert all(part.isalnum() for part in scenario.name.split("-"))


@every_scenario
def test_building_is_deterministic(scenario: Scenario) -> None:
    """Building twice gives the same cells with the same contents."""
    first, second = scenario.build(), scenario.build()
    assert [cell.name for cell in first.cells] == [cell.name for cell in second.cells]
    assert first.cells.initial == second.cells.initial
