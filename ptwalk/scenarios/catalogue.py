"""All scenarios by name.

Room: scenarios.
"""

from __future__ import annotations

from ptwalk.scenarios.monitor import MONITOR
from ptwalk.scenarios.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in (*MONITOR,)}
"""Every scenario that ships, by name."""
