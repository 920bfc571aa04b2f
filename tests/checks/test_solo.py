"""A walker run alone: what it did to the entry, when it took which lock, and a schedule line that does not fit."""

from typing import Any

import pytest

from ptwalk.checks import race
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.solo import Habits, alone, sound
from ptwalk.trials import replay
from ptwalk.walk.damon import damon_va_mkold, damon_va_mkold_v34


async def forgets_to_unlock(mm: Any, addr: int) -> None:
    """Takes a lock and keeps it."""
    await mm.mmap_lock.read().__aenter__()


def test_a_run_alone_shows_the_entry_it_left() -> None:
    """Only the accessed bit goes, and the reference that was taken is given back."""
    solo = alone(damon_va_mkold)
    assert solo.complete and solo.ground.page is not None
    entry = solo.word(solo.ground.addr)
    assert entry.linux_present and not entry.accessed
    assert solo.references(solo.ground.page) == 1


def test_habits_tell_who_locks_before_it_looks() -> None:
    """The merged walker: lock, VMA, pmd, page-table lock. The one of the review takes no mmap lock at all."""
    merged, posted = Habits(alone(damon_va_mkold).steps), Habits(alone(damon_va_mkold_v34).steps)
    assert merged.mmap_lock and merged.find_vma and merged.read and merged.ptl and merged.mmap_unlock
    assert merged.mmap_lock < merged.find_vma < merged.read < merged.ptl < merged.mmap_unlock
    assert merged.mmap_mode == "read"
    assert posted.mmap_lock is None and posted.find_vma is None and posted.ptl is not None


def test_what_is_no_walker_is_told_in_words() -> None:
    """A plain function, nothing at all, and a lock that is kept."""
    for answer, words in (
        (None, "Nothing was handed in"),
        (print, "not async"),
        (forgets_to_unlock, "holds"),
    ):
        with pytest.raises(NotYet, match=words):
            sound(answer)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0x5:read 1x28:free 0x1:lock", ""),
        ("0x5 1x999", "In turn 2, CPU 1 took"),
        ("0x14 0x1 1x2", "In turn 2, CPU 0 took 0 of 1 steps"),
    ],
)
def test_a_turn_that_can_not_take_its_steps_is_named(line: str, words: str) -> None:
    """A replay follows a line as far as it goes; the first turn that fell short is said."""
    done = replay("munmap-vs-damon-v34", line)
    said = race.cut_short(race.schedule_line(line), done)
    assert said.startswith(words) and bool(said) == bool(words)
