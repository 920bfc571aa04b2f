"""Going round in circles: a CPU that takes the same steps with the same results again and again.

Room: machine.  Knows operations.  What a CPU does next depends on the results it got, so the same results for long
enough mean the same steps for ever, unless another CPU changes what it reads.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

from ptwalk.machine.operation import Operation

Step = tuple[Operation, Hashable]
"""An operation and what it answered."""

# A CPU that takes the same steps with the same results so many times in a row is going round in circles.
LOOP_ROUNDS = 40
_LONGEST_LOOP = 12
LOOK_BACK = _LONGEST_LOOP * LOOP_ROUNDS
"""How many of its last steps tell whether a CPU goes round in circles."""


def loop_length(latest_first: Sequence[tuple[str, Hashable]]) -> int:
    """Number of steps of the loop that a CPU's steps (text, result) end in, 0 if they end in none."""
    for length in range(1, _LONGEST_LOOP + 1):
        span = length * LOOP_ROUNDS
        if span > len(latest_first):
            return 0
        if latest_first[length:span] == latest_first[: span - length]:
            return length
    return 0


def goes_on_for_ever(
    loops: Sequence[tuple[int, Sequence[Step]]], waiting: Sequence[tuple[int, Operation]], memory: list[Any]
) -> bool:
    """Whether CPUs that go round in circles stay there: `loops` are the rounds by CPU, `waiting` who waits for what.

    They take turns for a whole common round: same results, nobody freed, and the same memory at the end.
    """
    if not loops:
        return False
    now = list(memory)
    for turn in range(math.lcm(*(len(steps) for _, steps in loops))):
        for cpu, steps in loops:
            operation, result = steps[turn % len(steps)]
            try:
                if not operation.enabled(now, cpu) or operation.execute(now, cpu) != result:
                    return False
            except Exception:
                # It got on in every round so far: that it fails now is a change.
                return False
            if any(wanted.enabled(now, other) for other, wanted in waiting):
                return False
    return now == memory


def in_circles(rounds: str, file_line: int) -> str:
    """The words for it: which steps, and that nobody is left to change their results."""
    where = f" at line {file_line}" if file_line else ""
    return (
        f"goes round in circles{where}: {rounds}, with the same results each time ({LOOP_ROUNDS} rounds were run), "
        "and nobody is left to change that"
    )
