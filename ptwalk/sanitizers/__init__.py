"""The sanitizers room: oracles that judge steps.

A sanitizer sees `trace.observation` values and nothing else: never the machine, the kernel or the explorer.  It is
an object with

    name                    one word for reports and lists
    observe(seen)           an `Observation`: a `Report` if this step breaks the sanitizer's rule, else None
    at_end(end)             an `EndOfRun`: a `Report` or None (leave the method out if there is nothing to say)

`machine.observe` turns sanitizers into a program's observers.  What a sanitizer may look at is what the step's
footprint names; so its judgement depends on nothing that an independent step of another CPU could change.  A
sanitizer keeps no state between steps: what must be remembered lives in cells that the operations declare.
"""

from ptwalk.sanitizers.confusion import Confusion
from ptwalk.sanitizers.corruption import Corruption
from ptwalk.sanitizers.detached import Detached
from ptwalk.sanitizers.dirty import LostDirty
from ptwalk.sanitizers.discipline import Discipline
from ptwalk.sanitizers.freed_mapped import FreedMapped
from ptwalk.sanitizers.leak import Leak
from ptwalk.sanitizers.lifetime import Lifetime
from ptwalk.sanitizers.lock_rules import LockRules
from ptwalk.sanitizers.reachable import Reachable
from ptwalk.sanitizers.stale_result import StaleResult
from ptwalk.sanitizers.stale_tlb import StaleTlb
from ptwalk.sanitizers.stray import Stray
from ptwalk.sanitizers.unlocked import Unlocked
from ptwalk.sanitizers.wild import Wild

ALL = (
    Lifetime(),
    Wild(),
    Confusion(),
    Detached(),
    Unlocked(),
    LostDirty(),
    StaleTlb(),
    StaleResult(),
    LockRules(),
    Reachable(),
    FreedMapped(),
    Stray(),
    Leak(),
)
"""The oracles of a scenario that names none: every rule that needs a race, or the end of a run, to be broken."""

__all__ = [
    "ALL",
    "Confusion",
    "Corruption",
    "Detached",
    "Discipline",
    "FreedMapped",
    "Leak",
    "Lifetime",
    "LockRules",
    "LostDirty",
    "Reachable",
    "StaleResult",
    "StaleTlb",
    "Stray",
    "Unlocked",
    "Wild",
]
