"""The captured machines that the exercises are about, opened once.

Knows `capture` and the truth files beside each core: what Linux itself said about the same instant.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ptwalk import capture

X86 = "x86_64-4level-6.1"
ARM64 = "aarch64-4k-48bit-6.1"


def folder(name: str) -> Path:
    """Where the capture called `name` lies with its truth files."""
    return Path(str(resources.files("ptwalk.capture").joinpath("data", name)))


@cache
def machine(name: str = X86, process: int = 1) -> capture.Capture:
    """The shipped capture called `name`, with the tables of one of its two processes."""
    return capture.open_capture(folder(name), process=process)


@cache
def truth(name: str = X86, process: int = 1) -> dict[str, Any]:
    """What pagemap, maps and the emulator said about one process of a shipped capture."""
    file = "truth.json" if process == 1 else f"truth-{process}.json"
    facts: dict[str, Any] = json.loads((folder(name) / file).read_text("utf-8"))
    return facts


@cache
def reader(name: str = X86) -> Callable[[int], int]:
    """A function `read(pa)`: the 64-bit word at a physical address; raises `MissingMemory` where nothing is kept."""
    memory = machine(name).memory

    def read(pa: int) -> int:
        return memory.read_u64(pa)

    return read
