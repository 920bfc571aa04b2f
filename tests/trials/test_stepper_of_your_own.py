"""`ptwalk.stepper` takes a walker of your own, a scenario, and a run that can only be watched."""

import pytest

import ptwalk
from ptwalk.kernel import is_table, mm_find_pmd, pte_offset_map_lock, pte_unmap_unlock
from ptwalk.recordings import timeline

pytest.importorskip("anywidget")


async def unlocked(mm, addr):
    """Only the page-table lock."""
    pmd = await mm_find_pmd(mm, addr)
    if pmd is None or not is_table(await pmd.read()):
        return
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is not None:
        await pte_unmap_unlock(mm, ptl)


def test_your_own_walker_is_played():
    """It opens on the shortest failing run, with your function among the sources, and takes other turns."""
    shown = ptwalk.stepper(unlocked, against="munmap", step=-1)
    assert shown.run.report is not None and shown.step == len(shown.run)
    assert "unlocked" in {source["name"] for source in shown.run.header.sources}
    assert "update" in shown.answer({"ask": "step", "choices": [0], "cpu": 1})


def test_a_recording_is_watched_only():
    """No session: a turn gets a sentence."""
    shown = ptwalk.stepper(timeline("munmap_tables"))
    assert (
        not shown.live and "no simulation" in shown.answer({"ask": "step", "choices": [], "cpu": 0})["error"]
    )
