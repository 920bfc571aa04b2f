"""What a use after free does: garbage read as a pointer, a bit flipped in somebody else's data.

Room: scenarios.  Here a freed table is handed out again at once and filled with data, reads of it pass, and only the
damage is reported.
"""

from __future__ import annotations

from ptwalk.sanitizers import Confusion, Corruption, Wild
from ptwalk.scenarios.changers import CHANGERS
from ptwalk.scenarios.ground import Ground
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.scenario import Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.scenarios.walks import ptdump_read_locked
from ptwalk.walk import damon

TEXT = 0x65
"""The byte in the new owner's data that a walker takes for the low byte of an entry: an "e".

As an entry it reads present, user, accessed, dirty.  Clearing the accessed bit (bit 5) makes it 0x45, an "E".
"""
GARBAGE = int.from_bytes(b"g\x20garb\x00\x00", "little")
"""Bytes of a text that read, as an upper entry, like a pointer to a table far outside of memory."""


def _bit_flip(stage: Stage) -> None:
    ground = CHANGERS["munmap"].lay_out(stage, ())
    stage.run(WALKER, damon.damon_va_mkold_v34, ground.mm, ground.addr)
    # Any page of this machine that is on the LRU: DAMON looks no further.
    page = stage.machine.new_frame("anon", "page")
    stage.machine.reuse = {_index(ground, "pte"): page.pa | TEXT}


def _garbage_pointer(stage: Stage) -> None:
    ground = CHANGERS["munmap-everything"].lay_out(stage, ())
    stage.run(WALKER, ptdump_read_locked, ground.mm, ground.addr)
    level = ground.mm.pmd_level.name
    stage.machine.reuse = {_index(ground, level): GARBAGE}


def _index(ground: Ground, level: str) -> int:
    return ground.mm.format.index(ground.addr, level)


DAMAGE = (
    Scenario(
        "munmap-vs-damon-v34-bit-flip",
        "the freed table holds another owner's text when DAMON v34 clears an accessed bit in it: an e becomes an E",
        _bit_flip,
        Sometimes("corruption", 2),
        oracles=(Corruption(),),
        release="5.15.0",
        source="DAMON v34; what a store into a reused page does",
    ),
    Scenario(
        "munmap-vs-ptdump-garbage",
        "a walk that ignores VMAs reads another owner's text out of a freed PMD table, and follows it as a pointer",
        _garbage_pointer,
        Sometimes("wild"),
        oracles=(Wild(page_zero=False), Confusion()),
        release="5.15.0",
        source="8782fb61cc84 (6.0-rc4)",
    ),
)
"""Scenarios that show the damage."""
