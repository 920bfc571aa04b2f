"""A recording beside the simulated run of the same operation, step matched to step.

Room: conformance. Steps are matched in order, and as many as possible; what has no partner is a difference, and either
the table of `differences` says why it is meant, or it is a fault of the model (or of the table).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ptwalk.conformance.differences import DIFFERENCES, Difference
from ptwalk.conformance.layout import lay_out, preset_for
from ptwalk.conformance.operations import Modelled, operation_of
from ptwalk.conformance.run import run_alone
from ptwalk.conformance.vocabulary import Spoken, as_from_cpu_0, spoken
from ptwalk.kernel.config import preset as preset_of
from ptwalk.recordings import Recording, open_recording

_FAULT = 1000  # what an unexplained step costs, against 1 for one that is meant


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of a comparison: a recorded step, a simulated one, or both; and why, if only one is there."""

    recorded: Spoken | None
    simulated: Spoken | None
    difference: Difference | None = None

    @property
    def matched(self) -> bool:
        """Whether both runs have the step."""
        return self.recorded is not None and self.simulated is not None

    @property
    def word(self) -> str:
        """What was said."""
        said = self.recorded or self.simulated
        return said.word if said is not None else ""

    def __str__(self) -> str:
        mark = "=" if self.matched else "r" if self.recorded else "s"
        why = "" if self.matched else f"   [{self.difference.name if self.difference else 'NOT EXPLAINED'}]"
        return f"  {mark} {self.word}{why}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out for one recording.

    `kernel` is the release it was recorded on, `preset` the simulated one beside it, changed by `axes`; `by` the code
    that was run.
    `not_modelled` says why there is no simulated run, if there is none. `unknown` are recorded words that are not in
    the vocabulary; they count as differences.
    """

    name: str
    kernel: str
    preset: str
    by: str
    pairs: tuple[Pair, ...]
    not_modelled: str = ""
    unknown: tuple[str, ...] = ()
    axes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def matched(self) -> int:
        """How many steps both runs have."""
        return sum(pair.matched for pair in self.pairs)

    @property
    def meant(self) -> tuple[Pair, ...]:
        """Differences that the table explains."""
        return tuple(pair for pair in self.pairs if not pair.matched and pair.difference is not None)

    @property
    def unexplained(self) -> tuple[Pair, ...]:
        """Differences that it does not."""
        return tuple(pair for pair in self.pairs if not pair.matched and pair.difference is None)

    @property
    def agrees(self) -> bool:
        """Whether a simulated run was compared and every difference is meant."""
        return not self.not_modelled and not self.unexplained

    def __str__(self) -> str:
        changed = "".join(f", {name}={value}" for name, value in self.axes.items())
        head = f"{self.name} (Linux {self.kernel}, preset {self.preset}{changed})"
        if self.not_modelled:
            return f"{head}: not modelled: {self.not_modelled}"
        lines = [
            f"{head}: {self.matched} steps alike, {len(self.meant)} differences meant,"
            f" {len(self.unexplained)} not explained"
        ]
        lines += [f"  a word not known here: {word}" for word in self.unknown]
        if self.unexplained:
            lines += map(str, self.pairs)
        return "\n".join(lines)

    @property
    def listing(self) -> str:
        """The same with every step, also where all is explained: = in both runs, r recorded only, s simulated only."""
        text = str(self)
        return text if self.unexplained else "\n".join([text, *map(str, self.pairs)])

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON values; steps are numbered from 0 in their own runs."""
        return {
            "name": self.name,
            "kernel": self.kernel,
            "preset": self.preset,
            "axes": dict(self.axes),
            "by": self.by,
            "not_modelled": self.not_modelled,
            "agrees": self.agrees,
            "unknown": list(self.unknown),
            "pairs": [
                {
                    "word": pair.word,
                    "recorded": None if pair.recorded is None else pair.recorded.step,
                    "simulated": None if pair.simulated is None else pair.simulated.step,
                    "reason": "" if pair.difference is None else pair.difference.reason,
                }
                for pair in self.pairs
            ],
        }


def compare(
    what: str | os.PathLike[str] | Recording,
    *,
    release: str | None = None,
    differences: Sequence[Difference] = DIFFERENCES,
    **axes: Any,
) -> Comparison:
    """Runs the operation of a recording in the simulator and lays the two runs side by side.

    `what` is a recording, the name of one that ships, or a file. `release` is the preset to simulate; without it the
    newest that is not newer than the recorded kernel; `axes` change it, besides what the recording itself `shows` of
    how that kernel was built. Raises `PtwalkError` for a recording that cannot be read or whose setup cannot be laid
    out; an operation or a word that is not known is told in the result.
    """
    recording = what if isinstance(what, Recording) else open_recording(what)
    preset = preset_of(release or preset_for(recording.kernel)).release
    recorded = spoken(as_from_cpu_0(recording.words, recording.doer))
    unknown = tuple(dict.fromkeys(said.word for said in recorded if not said.known))
    operation = operation_of(recording.operation)
    if not isinstance(operation, Modelled):
        return Comparison(recording.name, recording.kernel, preset, "", (), operation.reason, unknown)
    axes = shows(recorded, preset) | axes
    simulated = run_alone(recording.name, lay_out(recording, preset, **axes), operation).words
    pairs = match(recording.operation, recorded, simulated, differences)
    return Comparison(recording.name, recording.kernel, preset, operation.by, pairs, "", unknown, axes)


def shows(recorded: Sequence[Spoken], release: str) -> dict[str, Any]:
    """What a recording shows of the kernel's build, where the preset has it otherwise.

    No release says how x86 frees its tables before 6.15 (with PARAVIRT by RCU), nor whether flushes are broadcast.
    """
    words = {said.word for said in recorded}
    queued = (word.removesuffix(":queue_free") for word in words if word.endswith(":queue_free"))
    found = {
        "table_free": "rcu" if any(f"{table}:free(rcu)" in words for table in queued) else None,
        "flush": "broadcast" if any(word.endswith("flush:broadcast") for word in words) else None,
    }
    usual = preset_of(release)
    return {axis: value for axis, value in found.items() if value not in (None, getattr(usual, axis))}


def match(
    operation: str,
    recorded: Sequence[Spoken],
    simulated: Sequence[Spoken],
    differences: Sequence[Difference] = DIFFERENCES,
) -> tuple[Pair, ...]:
    """Lays two runs side by side with as few unexplained steps as can be, then as few differences as can be."""
    why_recorded = _reasons(operation, "recorded", recorded, differences)
    why_simulated = _reasons(operation, "simulated", simulated, differences)
    rows, columns = len(recorded), len(simulated)
    cost = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            choices = []
            if i < rows:
                choices.append(cost[i + 1][j] + (1 if i in why_recorded else _FAULT))
            if j < columns:
                choices.append(cost[i][j + 1] + (1 if j in why_simulated else _FAULT))
            if i < rows and j < columns and recorded[i].word == simulated[j].word:
                choices.append(cost[i + 1][j + 1])
            cost[i][j] = min(choices, default=0)
    pairs: list[Pair] = []
    i = j = 0
    while i < rows or j < columns:
        both = i < rows and j < columns and recorded[i].word == simulated[j].word
        if both and cost[i][j] == cost[i + 1][j + 1]:
            pairs.append(Pair(recorded[i], simulated[j]))
            i, j = i + 1, j + 1
        elif i < rows and cost[i][j] == cost[i + 1][j] + (1 if i in why_recorded else _FAULT):
            pairs.append(Pair(recorded[i], None, why_recorded.get(i)))
            i += 1
        else:
            pairs.append(Pair(None, simulated[j], why_simulated.get(j)))
            j += 1
    return tuple(_moves_checked(pairs))


def _moves_checked(pairs: Sequence[Pair]) -> list[Pair]:
    """Takes the reason away from a step that is said to have moved, but is not in the other run as often."""
    counts: dict[tuple[Difference, str], int] = {}
    for pair in pairs:
        if pair.difference is not None and pair.difference.side == "moved":
            key = (pair.difference, pair.word)
            counts[key] = counts.get(key, 0) + (1 if pair.recorded is not None else -1)
    gone = {key for key, count in counts.items() if count}
    return [
        replace(pair, difference=None) if pair.difference and (pair.difference, pair.word) in gone else pair
        for pair in pairs
    ]


def _reasons(
    operation: str, side: str, said: Sequence[Spoken], differences: Sequence[Difference]
) -> dict[int, Difference]:
    """For each step that may stand alone, the first entry of the table that covers it."""
    found: dict[int, Difference] = {}
    for difference in differences:
        for place in difference.places(operation, side, said):
            found.setdefault(place, difference)
    return found
