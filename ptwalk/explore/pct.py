"""Random schedules with a promise: PCT, and the plain random walk.

Room: explore.  Knows the state space.  PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte: A randomized scheduler with
probabilistic guarantees of finding bugs, ASPLOS 2010) gives each CPU a random priority, always runs the first that
can step, and at d - 1 random steps sends the running one to the back.  A bug that needs d steps in a certain order
is met in each run with a probability of at least 1 / (n * k ** (d - 1)), for n CPUs and k steps.
"""

from __future__ import annotations

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
    longest = 1
    runs = tally.limits.runs
    while runs is None or tally.executions < runs:
        steps, report, cpus = _run(space, rng, depth, longest, walk)
        longest = max(longest, steps)
        tally.executions += 1
        if report is not None:
            tally.violations += 1
            tally.bug = tally.bug or (cpus, report)
            if stop_at_first:
                return
        tally.tick()
    raise LimitReached(
        f"{tally.executions:,} random runs were made; {promise(space.cpus, longest, depth, runs or 0, walk)}"
    )


def promise(cpus: int, steps: int, depth: int, runs: int, walk: bool) -> str:
    """What the runs are worth, in words."""
    if walk:
        return "a random walk promises nothing about what it did not meet"
    single = 1 / (cpus * steps ** (depth - 1))
    together = 1 - (1 - single) ** runs
    return (
        f"a bug that needs {depth} steps in a certain order, in runs of at most {steps} steps on {cpus} CPUs, "
        f"is met with a probability of at least {together:.2g}"
    )


def _run(
    space: StateSpace, rng: random.Random, depth: int, longest: int, walk: bool
) -> tuple[int, object, list[int]]:
    priority = list(range(space.cpus))
    rng.shuffle(priority)
    changes = {rng.randint(1, longest) for _ in range(depth - 1)}
    state, first = space.initial, None
    cpus: list[int] = []
    while True:
        enabled = space.enabled(state)
        if not enabled:
            break
        cpu = rng.choice(enabled) if walk else next(one for one in priority if one in enabled)
        if first is None:
            first = space.report(state, cpu)
            if first is not None:
                return len(cpus) + 1, first, [*cpus, cpu]
        state ^= space.delta(state, cpu)
        cpus.append(cpu)
        if len(cpus) in changes:
            priority.remove(cpu)
            priority.append(cpu)
    return len(cpus), space.at_end(state), cpus
