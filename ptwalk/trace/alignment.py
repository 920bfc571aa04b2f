"""Trace: two runs of the same operation side by side, step matched to step.

Knows steps as words of one vocabulary and nothing of where they came from. A longest common subsequence keeps
the order of both runs; what has no partner is a difference, and it is the reader's to explain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ptwalk.trace.snapshot import Json
from ptwalk.trace.timeline import Timeline

_LOOP = re.compile(r"^loop\*\d+\{(.*)\}$")


def align(simulated: Sequence[str], recorded: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of positions (in `simulated`, in `recorded`) whose words are equal, as many as order allows.

    Positions count from 0; empty words match nothing. Where several pairings are as long, the earliest steps
    of both are paired.
    """
    rows, columns = len(simulated), len(recorded)
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            if simulated[i] and simulated[i] == recorded[j]:
                best[i][j] = best[i + 1][j + 1] + 1
            else:
                best[i][j] = max(best[i + 1][j], best[i][j + 1])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < rows and j < columns:
        if simulated[i] and simulated[i] == recorded[j]:
            pairs.append((i, j))
            i += 1
            j += 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def beside(
    simulated: Timeline,
    recorded: Timeline,
    *,
    name: str,
    cpu: int | None = None,
    reasons: dict[str, str] | None = None,
) -> Timeline:
    """The simulated run with the recorded one laid beside it.

    `cpu` is the simulated CPU that does the recorded operation (None: all). `reasons` says, by recorded word,
    why the model leaves a step out on purpose.
    """
    words = [
        word if cpu is None or event.cpu == cpu else ""
        for word, event in zip(simulated.words, simulated.events, strict=True)
    ]
    pairs = align(words, recorded.words)
    steps: list[Json] = []
    for number, event in enumerate(recorded.events):
        place = recorded.at(number + 1)
        step: dict[str, Json] = {"word": event.word or event.label, "label": event.label}
        where = _place(recorded, place.values, event.cpu)
        step |= where
        if reasons and event.word in reasons:
            step["reason"] = reasons[event.word]
        steps.append(step)
    return simulated.with_compare({"name": name, "pairs": [[i + 1, j] for i, j in pairs], "steps": steps})


def _place(timeline: Timeline, values: object, cpu: int) -> dict[str, Json]:
    found: dict[str, Json] = {}
    depth = 0
    while isinstance(values, dict) and isinstance(spot := values.get(f"c{cpu}.s.{depth}"), list):
        source = timeline.header.sources[int(str(spot[0]))]
        line = f"{source.get('file', '')}:{spot[1]}" if source.get("file") else ""
        found = {"function": source["name"], **({"line": line} if line else {})}
        depth += 1
    return found


def unrolled(words: Sequence[str]) -> list[str]:
    """Recorded words with each loop written out once: `loop*3{a, b}` becomes a, b."""
    out: list[str] = []
    for word in words:
        match = _LOOP.match(word)
        out += match[1].split(", ") if match else [word]
    return out
