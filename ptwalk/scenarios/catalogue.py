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
from ptwalk.scenarios.walks import WALKS

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (*MONITOR, *WALKS, *LOCKLESS, *COLLAPSE, *HARDWARE, *CHANGES, *FOLLOW, *DAMAGE)
}
"""Every scenario that ships, by name."""
