"""The addresses that all peers translate, and how a call is timed.

Addresses are drawn with a fixed seed from the pages that pagemap calls present: half in 4 KiB pages, 40% in 2 MiB
pages, 10% in the 1 GiB page, a random byte in each, in random order. Knows nothing of who translates them.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SHARES = ((4096, 0.5), (1 << 21, 0.4), (1 << 30, 0.1))


def drawn(truth: dict[str, Any], count: int, seed: int = 1) -> tuple[list[int], list[int]]:
    """`count` virtual addresses and the physical ones that pagemap tells for them."""
    page = truth["page_size"]
    closed = [(int(v["start"], 16), int(v["end"], 16)) for v in truth["vmas"] if v["prot"].startswith("---")]
    runs: dict[int, list[tuple[int, int, int, int]]] = {}
    for run in truth["pages"]:
        va = int(run["va"], 16)
        if run["present"] and run["page_size"] and not any(start <= va < end for start, end in closed):
            runs.setdefault(run["page_size"], []).append((va, run["n"], int(run["pfn"], 16), run["pfn_step"]))
    rng = random.Random(seed)
    pairs = []
    for size, share in SHARES:
        of_size = runs[size]
        weights = [run[1] for run in of_size]
        for va, n, pfn, step in rng.choices(of_size, weights, k=round(count * share)):
            number, offset = rng.randrange(n), rng.randrange(page)
            pairs.append((va + number * page + offset, (pfn + number * step) * page + offset))
    rng.shuffle(pairs)
    return [va for va, _ in pairs], [pa for _, pa in pairs]


@dataclass(frozen=True)
class Rate:
    """How fast something was: units a second of processor time and of the clock, medians of several runs."""

    cpu: float
    wall: float
    slowest: float
    fastest: float


def rate(call: Callable[[], Any], units: int, runs: int = 7, least: float = 0.05) -> Rate:
    """The rate of a call that handles `units` units; short calls are repeated until `least` seconds have passed."""
    call()
    begun = time.perf_counter()
    call()
    repeat = max(1, round(least / max(time.perf_counter() - begun, 1e-7)))
    cpu, wall = [], []
    for _ in range(runs):
        clock, processor = time.perf_counter(), time.process_time()
        for _ in range(repeat):
            call()
        processor, clock = time.process_time() - processor, time.perf_counter() - clock
        wall.append(units * repeat / clock)
        cpu.append(units * repeat / max(processor, 1e-9))
    return Rate(statistics.median(cpu), statistics.median(wall), min(cpu), max(cpu))
