"""The verbs on scenarios: what can be explored, what a verdict tells, replaying, and kind words for mistakes."""

import pytest

import ptwalk
from ptwalk.errors import PtwalkError
from ptwalk.machine.program import Program
from ptwalk.scenarios import SCENARIOS
from ptwalk.trace.verdict import Verdict

NAME = "munmap-vs-damon-v34"


def test_the_bug_of_the_review_is_found_and_told():
    """Two switches; the report names both CPUs, their source lines, the frame's state, the rule and the replay line."""
    verdict = ptwalk.explore(NAME)
    assert verdict.outcome == "bug" and verdict.minimal
    assert (verdict.switches, verdict.blocked) == (2, 0)
    text = str(verdict.report)
    for part in (
        "use-after-free of a page-table lock in damon_va_mkold_v34 / munmap",
        "FREED, was a pte table",
        "CPU0 holds: no lock",
        "CPU1 clears pmd",
        "pgtable.py",
        "(a) inside a VMA",
        "today:",
        f"replay: ptwalk replay {NAME} '{verdict.schedule}'",
    ):
        assert part in text, text


def test_the_last_turn_is_the_act_alone():
    """The failing schedule ends with one step: all that led to it comes before."""
    assert ptwalk.explore(NAME).schedule.turns[-1].count == 1


def test_the_merged_walker_is_safe():
    """All executions, and how many interleavings they stand for."""
    verdict = ptwalk.explore("munmap-vs-damon-merged")
    assert verdict.outcome == "safe" and verdict.executions == verdict.traces
    assert verdict.interleavings > verdict.executions
    assert any("kernel 5.15.0" in sentence for sentence in verdict.assumptions)


@pytest.mark.parametrize("engine", ["dpor", "states", "pct"])
def test_every_engine_finds_it(engine):
    """The same bug by each engine; random runs find it too."""
    assert ptwalk.explore(NAME, engine=engine).outcome == "bug"


def test_a_limit_is_never_safe():
    """A search cut short says incomplete."""
    verdict = ptwalk.explore("mremap-vs-reclaim", limit=5)
    assert verdict.outcome == "incomplete" and "5" in verdict.limit


def test_all_executions_can_be_counted():
    """With stop_at_first=False the executions with a bug are counted among all."""
    verdict = ptwalk.explore(NAME, stop_at_first=False)
    assert verdict.outcome == "bug" and 0 < verdict.violations < verdict.executions


def test_a_replay_fails_at_the_same_step():
    """The schedule of the verdict, as a value and as text, runs into the same report."""
    verdict = ptwalk.explore(NAME)
    for schedule in (verdict.schedule, str(verdict.schedule), list(verdict.schedule.cpus())):
        done = ptwalk.replay(NAME, schedule)
        assert done.report.title == verdict.report.title
        assert len(done.steps) == verdict.steps and not done.diverged


def test_names_may_say_the_kernel():
    """`name@release,arch,axis=value` is the same as the keywords."""
    by_name = ptwalk.explore("munmap-vs-pagemap-hole@6.1")
    assert by_name.outcome == ptwalk.explore("munmap-vs-pagemap-hole", release="6.1").outcome == "safe"
    assert ptwalk.explore("munmap-vs-rcu-walk@arm64").outcome == "safe"
    assert ptwalk.explore(f"{NAME}@table_free=rcu,preemptible=false").outcome == "safe"


def test_scenarios_and_programs_are_taken_too():
    """By name, as a scenario, as a program: the same verdict."""
    scenario = SCENARIOS[NAME]
    program = scenario.build()
    assert isinstance(program, Program)
    verdicts = [ptwalk.explore(what) for what in (NAME, scenario, program)]
    assert len({(v.outcome, v.switches, v.steps) for v in verdicts}) == 1


def test_json_says_the_same():
    """The verdict comes back from JSON with the same words."""
    verdict = ptwalk.explore(NAME)
    value = verdict.to_json()
    assert value["outcome"] == "bug" and value["switches"] == 2
    assert value["report"]["title"] == verdict.report.title
    assert Verdict.from_json(value).schedule == verdict.schedule


@pytest.mark.parametrize(
    ("what", "kernel", "words"),
    [
        ("munmap-vs-damon-v43", {}, "did you mean munmap-vs-damon-v34"),
        ("quark", {}, "ptwalk scenarios lists them"),
        (NAME, {"release": "9.9"}, "there is no preset '9.9'"),
        (NAME, {"colour": "red"}, "there is no axis 'colour'"),
        (NAME, {"flush": "magic"}, "flush cannot be 'magic'"),
        (f"{NAME}@arm32", {}, "there is no preset 'arm32'"),
        (NAME, {"order": ("walker",)}, "order= must list just these"),
        (len, {}, "ptwalk.check_walker"),
        (3, {}, "give a scenario's name"),
    ],
)
def test_mistakes_are_told(what, kernel, words):
    """Names that are not there are told with what there is."""
    with pytest.raises(PtwalkError, match=words.replace("(", r"\(").replace(")", r"\)")):
        ptwalk.explore(what, **kernel)


def test_an_engine_that_is_not_there_is_told():
    """With the engines that are."""
    with pytest.raises(PtwalkError, match="dpor"):
        ptwalk.explore(NAME, engine="magic")


def test_the_listing_prints_and_filters():
    """`ptwalk.scenarios()` is a table of all, or of those with a word."""
    assert {scenario.name for scenario in ptwalk.scenarios()} == set(SCENARIOS)
    found = ptwalk.scenarios("CVE")
    some = ptwalk.scenarios("collapse")
    assert len(some) > 5 and len(found) < len(some)
    assert str(some).count("\n") == len(some) - 1
    assert some.to_json()[0]["expect"]["outcome"] in ("safe", "bug")


def test_verbs_win_over_rooms_of_the_same_name():
    """Importing the room does not hide the verb."""
    import ptwalk.explore.search
    import ptwalk.scenarios.ground

    assert callable(ptwalk.explore) and callable(ptwalk.scenarios)
