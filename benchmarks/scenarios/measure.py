"""How long a verdict takes: every scenario, its build, its verdict by each engine, its full count; and one matrix.

    python benchmarks/scenarios/measure.py            # the table, slowest first, and what missed its goal
    python benchmarks/scenarios/measure.py damon      # only those with the word

The goals are for an idle machine: two CPUs, a verdict in 0.1 s and the full count in 0.5 s; three CPUs, 2 s.  Each
figure is the best of a few runs in one process, with the machine's own speed (a fixed loop of Python) printed beside.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from ptwalk.scenarios import SCENARIOS, Scenario
from ptwalk.trials.explore import explore
from ptwalk.trials.matrix import matrix

RUNS = 3


def best(action: Callable[[], Any]) -> tuple[float, Any]:
    """(seconds of the fastest of some runs, its result)."""
    fastest, result = float("inf"), None
    for _ in range(RUNS):
        began = time.perf_counter()
        result = action()
        fastest = min(fastest, time.perf_counter() - began)
    return fastest, result


def machine_speed() -> float:
    """Seconds of a fixed loop, to compare machines by."""
    return best(lambda: sum(number * number for number in range(1_000_000)))[0]


def measured(scenario: Scenario) -> tuple[float, ...]:
    """(build, dpor, states, full count) in seconds, then executions and states."""
    build, _ = best(scenario.build)
    dpor, _ = best(lambda: explore(scenario))
    states, found = best(lambda: explore(scenario, "states"))
    full, counted = best(lambda: explore(scenario, stop_at_first=False))
    return build, dpor, states, full, counted.executions, found.states


def main(word: str = "") -> None:
    """Measures and prints."""
    print(f"a loop of a million squares: {machine_speed() * 1000:.0f} ms\n")
    chosen = [scenario for scenario in SCENARIOS.values() if word in scenario.name]
    rows = sorted(((measured(scenario), scenario) for scenario in chosen), key=lambda row: -row[0][3])
    print(
        f"{'scenario':46} {'CPUs':>4} {'build':>8} {'dpor':>8} {'states':>8} {'full':>8} {'executions':>10}"
    )
    missed = []
    for (build, dpor, states, full, executions, _), scenario in rows:
        cpus = len(scenario.cpus)
        print(
            f"{scenario.name:46} {cpus:4} {build * 1000:6.1f}ms {dpor * 1000:6.1f}ms"
            f" {states * 1000:6.1f}ms {full * 1000:6.1f}ms {executions:10,}"
        )
        verdict_goal, full_goal = (0.1, 0.5) if cpus < 3 else (2.0, 2.0)
        if min(dpor, states) > verdict_goal or full > full_goal:
            missed.append(scenario.name)
    print(f"\nover the goal: {', '.join(missed) or 'none'} ({len(rows)} scenarios)")
    if not word:
        began = time.perf_counter()
        cells = matrix()
        print(f"the whole matrix: {len(cells)} cells in {time.perf_counter() - began:.1f} s, one process")


if __name__ == "__main__":
    main(*sys.argv[1:2])
