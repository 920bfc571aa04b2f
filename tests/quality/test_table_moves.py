"""mremap hangs a whole pte table below another address, while reclaim comes by the reverse map, and a program runs.

This is what CVE-2022-41222 was about: the reverse map's locks, held for writing, keep reclaim away until the old
address is flushed (97113eb39fa7, 5.14).
"""

import pytest

import ptwalk
from ptwalk.actors import mremap as actor
from ptwalk.actors.mremap import mremap
from ptwalk.actors.user import touch_twice
from ptwalk.kernel.kernel import allocates
from ptwalk.scenarios.ground import anonymous, elsewhere, span
from ptwalk.scenarios.scenario import Never, Scenario
from ptwalk.walk.rmap import try_to_unmap


def _lay_out(stage):
    ground = anonymous(stage, ("program", "changer"), whole=True)
    mm, to = ground.mm, elsewhere(ground.mm, ground.addr)
    mm.watch(to)
    stage.run("changer", allocates(mremap), mm, ground.addr, span(mm), to)
    stage.run("reclaim", try_to_unmap, ground.vma.anon_vma, ground.page, 0)
    stage.run("program", touch_twice, mm, ground.addr)


SCENARIO = Scenario(
    "mremap-table-vs-reclaim",
    "mremap moves a table while reclaim looks for its page from the other side",
    _lay_out,
    Never(),
    cpus=("changer", "reclaim", "program"),
    user=("program",),
)


@pytest.mark.parametrize("release", ["5.15.0", "6.6", "7.1"])
def test_moving_a_table_under_the_reverse_maps_locks_is_safe(release):
    """To the end of the search."""
    assert ptwalk.explore(SCENARIO, "states", release=release).outcome == "safe"


@pytest.mark.parametrize("release", ["5.15.0", "6.6", "7.1"])
def test_moving_a_table_without_those_locks_is_not(monkeypatch, release):
    """Reclaim walks a table in mid-move."""

    async def forgotten(sem):
        pass

    monkeypatch.setattr(actor, "down_write", forgotten)
    monkeypatch.setattr(actor, "up_write", forgotten)
    assert ptwalk.explore(SCENARIO, "states", release=release).outcome == "bug"
