"""The recordings room: what a real Linux did, step by step, as it ships with ptwalk.

Beside `capture`: facts from outside, read-only. Knows `trace`, `arch` and `errors`; nothing of the simulated
machine. `data/README.md` says where the recordings come from and what they cannot show.
"""

from ptwalk.recordings.recording import Recording, Step, load, names
from ptwalk.recordings.timeline import timeline

__all__ = ["Recording", "Step", "load", "names", "timeline"]
