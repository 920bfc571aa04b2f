"""The simulated run with the recording beside it, as a timeline for the stepper."""

from dataclasses import replace

import pytest

from ptwalk.conformance import NothingBeside, beside, compare
from ptwalk.recordings import load
from ptwalk.trace.timeline import Timeline


@pytest.mark.parametrize(
    "name", ["munmap_tables", "smp_collapse_madv", "collapse_tmpfs_second_khugepaged", "exit"]
)
def test_pairs_are_those_of_the_comparison(name: str) -> None:
    """Every pair of the comparison is in the timeline, every recorded step without one has a reason."""
    timeline = beside(name)
    laid = timeline.compare
    assert laid is not None
    pairs = {tuple(pair) for pair in laid["pairs"]}  # type: ignore[union-attr,arg-type]
    for pair in compare(name).pairs:
        if pair.recorded is not None and pair.simulated is not None:
            assert (pair.simulated.step + 1, pair.recorded.step) in pairs
            assert pair.word.partition(":ref")[0] in timeline.events[pair.simulated.step].word
    partners = {item for _, item in pairs}
    steps = laid["steps"]
    assert isinstance(steps, list) and len(steps) == len(load(name).steps)
    assert all("reason" in step for i, step in enumerate(steps) if i not in partners)  # type: ignore[operator]


def test_it_is_a_timeline_like_any_other() -> None:
    """It goes through JSON and back."""
    timeline = beside("munmap_alone")
    assert Timeline.loads(timeline.dumps()).compare == timeline.compare
    assert timeline.report is None


def test_nothing_beside_what_is_not_modelled() -> None:
    """An operation that nobody has heard of has no simulated run; the sentence says why."""
    with pytest.raises(NothingBeside, match="never heard"):
        beside(replace(load("mprotect"), operation="userfaultfd_move"))
