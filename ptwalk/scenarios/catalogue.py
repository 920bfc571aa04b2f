"""All scenarios by name.

Room: scenarios.
"""

from __future__ import annotations

from ptwalk.scenarios.changes import CHANGES
from ptwalk.scenarios.collapse import COLLAPSE
from ptwalk.scenarios.damage import DAMAGE
from ptwalk.scenarios.follow import FOLLOW
from ptwalk.scenarios.hardware import HARDWARE
from ptwalk.scenarios.lockless import LOCKLESS
from ptwalk.scenarios.monitor import MONITOR
from ptwalk.scenarios.scenario import Scenario
from ptwalk.scenarios.upper import UPPER
from ptwalk.scenarios.walks import WALKS

GROUPS: dict[str, tuple[Scenario, ...]] = {
    "DAMON, as posted, repaired, merged": MONITOR,
    "Walks under the mmap lock": WALKS,
    "Walks without locks": LOCKLESS,
    "Collapse, and the reverse map": COLLAPSE,
    "The hardware": HARDWARE,
    "Two who change": CHANGES,
    "Above the lowest tables": UPPER,
    "follow_pte and page lookups": FOLLOW,
    "The damage": DAMAGE,
}
"""The scenarios by what they are about."""

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for group in GROUPS.values() for scenario in group}
"""Every scenario that ships, by name."""
