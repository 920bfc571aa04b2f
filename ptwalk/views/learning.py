"""Learning a function of 64 bits from its answers: which bits it looks at, and how it decides.

Knows nothing of page tables. Everything here is exact for functions that look at few bits, or that test
many bits one after the other ("is any of these set?"); a test has the last word on each use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

_ALL = (1 << 64) - 1


@cache
def samples(count: int = 40) -> tuple[int, ...]:
    """Some 64-bit values, always the same: none and all bits, each bit alone, each bit missing, and mixtures."""
    random = Random(64)
    ones = [1 << bit for bit in range(64)]
    mixed = []
    for number in range(count):
        value = random.getrandbits(64)
        # Sparse and dense ones too: a test for "all of these are zero" is never met by an even mixture.
        sparse, dense = value & random.getrandbits(64), value | random.getrandbits(64)
        mixed.append((sparse, dense, value)[number % 3])
    return (0, _ALL, *ones, *(_ALL ^ one for one in ones), *mixed)


def truth_tables(answer: Callable[[int], Sequence[Any]]) -> list[dict[str, Any] | bool]:
    """Several yes-or-no functions, each of a few bits, as tables.

    `answer` gives all of them at once. A table has `bits` and the answers for each value of them, as 0
    and 1 in a row; a function that never changes is just its answer.
    """
    found: list[set[int]] = [set() for _ in answer(0)]
    for base in (0, _ALL, *samples()[-24:]):
        plain = answer(base)
        for bit in range(64):
            for bits, before, after in zip(found, plain, answer(base ^ 1 << bit), strict=True):
                if before != after:
                    bits.add(bit)
    return [_table(answer, place, sorted(bits)) for place, bits in enumerate(found)]


def _table(answer: Callable[[int], Sequence[Any]], place: int, bits: list[int]) -> dict[str, Any] | bool:
    if not bits:
        return bool(answer(0)[place])
    values = (sum((number >> i & 1) << bit for i, bit in enumerate(bits)) for number in range(1 << len(bits)))
    return {"bits": bits, "answers": "".join(str(int(bool(answer(value)[place]))) for value in values)}


def affine(answer: Callable[[int], int]) -> dict[str, Any]:
    """A function that moves and inverts bits, as `fixed` and groups of (mask, shift left): their exclusive or."""
    fixed = answer(0)
    groups: dict[int, int] = {}
    for bit in range(64):
        change = answer(1 << bit) ^ fixed
        while change:
            target = change.bit_length() - 1
            change ^= 1 << target
            groups[target - bit] = groups.get(target - bit, 0) | 1 << bit
    return {"fixed": hex(fixed), "groups": [[hex(mask), shift] for shift, mask in sorted(groups.items())]}


def decision_tree(answer: Callable[[int], int]) -> Any:
    """The function as a tree of single bits: a number is the answer, [bit, if 0, if 1] a question.

    Prefers questions that settle one side at once, so that a long list of tests becomes a list, not a bush.
    """
    return _tree(answer, 0, 0)


def _tree(answer: Callable[[int], int], mask: int, value: int) -> Any:
    free = [bit for bit in range(64) if not mask >> bit & 1]
    probes = [sample & ~mask | value for sample in _probes(free)]
    answers = [answer(probe) for probe in probes]
    if len(set(answers)) == 1:
        return answers[0]
    best: tuple[float, int] | None = None
    for bit in free:
        ones = {found for probe, found in zip(probes, answers, strict=True) if probe >> bit & 1}
        zeros = {found for probe, found in zip(probes, answers, strict=True) if not probe >> bit & 1}
        settled = len(ones) == 1 or len(zeros) == 1
        # The fewer answers remain on both sides, the better the question; a settled side is best of all.
        score = (len(ones) + len(zeros)) - (1000 if settled else 0)
        if best is None or score < best[0]:
            best = (score, bit)
    assert best is not None
    bit = best[1]
    return [
        bit,
        _tree(answer, mask | 1 << bit, value),
        _tree(answer, mask | 1 << bit, value | 1 << bit),
    ]


def _probes(free: list[int]) -> list[int]:
    ones = [1 << bit for bit in free]
    return [0, _ALL, *ones, *(_ALL ^ one for one in ones), *samples()[-40:]]
