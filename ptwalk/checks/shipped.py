"""The captured machines that the exercises are about, opened once.

Knows `capture` and the truth files beside each core: what Linux itself said about the same instant.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ptwalk.capture import Capture, open_capture

X86 = "x86_64-4level-6.1"
ARM64 = "aarch64-4k-48bit-6.1"


@cache
def machine(name: str = X86, process: int = 1) -> Capture:
    """The shipped capture called `name`, with the tables of one of its two processes."""
    return open_capture(name, process=process)


def truth(name: str = X86, process: int = 1) -> dict[str, Any]:
    """What pagemap, maps and the emulator said about one process of a shipped capture."""
    return machine(name, process).truth


def reader(name: str = X86) -> Callable[[int], int]:
    """A function `read(pa)`: the 64-bit word at a physical address; raises `MissingMemory` where nothing is kept."""
    return machine(name).memory.read_u64
