"""The trials room: a scenario meets the explorer, and a verdict comes out.

Knows scenarios, walkers, actors and the explorer; draws nothing.  What a trial gives is a frozen value of `trace`.
"""

from ptwalk.trials.explore import explore, replay
from ptwalk.trials.listing import scenarios
from ptwalk.trials.matrix import matrix
from ptwalk.trials.own_walker import check_walker, own_scenario

__all__ = ["check_walker", "explore", "matrix", "own_scenario", "replay", "scenarios"]
