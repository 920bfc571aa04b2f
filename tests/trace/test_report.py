"""A report reads in the order what, where, why, what next; and survives JSON."""

from ptwalk.arch import format_named
from ptwalk.trace.observation import FrameSeen, LockSeen, Observation
from ptwalk.trace.report import Report, ReportStep, report_on

SEEN = Observation(
    cpu=0,
    kind="read",
    text="reads pte[5] of frame 4",
    format=format_named("x86-64-4level"),
    frame=FrameSeen(4, 0x104000, "freed", "pte", 2),
    level="pte",
    index=5,
    old=0,
    new=0,
    held=(LockSeen("mmap_lock", "mmap_lock", "read", True),),
)
STEPS = (
    ReportStep(1, 0, "walker", "read", "reads pmd[1] of frame 3", "walk", "walker.py", 3, 3, 4),
    ReportStep(2, 1, "munmap", "clear", "clears pmd[1] of frame 3", "munmap", "munmap.py", 9, 3, 4),
    ReportStep(3, 1, "munmap", "read", "reads pmd[2] of frame 3", "munmap", "munmap.py", 8, 3, 5),
    ReportStep(4, 1, "munmap", "free", "frees frame 4", "munmap", "munmap.py", 12, 4),
    ReportStep(5, 0, "walker", "read", "reads pte[5] of frame 4", "walk", "walker.py", 5, 4),
)


def made() -> Report:
    """A report with its story and its replay line."""
    report = report_on(
        SEEN, "lifetime", "page-table use-after-free", "CPU0 reads it", rule="the rule", cause="why"
    )
    return report.told_with(STEPS, ("walker", "munmap")).replayed_by("ptwalk replay race 0x1")


def test_the_order_of_the_lines() -> None:
    """Title with both CPUs, what happened, address, frame, locks, steps, rule, cause, the line to paste."""
    lines = str(made()).split("\n")
    assert lines[0] == "BUG: page-table use-after-free in walker / munmap"
    assert lines[2].startswith("at physical address 0x104028: pte[5] = 0x0")
    assert lines[3] == "frame 4: FREED, was a pte table (generation 2)"
    assert lines[4] == "CPU0 holds: mmap_lock (read)"
    assert [line.split()[0] for line in lines[-3:]] == ["rule:", "likely:", "replay:"]


def test_the_story_leaves_out_what_is_not_about_the_frame() -> None:
    """The walker's read of the upper entry, the cut, the free, and the bad step: no more."""
    assert [step.number for step in made().story] == [1, 2, 4, 5]


def test_json_both_ways() -> None:
    """Nothing is lost."""
    assert Report.from_json(made().to_json()) == made()
