"""The recordings that ship: complete, honest about what they are, and the same picture as a simulated run."""

from __future__ import annotations

import pytest

from ptwalk import recordings
from ptwalk.recordings.recording import NoSuchRecording
from ptwalk.trace.alignment import beside, unrolled
from ptwalk.trace.timeline import Timeline


def test_all_operations_ship() -> None:
    """31 operations of one kernel release, each with steps and the functions behind them."""
    names = recordings.names()
    assert len(names) == 31
    for name in names:
        recording = recordings.load(name)
        assert recording.kernel == "6.1.176" and recording.steps
        assert all(step.chain for step in recording.steps)


@pytest.mark.parametrize("name", recordings.names())
def test_each_opens_as_a_timeline(name: str) -> None:
    """A step for each recorded one, with its word; the run survives its JSON."""
    run = recordings.timeline(name)
    assert run.words == recordings.load(name).words
    assert Timeline.loads(run.dumps()) == run


def test_munmap_frees_its_tables_as_linux_did() -> None:
    """Both PTE tables go from live to unlinked to freed, and the mmap lock from write to read."""
    run = recordings.timeline("munmap_tables")
    lives = {
        frame: [state for n in range(len(run) + 1) if (state := run.at(n).frame_state(frame))]
        for frame in (4, 5)
    }
    for states in lives.values():
        order = [state for i, state in enumerate(states) if not i or state != states[i - 1]]
        assert order == ["live", "unlinked", "freed"]
    assert {
        run.at(n).holders("mmap_lock")[0][1] for n in range(2, len(run) - 1) if run.at(n).holders("mmap_lock")
    } == {
        "write",
        "read",
    }


def test_entries_at_the_end_are_those_of_memory() -> None:
    """What the steps make of the watched entries is what the recorder found in memory at the end."""
    run = recordings.timeline("mremap_pmd")
    assert run.at(len(run)).fields("e3.2").get("word") == "none"
    assert run.at(len(run)).fields("e3.32").get("to") == run.at(0).fields("e3.2").get("to")


def test_two_runs_lie_side_by_side() -> None:
    """A recording beside itself matches step for step; loops can be written out."""
    run = recordings.timeline("gup_fast")
    both = beside(run, run, name="Linux 6.1.176")
    assert both.compare is not None
    assert both.compare["pairs"] == [[n + 1, n] for n in range(len(run))]
    assert unrolled(recordings.load("mremap_pmd").words)[4:6] == ["pgd[0]:read", "pud[0]:read"]


def test_an_unknown_name_gets_the_list() -> None:
    """Asking for what is not there names what is."""
    with pytest.raises(NoSuchRecording, match="munmap_tables"):
        recordings.load("nonsense")
