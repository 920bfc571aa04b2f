"""A table is cut off by free_pgtables only when no VMA of its span can be found any more."""

import pytest

from ptwalk.kernel import memory
from ptwalk.scenarios import SCENARIOS
from ptwalk.trials.explore import explore


def test_a_stack_that_grew_into_the_range_is_found() -> None:
    """munmap has downgraded, the stack grows under mmap_lock for reading, and the table below it is cut off."""
    verdict = explore(SCENARIOS["munmap-vs-stack-growth-downgraded"])
    assert verdict.report.sanitizer == "reachable"
    assert "VMA 0x4000402000-0x4000601000" in verdict.report.happened


def test_a_vma_left_on_its_reverse_map_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """free_pgtables that forgets the reverse maps breaks the rule in every run, whoever else is there."""

    async def no_step(*arguments: object, **words: object) -> None:
        return None

    monkeypatch.setattr(memory, "RmapChange", no_step)
    report = explore(SCENARIOS["munmap-vs-read-walk"]).report
    assert report.sanitizer == "reachable"
    assert "on the tree of" in report.happened


def test_a_dying_mm_keeps_its_set() -> None:
    """exit_mmap detaches no VMA before it frees the tables: nobody is left who could look there."""
    verdict = explore(SCENARIOS["exit-vs-mm-count-only"])
    assert verdict.report.sanitizer != "reachable"
