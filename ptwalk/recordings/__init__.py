"""The recordings room: what a real Linux did, step by step, as it ships with ptwalk.

Beside `capture`: facts from outside, read-only. Knows `trace`, `arch` and `errors`; nothing of the simulated
machine. `data/README.md` says where the recordings come from and what they cannot show.
"""

from ptwalk.recordings.opening import BrokenRecording, open_recording, read_recording
from ptwalk.recordings.recording import Recording, Step, load, names
from ptwalk.recordings.timeline import timeline

__all__ = [
    "BrokenRecording", "Recording", "Step", "load", "names", "open_recording", "read_recording", "timeline",
]  # fmt: skip
