"""The scenarios room: who races whom, from which state, with what expected outcome."""

from ptwalk.scenarios.catalogue import SCENARIOS
from ptwalk.scenarios.changers import CHANGERS, Changer
from ptwalk.scenarios.pair import pair
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.walkers import WALKERS, Walker

__all__ = ["CHANGERS", "SCENARIOS", "WALKERS", "Changer", "Never", "Scenario", "Sometimes", "Walker", "pair"]
