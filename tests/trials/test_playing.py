"""Playing a race: the recorded run agrees with the explorer, and every button of the stepper has its answer."""

from __future__ import annotations

import pytest

from ptwalk.errors import PtwalkError
from ptwalk.explore.replay import replay_on
from ptwalk.machine.recorder import CannotStep, Recorder
from ptwalk.scenarios import SCENARIOS
from ptwalk.trace.timeline import Timeline
from ptwalk.trials.explore import explore
from ptwalk.trials.playing import play, subject_of
from ptwalk.trials.subject import program_of

RACE = "munmap-vs-damon-v34"


def test_the_picture_opens_on_the_shortest_failing_run() -> None:
    """Its last step is the violation the explorer reports; the story names when the frame was unlinked and freed."""
    run, _ = play(RACE)
    verdict = explore(RACE)
    assert verdict.schedule is not None and run.report is not None and run.verdict is not None
    assert len(run) == verdict.schedule.steps == run.report["step"]
    assert run.choices == tuple(verdict.schedule.cpus())
    assert str(run.report["title"]).lower() == verdict.report.title.lower()
    assert "unlinked at" in str(run.report["text"])
    assert run.verdict["outcome"] == "bug" and run.verdict["steps"] == len(run)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_scenario_can_be_played(name: str) -> None:
    """Each opens with a run that survives its JSON and has the steps that a replay by the explorer has."""
    run, session = play(name)
    assert Timeline.loads(run.dumps()) == run
    assert len(run.dumps()) < 50_000
    replayed = replay_on(program_of(name), list(run.choices))
    assert [step.cpu for step in replayed.steps] == list(run.choices)
    assert (run.report is None) == (replayed.report is None)
    texts = [event.operation or "" for event in run.events]
    assert all(not text or text == step.text for text, step in zip(texts, replayed.steps, strict=True))
    assert session.run(run.choices) == Timeline(run.header, run.base, run.events, run.report)


def test_going_back_is_running_again() -> None:
    """A branch, the way back and the same branch again give equal runs."""
    run, session = play(RACE)
    short = session.run(run.choices[:3])
    other = session.run([*run.choices[:3], 1])
    assert session.run(run.choices[:3], other).events == short.events
    assert session.run([*run.choices[:3], 1]).events == other.events


def test_every_search_has_an_answer() -> None:
    """Find, prove, the next and the previous execution, the shortest way, a pasted line."""
    run, session = play(RACE)
    proof = session.prove_safe().verdict
    assert proof is not None and proof["complete"] and proof["failing"]
    first = session.next_execution((), failing=True, way=1)
    assert first.timeline is not None and first.timeline.report is not None
    second = session.next_execution(first.timeline.choices, failing=True, way=1)
    assert second.timeline is not None and second.timeline.choices != first.timeline.choices
    safe = session.next_execution(run.choices, failing=False, way=-1)
    assert safe.timeline is not None and safe.timeline.report is None
    assert session.next_execution(first.timeline.choices, failing=True, way=-1).timeline is None
    assert session.shortest() == (len(run), 2)
    line = str(run.verdict["schedule"]) if run.verdict else ""
    assert tuple(session.parse(f"{RACE} {line}")) == run.choices
    with pytest.raises(PtwalkError):
        session.parse("0y3")


def test_a_step_that_cannot_be_is_a_sentence() -> None:
    """A CPU that has ended, is blocked or does not exist is refused in words, and the session lives on."""
    _, session = play(RACE)
    with pytest.raises(CannotStep, match="no CPU 7"):
        session.run([7])
    with pytest.raises(CannotStep, match=r"finished|violation"):
        session.run([0] * 500)
    assert len(session.run([0])) == 1


def test_what_a_cpu_holds_is_named_by_frame_and_entry() -> None:
    """After reading the pmd, CPU 0's locals say where they were read and where they lead, and stay when it is gone."""
    run, _ = play(RACE)
    unlinked = next(n for n, e in enumerate(run.events, 1) if ("frame.unlinked", {"frame": 4}) in e.say)
    state = run.at(unlinked)
    assert state.points_into(0, 4) and state.frame_state(4) == "unlinked"
    assert ("bad.stale", {"who": 0, "frame": 4}) in run.events[unlinked - 1].say
    froms = {str(fields.get("from")) for _, _, fields in state.locals(0) if fields.get("to") == 4}
    assert "3.2" in froms


def test_happens_before_names_earlier_steps_of_others() -> None:
    """Order arrows point back, to other CPUs, and there are some in a race."""
    run, _ = play(RACE)
    arrows = [(n, before) for n, event in enumerate(run.events, 1) for before in event.after]
    assert arrows
    assert all(before < n and run.events[before - 1].cpu != run.events[n - 1].cpu for n, before in arrows)


def test_a_program_without_a_machine_is_shown_by_its_cells() -> None:
    """Two CPUs that lose an update: the counter is a fact, each step a sentence."""
    from ptwalk.machine.shared import Shared

    shared = Shared()
    counter = shared.variable("counter")

    async def add() -> None:
        seen = await counter.read()
        await counter.write(seen + 1)

    program = shared.program(
        add, add, check=lambda now: None if now["counter"] == 2 else "an update was lost"
    )
    recorder = Recorder(subject_of(program)).play([0, 1, 0, 1])
    run = recorder.timeline()
    assert run.at(4)["x:counter"] == "1"
    assert run.report is not None and run.report["title"] == "An update was lost"


def test_a_deadlock_is_a_report() -> None:
    """Two CPUs that wait for each other end the run in words."""
    from ptwalk.machine.shared import Shared

    shared = Shared()
    a, b = shared.mutex("a"), shared.mutex("b")

    async def one() -> None:
        await a.lock()
        await b.lock()

    async def two() -> None:
        await b.lock()
        await a.lock()

    run = Recorder(subject_of(shared.program(one, two))).play([0, 1]).timeline()
    assert run.report is not None and run.report["kind"] == "deadlock"
    assert run.at(2)["c0.blocked"] == {"lock": "b"}
