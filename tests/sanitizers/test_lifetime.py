"""Use of a table, or of the lock in it, after the table was freed or handed out again."""

from ptwalk.kernel import mm_find_pmd, offset_lockless, pte_lockptr, spin_lock, spin_unlock
from ptwalk.machine.frames import FreeFrame, ReuseFrame
from ptwalk.sanitizers import Lifetime
from ptwalk.scenarios.ground import Ground


async def read_pte(ground: Ground) -> None:
    """Follows one loaded pmd value down to the pte."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    entry = await pmd.read()
    if entry.address:
        await offset_lockless(pmd, entry, ground.addr).read()


async def lock_pte_table(ground: Ground) -> None:
    """Takes and drops the lock in the table that one loaded pmd value names."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    entry = await pmd.read()
    if entry.address:
        lock = pte_lockptr(ground.mm, pmd, entry)
        await spin_lock(lock)
        await spin_unlock(lock)


async def cut_and_free(ground: Ground) -> None:
    """Cuts the pte table off and frees it at once."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    old = await pmd.get_and_clear()
    await FreeFrame(ground.mm.machine.table_frame(old))


async def cut_free_and_reuse(ground: Ground) -> None:
    """The same, and the frame is handed out again."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    old = await pmd.get_and_clear()
    table = ground.mm.machine.table_frame(old)
    await FreeFrame(table)
    await ReuseFrame(table, {0: 0x65})


async def cut_only(ground: Ground) -> None:
    """Cuts the table off and keeps it."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    await pmd.get_and_clear()


def test_a_read_of_a_freed_table_is_reported(judged):
    """The report names the read, the frame's state, both CPUs and the rule, and ends with a line to paste."""
    verdict = judged(Lifetime(), read_pte, cut_and_free)
    assert verdict.outcome == "bug" and verdict.switches == 2
    report = verdict.report
    assert report.title == "page-table use-after-free"
    assert report.frames[0].state == "freed"
    assert {step.cpu for step in report.story} == {0, 1}
    text = str(report)
    for part in ("CPU0", "CPU1", "line", "rule: ", "today: ", "likely: ", "replay: ptwalk replay"):
        assert part in text


def test_a_lock_in_a_freed_table_is_reported(judged):
    """Taking the lock is a use already; so is freeing a table whose lock is held."""
    verdict = judged(Lifetime(), lock_pte_table, cut_and_free)
    assert verdict.report.title in (
        "use-after-free of a page-table lock",
        "page table freed while its lock is held",
    )


async def cut_and_free_twice(ground: Ground) -> None:
    """Frees what it freed already."""
    pmd = await mm_find_pmd(ground.mm, ground.addr)
    table = ground.mm.machine.table_frame(await pmd.get_and_clear())
    await FreeFrame(table)
    await FreeFrame(table)


def test_a_frame_freed_twice_is_reported(judged):
    """The second free needs no other CPU to be wrong."""
    verdict = judged(Lifetime(), cut_and_free_twice)
    assert verdict.outcome == "bug" and verdict.report.title == "a frame is freed twice"


def test_reuse_has_its_own_words(judged):
    """A table that belongs to somebody else by now is told from one that is merely free."""
    titles = set()
    for code in (cut_and_free, cut_free_and_reuse):
        titles.add(judged(Lifetime(), read_pte, code).report.title)
    assert titles == {"page-table use-after-free"}  # the shortest schedule stops before the reuse
    verdict = judged(_AfterReuse(), read_pte, cut_free_and_reuse)
    assert verdict.report.title == "page-table use-after-reuse"


class _AfterReuse(Lifetime):
    def observe(self, seen):
        """Judge only what happens after the reuse."""
        return super().observe(seen) if seen.frame is not None and seen.frame.state == "reused" else None


def test_a_table_that_lives_may_be_used(judged):
    """Reading and locking a table that is merely cut off is no use after free."""
    assert judged(Lifetime(), read_pte, cut_only).outcome == "safe"
    assert judged(Lifetime(), lock_pte_table, lock_pte_table).outcome == "safe"
