"""What the text of notebooks 08 to 10 claims, held against the model."""

from typing import Any

import pytest

import ptwalk
from ptwalk.checks.matrix.twelve import KERNELS, MINE, REMOVERS, word
from ptwalk.recordings import load
from ptwalk.walk import damon

SIX = ("munmap", "munmap-last", "collapse-anon", "mremap-table", "exit", "user-access")


@pytest.mark.parametrize(
    ("name", "release", "outcome"),
    [
        ("munmap-vs-pagemap-hole", "5.15.0", "bug"),
        ("munmap-vs-pagemap-hole", "5.15.85", "safe"),
        ("munmap-small-vs-pagemap-hole", "5.15.0", "safe"),
        ("munmap-vs-ptdump", "5.15.0", "bug"),
        ("munmap-vs-ptdump", "5.15.85", "safe"),
        ("retract-vs-kept-pmd", "5.15.0", "bug"),
        ("munmap-vs-mlw-walker", "6.6", "safe"),
        ("retract-vs-mlw-walker", "5.15.0", "safe"),
        ("retract-vs-mlw-walker", "6.6", "bug"),
        ("exit-vs-mm-count-only", "7.1", "bug"),
        ("munmap-stack-vs-ignoring-vmas", "6.1", "safe"),
        ("munmap-stack-vs-ignoring-vmas", "6.6", "bug"),
        ("fault-thp-vs-double-load", "7.1", "bug"),
        ("refault-pud-vs-numa-maps", "6.1", "bug"),
        ("refault-pud-vs-numa-maps", "7.1", "safe"),
    ],
)
def test_outcomes(name: str, release: str, outcome: str) -> None:
    """Each race that the text tells of ends as it says."""
    assert ptwalk.explore(name, release=release).outcome == outcome


@pytest.mark.parametrize(
    ("walker", "red"),
    [
        (damon.damon_va_mkold_v34, set(SIX) - {"exit"}),
        (damon.damon_va_mkold_write_locked, {"user-access"}),
        (damon.damon_va_mkold_write_locked_lookup, {"collapse-anon", "mremap-table", "user-access"}),
        (damon.damon_va_mkold, {"user-access"}),
        (damon.damon_va_mkold_atomic, set()),
    ],
    ids=["T1", "T2a", "T2b", "T3", "T4"],
)  # fmt: skip
def test_rows_of_the_tries(walker: Any, red: set[str]) -> None:
    """Notebook 09: which of the six cells are bugs, try by try, on 5.15.0."""
    tried = ptwalk.check_walker(walker, against=SIX, release="5.15.0")
    assert {name for name, verdict in tried.items() if verdict.outcome == "bug"} == red


def test_every_cell_has_a_word() -> None:
    """Notebook 10: no cell that a learner may be asked ends in anything but the four words."""
    words = {word((walker, remover, kernel)) for walker in MINE for remover in REMOVERS for kernel in KERNELS}
    assert words == {"safe", "use-after-free", "lost update", "impossible"}


def test_recorded_rows() -> None:
    """6.1.176 as recorded: exit reads, then writes; khugepaged revalidates twice; retract takes the other's lock."""
    leaves = [word for word in load("exit").words if word.startswith("mmap_lock")]
    assert leaves[-3:] == ["mmap_lock:read_unlock", "mmap_lock:write_lock", "mmap_lock:write_unlock"]
    assert load("collapse_madv").words.count("vma:revalidate") == 2
    words = load("collapse_tmpfs_second_khugepaged").words
    cut = words.index("B.pmd[0]:clear(xchg)")
    assert words.index("B.mmap_lock:write_lock") < cut < words.index("B.pte-table[0]:free(direct)")
    assert any(
        word.startswith("table_sync") for word in words[cut : words.index("B.pte-table[0]:free(direct)")]
    )
