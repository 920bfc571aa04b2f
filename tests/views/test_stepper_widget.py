"""The widget's Python side: answers to the browser's questions, errors as sentences, nothing kept in notebooks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ptwalk.errors import PtwalkError
from ptwalk.trace.playing import Answer
from ptwalk.trace.recording import TimelineWriter
from ptwalk.trace.timeline import Header, Timeline
from ptwalk.views.stepper import Stepper, StepperSession, stepper

RACE = Path(__file__).resolve().parent.parent / "browser" / "data" / "munmap_race.json"


class Counting:
    """A session of two CPUs with three steps each; the third step of CPU 1 blocks for ever."""

    def run(self, choices: Sequence[int], known: Timeline | None = None) -> Timeline:
        writer = TimelineWriter(Header("counting", ({"name": "CPU 0"}, {"name": "CPU 1"})))
        left = [3, 3]
        for cpu in (0, 1):
            writer.cpu(cpu, next="counts")
        writer.begin()
        for cpu in choices:
            left[cpu] -= 1
            if left[cpu] < 0:
                raise PtwalkError(f"CPU {cpu} is finished; it cannot take a step now")
            state = "finished" if not left[cpu] else "blocked" if cpu == 1 and left[cpu] == 1 else "ready"
            writer.cpu(cpu, next="counts" if left[cpu] else None, state=state)
            writer.step(cpu, "other", "count", [("op", {})])
        return writer.timeline()

    def parse(self, line: str) -> Sequence[int]:
        return [int(word) for word in line.split()]

    def find_failing(self) -> Answer:
        return Answer(self.run([0, 1]), {"outcome": "bug", "steps": 2, "switches": 1})

    def prove_safe(self) -> Answer:
        return Answer(None, {"outcome": "safe", "executions": 20}, "safe")

    def next_execution(self, choices: Sequence[int], *, failing: bool, way: int) -> Answer:
        return Answer()

    def shortest(self) -> tuple[int, int] | None:
        return 2, 1


@pytest.fixture
def widget() -> Stepper:
    """A stepper with that session behind it."""
    session = Counting()
    assert isinstance(session, StepperSession)
    return Stepper(session.run([]), session)


def test_a_step_travels_as_a_change(widget: Stepper) -> None:
    """Only the new step is sent."""
    widget.answer({"ask": "step", "choices": [], "cpu": 0})
    answer = widget.answer({"ask": "step", "choices": [0], "cpu": 1})
    assert answer["update"]["keep"] == 1 and len(answer["update"]["steps"]) == 1


def test_a_cpu_runs_until_it_blocks_or_ends(widget: Stepper) -> None:
    """CPU 0 ends after three steps, CPU 1 blocks after two."""
    assert len(widget.answer({"ask": "run", "choices": [], "cpu": 0})["update"]["steps"]) == 3
    assert widget.answer({"ask": "run", "choices": [], "cpu": 1})["update"]["keep"] == 0
    assert widget.run.choices == (1, 1)


@pytest.mark.parametrize(
    ("question", "key"),
    [
        ({"ask": "find"}, "update"),
        ({"ask": "prove"}, "verdict"),
        ({"ask": "next", "failing": False, "way": -1}, "none"),
        ({"ask": "shortest"}, "shortest"),
        ({"ask": "go", "line": "0 1 0"}, "update"),
        ({"ask": "step", "choices": [0, 0, 0], "cpu": 0}, "error"),
        ({"ask": "dance"}, "error"),
        ({"ask": "step"}, "error"),
    ],
)
def test_each_question_has_its_answer(widget: Stepper, question: dict[str, Any], key: str) -> None:
    """Every question of the browser is answered; what goes wrong is a sentence, never an exception."""
    assert key in widget.answer({"choices": [], **question})


def test_messages_go_back_with_their_number(widget: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer carries the number of its question; noise on the line is passed over."""
    sent: list[Any] = []
    monkeypatch.setattr(widget, "send", sent.append)
    widget._asked(widget, {"id": 4, "ask": "step", "choices": [], "cpu": 0}, [])
    widget._asked(widget, "noise", [])
    assert [message["id"] for message in sent] == [4]


def test_without_a_session() -> None:
    """A stepper without a session shows its run and says what it cannot do."""
    shown = stepper(RACE.read_text(encoding="utf-8"))
    assert "simulation" in shown.answer({"ask": "find"})["error"]
    assert repr(shown) == "<Stepper: munmap against DAMON v34, 17 steps>"
    bundle = shown._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "CPU 1  clears pmd[2]" in data["text/plain"]


def test_save_writes_one_page(widget: Stepper, tmp_path: Path) -> None:
    """`save` gives the path of a page that holds its own data."""
    path = widget.save(tmp_path / "race.html")
    assert "ptwalk-timeline" in path.read_text(encoding="utf-8")


def test_a_long_search_shows_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that is busy is not taken for a dead one; the answer comes last."""
    sent: list[dict[str, Any]] = []
    told = threading.Event()

    class Slow(Counting):
        def prove_safe(self) -> Answer:
            assert told.wait(30)
            return super().prove_safe()

    def send(self: Stepper, content: dict[str, Any], buffers: Any = None) -> None:
        sent.append(content)
        told.set()

    monkeypatch.setattr("ptwalk.views.stepper.SIGN_EVERY", 0.01)
    monkeypatch.setattr(Stepper, "send", send)
    session = Slow()
    Stepper(session.run([]), session)._asked(None, {"ask": "prove", "id": 3, "choices": []}, None)
    assert sent[0] == {"id": 3, "progress": True}
    assert sent[-1]["id"] == 3 and sent[-1]["verdict"]["outcome"] == "safe"
