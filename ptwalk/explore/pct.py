"""Random schedules with a promise: PCT, and the plain random walk.

Room: explore.  Knows the state space.  PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte: A randomized scheduler with
probabilistic guarantees of finding bugs, ASPLOS 2010) gives each CPU a random priority and always runs the first that
can step.  At d - 1 random steps the CPU that took it gets one of the d - 1 lowest priorities, in no particular order.
A bug that needs d steps in a certain order is met in each run with a probability of at least
1 / (n * k ** (d - 1)), for n CPUs and k steps.
"""

from __future__ import annotations

import math
import random

from ptwalk.explore.limits import LimitReached, Tally
from ptwalk.explore.space import StateSpace


def search(
    space: StateSpace, tally: Tally, *, depth: int, seed: int, walk: bool, stop_at_first: bool
) -> None:
    """Run random schedules until a limit; `depth` is PCT's d, `walk` chooses every step evenly instead.

    Always ends in `LimitReached` (or with `tally.bug` set): random runs prove nothing, they only make it likely.
    """
    rng = random.Random(seed)
    # The longest run met is taken for k; what was run while it was thought to be shorter promises nothing.
    longest, promising = 1, 0
    runs = tally.limits.runs
    while runs is None or tally.executions < runs:
        steps, report, cpus = _run(space, rng, depth, longest, walk)
        longest, promising = (steps, 0) if steps > longest else (longest, promising + 1)
        tally.executions += 1
        if report is not None:
            tally.violations += 1
            tally.bug = tally.bug or (cpus, report)
            if stop_at_first:
                return
        try:
            tally.tick()
        except LimitReached as reached:
            raise LimitReached(f"{reached}; {promise(space.cpus, longest, depth, promising, walk)}") from None
    made = "1 random run was" if tally.executions == 1 else f"{tally.executions:,} random runs were"
    raise LimitReached(f"{made} made; {promise(space.cpus, longest, depth, promising, walk)}")


def promise(cpus: int, steps: int, depth: int, runs: int, walk: bool) -> str:
    """What the runs are worth, in words; rounded down."""
    if walk:
        return "a random walk promises nothing about what it did not meet"
    single = 1 / (cpus * steps ** (depth - 1))
    together = -math.expm1(runs * math.log1p(-min(single, 0.999)))
    return (
        f"a bug that needs {depth} steps in a certain order, in runs of at most {steps} steps on {cpus} CPUs, "
        f"is met with a probability of at least {_rounded_down(min(together, 1 - 1e-12))}"
    )


def _rounded_down(probability: float) -> str:
    # Two digits that say something; of 0.99987 these are the first two after the nines.
    if probability < 0.01:
        exponent = math.floor(math.log10(probability)) if probability else 0
        return (
            f"{math.floor(probability * 10 ** (1 - exponent)) / 10:g}e{exponent:+03d}" if probability else "0"
        )
    digits = 1 - math.floor(math.log10(min(probability, 1 - probability)))
    return f"{math.floor(probability * 10**digits) / 10**digits:.{digits}f}"


def _run(
    space: StateSpace, rng: random.Random, depth: int, longest: int, walk: bool
) -> tuple[int, object, list[int]]:
    # The higher the number, the sooner a CPU runs; those below `depth` are given at the points of change.
    priority = list(range(depth, depth + space.cpus))
    rng.shuffle(priority)
    changes = {rng.randint(1, longest): low for low in range(1, depth)}
    state, first = space.initial, None
    cpus: list[int] = []
    while True:
        enabled = space.enabled(state)
        if not enabled:
            break
        cpu = rng.choice(enabled) if walk else max(enabled, key=priority.__getitem__)
        if first is None:
            first = space.report(state, cpu)
            if first is not None:
                return len(cpus) + 1, first, [*cpus, cpu]
        state ^= space.delta(state, cpu)
        cpus.append(cpu)
        priority[cpu] = changes.get(len(cpus), priority[cpu])
    return len(cpus), space.at_end(state), cpus
