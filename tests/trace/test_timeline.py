"""A timeline survives its JSON both ways, stays small, and says in words why it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ptwalk.trace.alignment import align, unrolled
from ptwalk.trace.event import Event
from ptwalk.trace.recording import TimelineWriter
from ptwalk.trace.snapshot import Frame, Held, Local, Slot
from ptwalk.trace.timeline import BrokenTimeline, Header, Timeline, common_steps, update

RACE = Path(__file__).parent.parent / "browser" / "data" / "munmap_race.json"


@pytest.fixture(scope="module")
def race() -> Timeline:
    """The race of the design."""
    return Timeline.loads(RACE.read_text(encoding="utf-8"))


def test_json_both_ways(race: Timeline) -> None:
    """Reading what was written gives an equal value."""
    assert Timeline.loads(race.dumps()) == race
    assert Timeline.loads(race.dumps()).dumps() == race.dumps()


def test_states_follow_the_changes(race: Timeline) -> None:
    """The life of frame 7, step by step, is the one the changes tell."""
    lives = [race.at(step).frame_state(7) for step in range(len(race) + 1)]
    assert lives[9:] == ["live", *["unlinked"] * 4, *["freed"] * 2, *["data"] * 2]
    assert race.at(7).holders("ptl7") == [(1, "held")]
    assert race.at(10).points_into(0, 7) and not race.at(2).points_into(0, 7)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "schema version 2"),
        ({"schema": "else"}, "not a ptwalk timeline"),
        ({"steps": [{"cpu": 7, "kind": "x", "label": "x", "say": []}]}, "CPU 7"),
        ({"base": None}, "damaged"),
        ({"cpus": 3}, "damaged"),
    ],
)
def test_broken_timelines_get_a_sentence(race: Timeline, change: dict[str, Any], says: str) -> None:
    """Damage of any kind is one error with one sentence, never a traceback of a library."""
    with pytest.raises(BrokenTimeline, match=says):
        Timeline.from_json(race.to_json() | change)


def test_text_that_is_no_json() -> None:
    """Broken JSON is told as such."""
    with pytest.raises(BrokenTimeline, match="not JSON"):
        Timeline.loads("{")


def test_update_is_what_is_missing(race: Timeline) -> None:
    """A reader who has another branch keeps the common steps and gets the rest."""
    short = Timeline(race.header, race.base, race.events[:5])
    assert common_steps(short, race) == 5
    change = update(short, race)
    assert change["keep"] == 5 and len(change["steps"]) == len(race) - 5  # type: ignore[arg-type]
    assert change["report"] == race.report and "sources" not in change


def _long(steps: int) -> Timeline:
    """A run as a recorder writes one: calls and returns, locals, entries, locks."""
    header = Header("long", ({"name": "CPU 0"}, {"name": "CPU 1"}))
    writer = TimelineWriter(header)
    for frame in range(6):
        writer.put(Frame(frame, level="pte"))
        writer.put(*(Slot(frame, index, frame + 1, "P RW US A", 0x1067) for index in range(4)))
    sources = [
        writer.source(f"function_{i}", "file.py", 10 * i, "async def f(mm, addr):\n" + "    await x()\n" * 20)
        for i in range(12)
    ]
    writer.begin()
    for number in range(steps):
        cpu, frame = number // 7 % 2, number % 6
        depth = number % 3
        places = [(sources[(number // 9 + d) % 12], 10 + number % 20) for d in range(depth + 2)]
        values = [
            Local("pte", depth=depth, at=f"{frame}.1"),
            Local("entry", depth=depth, source=f"{frame}.2", to=frame),
        ]
        writer.cpu(cpu, stack=places, values=values, next=f"reads pte[{number % 4}] of frame {frame}")
        writer.put(Slot(frame, number % 4, (frame + number) % 6, "P RW US A", 0x1067 + number))
        if number % 5 == 0:
            writer.put(Held("ptl", ((cpu, "held"),) if number % 10 else ()))
        writer.step(cpu, "read", "pte", [("read.table", {"entry": f"{frame}.1", "to": frame})])
    return writer.timeline()


def test_two_hundred_steps_travel_light() -> None:
    """A run of 200 steps, sources included, is under 50 KB of JSON."""
    assert len(_long(200).dumps().encode()) < 50_000


def test_locals_that_are_gone_are_gone() -> None:
    """When a call returns, its locals leave the state, whichever way that was written down."""
    timeline = _long(60)
    for step in range(1, 61):
        depths = {depth for depth, _, _ in timeline.at(step).locals(timeline.events[step - 1].cpu)}
        assert depths == {(step - 1) % 3}


def test_schema_file_agrees(race: Timeline) -> None:
    """The JSON schema that ships accepts the race and refuses each kind of damage."""
    jsonschema = pytest.importorskip("jsonschema")
    import ptwalk.trace

    schema = json.loads((Path(ptwalk.trace.__path__[0]) / "timeline.schema.json").read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema)
    checker.validate(race.to_json())
    checker.validate(_long(30).to_json())
    for damage in (
        {"version": 9},
        {"base": {"f1": {"state": "gone"}}},
        {"steps": [{"cpu": 0}]},
        {"base": {"zz": 1}},
    ):
        assert not checker.is_valid(race.to_json() | damage)


def test_event_both_ways() -> None:
    """An event with every field survives its JSON."""
    event = Event(
        1,
        "flush",
        "flush",
        (("flush", {}), ("ipi.answered", {"who": 0})),
        {"c1.tlb": None},
        "x",
        (0,),
        (3,),
        "w",
    )
    assert Event.from_json(event.to_json()) == event


def test_alignment_keeps_order() -> None:
    """Equal words are matched in order, as many as possible; what differs stays alone."""
    assert align(["a", "b", "", "c", "d"], ["x", "a", "c", "b", "c", "d"]) == [(0, 1), (1, 3), (3, 4), (4, 5)]
    assert unrolled(["a", "loop*3{b, c}"]) == ["a", "b", "c"]
