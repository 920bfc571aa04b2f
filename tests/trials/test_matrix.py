"""The matrix: the cells that the rules give, on any executor, as text and as JSON."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import ptwalk
from ptwalk.trials.matrix import MatrixError

# Rows of kernel-facts' table of verdicts: (walker, changer, release, architecture) -> what the cell says.
KNOWN = {
    ("ptl-only", "munmap", "5.15.0", "x86-64"): "bug",
    ("ptl-only", "munmap-neighbour", "5.15.0", "x86-64"): "safe",
    ("ptl-only", "munmap-last", "5.15.0", "x86-64"): "bug",
    ("ptl-only", "collapse-anon", "6.6", "x86-64"): "detached",
    ("ptl-only", "retract", "5.15.0", "x86-64"): "lifetime",
    ("ptl-only", "retract", "6.6", "x86-64"): "safe",
    ("read-peek", "munmap", "5.15.0", "x86-64"): "safe",
    ("read-peek", "munmap-neighbour", "5.15.0", "x86-64"): "safe",
    ("read-peek", "collapse-anon", "5.15.0", "x86-64"): "safe",
    ("read-peek", "retract", "5.15.0", "x86-64"): "safe",
    ("read-peek", "retract", "6.6", "x86-64"): "lifetime",
    ("read-peek", "reclaim", "6.14", "x86-64"): "lifetime",
    ("read", "retract", "6.6", "x86-64"): "safe",
    ("read", "reclaim", "7.1", "x86-64"): "safe",
    ("read-hole", "munmap", "5.15.0", "x86-64"): "lifetime",
    ("read-hole", "munmap-last", "5.15.0", "x86-64"): "lifetime",
    ("write-peek", "munmap", "5.15.0", "x86-64"): "safe",
    ("write-peek", "retract", "5.15.0", "x86-64"): "safe",
    ("write-peek", "retract", "6.6", "x86-64"): "lifetime",
    ("write-peek", "reclaim", "6.14", "x86-64"): "safe",
    ("write-peek", "reclaim", "7.1", "x86-64"): "lifetime",
    ("write-vma-peek", "retract", "7.1", "x86-64"): "lifetime",
    ("write-vma-peek", "reclaim", "7.1", "x86-64"): "safe",
    ("irqs-off", "munmap", "5.15.0", "x86-64"): "safe",
    ("irqs-off", "retract", "5.15.0", "x86-64"): "safe",
    ("irqs-off", "retract", "5.15.0", "arm64"): "lifetime",
    ("irqs-off", "retract", "5.15.85", "arm64"): "safe",
    ("irqs-off", "munmap", "5.15.0", "arm64"): "safe",
    ("irqs-off-foreign", "munmap", "5.15.0", "x86-64"): "lifetime",
    ("irqs-off-foreign", "munmap", "7.1", "x86-64"): "safe",
    ("gup-fast", "collapse-anon", "5.15.0", "arm64"): "stale result",
    ("gup-fast", "collapse-anon", "5.15.0", "x86-64"): "safe",
    ("gup-fast", "collapse-anon", "5.15.85", "arm64"): "safe",
    ("rmap", "collapse-pte-mapped", "5.15.0", "x86-64"): "bug",
    ("rmap", "collapse-pte-mapped", "5.15.85", "x86-64"): "safe",
    ("mremap", "retract", "6.6", "x86-64"): "lifetime",
    ("mremap", "retract", "6.14", "x86-64"): "safe",
    ("pagemap", "munmap-everything", "5.15.0", "x86-64"): "lifetime",
    ("pagemap", "munmap-everything", "6.1", "x86-64"): "safe",
    ("ptdump", "munmap", "5.15.0", "x86-64"): "bug",
    ("ptdump", "munmap", "6.1", "x86-64"): "safe",
    ("damon", "user-access", "6.1", "x86-64"): "dirty",
    ("damon", "user-access", "6.6", "x86-64"): "safe",
    ("damon", "reclaim", "6.1", "x86-64"): "none",
}
# Kernel paths that take part as walkers: against each other they are right on every release.
KERNEL = ("read", "vma-lock", "program", "fault", "dontneed", "khugepaged")


@pytest.mark.parametrize(("cell", "word"), KNOWN.items(), ids=[" × ".join(cell) for cell in KNOWN])
def test_cells_that_the_rules_give(cell, word):
    """Each cell says what can be derived from who holds which lock, and who waits for whom."""
    walker, changer, release, arch = cell
    found = ptwalk.matrix(walker, changer, release, arch=arch)[0]
    assert word in (found.word, found.outcome)


@pytest.mark.parametrize("release", ["5.15.0", "6.1", "6.6", "6.14", "7.1"])
@pytest.mark.parametrize("walker", KERNEL)
def test_the_kernel_is_right_against_itself(walker, release):
    """Kernel paths that follow the rules are safe against everybody who changes tables."""
    cells = ptwalk.matrix(walker, None, release)
    assert [cell.changer for cell in cells if cell.outcome not in ("safe", "none")] == []


def test_it_prints_and_writes_json():
    """One table for each release, walkers across and changers down."""
    found = ptwalk.matrix(["ptl-only", "read"], ["munmap", "munmap-neighbour", "reclaim"], ["5.15.0", "6.1"])
    text = str(found)
    assert text.count("x86-64") == 2 and "reclaim" in text
    assert found.cell("read", "munmap", "6.1").outcome == "safe"
    assert found.cell("read", "reclaim", "6.1").word == "-"
    value = found.to_json()
    assert len(value) == 12 and value[0]["verdict"]["outcome"] == value[0]["outcome"]


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_gives_the_same(pool):
    """Threads and processes; the order of cells is that of the names."""
    names = (["ptl-only", "damon"], ["munmap", "collapse-anon"], "6.1")
    here = ptwalk.matrix(*names)
    done = []
    with pool(2) as executor:
        there = ptwalk.matrix(*names, executor=executor, progress=lambda n, total: done.append((n, total)))
    assert [(c.walker, c.changer, c.word) for c in there] == [(c.walker, c.changer, c.word) for c in here]
    assert done[-1] == (4, 4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a cluster's own warnings are not ours
def test_a_cluster_gives_the_same():
    """A local Dask cluster, through its own executor and with no code of ours for it."""
    distributed = pytest.importorskip("distributed")
    names = (["ptl-only", "damon"], ["munmap", "collapse-anon"], "6.1")
    with distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        there = ptwalk.matrix(*names, executor=client.get_executor())
    assert [c.word for c in there] == [c.word for c in ptwalk.matrix(*names)]


def test_unknown_names_are_told():
    """With the names that there are."""
    for chosen in (("ghost", None, None), (None, "ghost", None), (None, None, "0.1")):
        with pytest.raises(MatrixError, match="there are"):
            ptwalk.matrix(*chosen)
    with pytest.raises(MatrixError, match="arm64"):
        ptwalk.matrix("read", "munmap", "6.1", arch="vax")


def test_an_interrupted_matrix_keeps_what_was_tried() -> None:
    """And the cells that were not say so."""
    seen: list[int] = []

    def shown(done: int, total: int) -> None:
        seen.append(done)
        if done == 2:
            raise KeyboardInterrupt

    for pool in (None, ThreadPoolExecutor(2)):
        found = ptwalk.matrix(["read", "ptl-only"], ["munmap", "exit"], "6.1", executor=pool, progress=shown)
        limits = [cell.verdict.limit for cell in found if cell.verdict is not None]
        assert sorted(limits) == ["", "", *["interrupted before it was tried"] * 2]
