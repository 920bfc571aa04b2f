"""The conformance room: does the simulated kernel do what the real one was seen doing?

Knows recordings on one side, actors and walkers on the other, and neither scenarios nor the explorer.
"""

from ptwalk.conformance.beside import NothingBeside, beside
from ptwalk.conformance.comparison import Comparison, Pair, compare
from ptwalk.conformance.differences import DIFFERENCES, MERGED, Difference

__all__ = ["DIFFERENCES", "MERGED", "Comparison", "Difference", "NothingBeside", "Pair", "beside", "compare"]
