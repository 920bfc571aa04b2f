"""The simulated run of a recorded operation as a timeline, with the recording laid beside it.

Room: conformance. The pairs are those of the comparison, so that a picture and the tests say the same.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from typing import Any

from ptwalk.conformance.comparison import compare
from ptwalk.conformance.layout import lay_out
from ptwalk.conformance.operations import Modelled, operation_of
from ptwalk.conformance.projection import Projection
from ptwalk.conformance.run import program_of
from ptwalk.errors import PtwalkError
from ptwalk.machine.operation import Operation
from ptwalk.machine.recorder import Recorder, Subject
from ptwalk.recordings import Recording, open_recording
from ptwalk.recordings import timeline as recorded_timeline
from ptwalk.trace.alignment import beside as laid_beside
from ptwalk.trace.snapshot import Json
from ptwalk.trace.timeline import Timeline


class NothingBeside(PtwalkError):
    """The operation of a recording is not modelled, so there is no simulated run to lay beside it."""


def beside(what: str | os.PathLike[str] | Recording, *, release: str | None = None, **axes: Any) -> Timeline:
    """The simulated run of a recording's operation, alone on CPU 0, and beside it what Linux did.

    `what` is a recording, the name of one that ships, or a file; `release` the preset to simulate, changed
    by `axes`. In the timeline's
    `compare`, `pairs` are (simulated step counted from 1, recorded step counted from 0); a simulated step that stands
    for several has several pairs. A recorded step without a partner has its `reason`; `extra` has those of the
    simulated steps that Linux does not have. Raises `NothingBeside` for an operation that is not modelled.
    """
    recording = what if isinstance(what, Recording) else open_recording(what)
    comparison = compare(recording, release=release, **axes)
    operation = operation_of(recording.operation)
    if not isinstance(operation, Modelled):
        raise NothingBeside(
            f"{recording.name} has no simulated run: {operation.reason}; open the recording by itself"
        )
    layout = lay_out(recording, comparison.preset, **comparison.axes)
    projection = Projection(layout)

    def word(cpu: int, step: Operation, result: Hashable) -> str:
        return "" if cpu else ", ".join(projection.words(cpu, step, result))

    recorder = Recorder(
        Subject(
            program_of(recording.name, layout, operation, projection),
            machine=layout.kernel.machine,
            title=recording.what or recording.name,
            note=f"simulated Linux {comparison.preset}, beside a recorded {recording.kernel}",
            address=layout.region.start,
            roots=tuple((mm.name, mm.pgd.number) for mm in layout.kernel.mms),
            word=word,
        )
    )
    while recorder.status(0) == "ready" and not recorder.ended:
        recorder.step(0)
    simulated = recorder.timeline()
    recorder.close()
    laid = laid_beside(simulated, recorded_timeline(recording), name=f"Linux {recording.kernel}", cpu=0)
    steps: list[Any] = list(laid.compare["steps"]) if laid.compare is not None else []  # type: ignore[arg-type]
    pairs: dict[tuple[int, int], None] = {}
    extra: dict[str, Json] = {}
    for pair in comparison.pairs:
        if pair.recorded is not None and pair.simulated is not None:
            pairs.setdefault((pair.simulated.step + 1, pair.recorded.step))
        elif pair.recorded is not None and pair.difference is not None:
            steps[pair.recorded.step] = {**steps[pair.recorded.step], "reason": pair.difference.reason}
        elif pair.simulated is not None and pair.difference is not None:
            extra[str(pair.simulated.step + 1)] = pair.difference.reason
    compared = {pair.recorded.step for pair in comparison.pairs if pair.recorded is not None}
    for number, step in enumerate(steps):
        if number not in compared:
            steps[number] = {**step, "reason": "the same again: equal steps in a row are compared as one"}
    return laid.with_compare(
        {**(laid.compare or {}), "steps": steps, "pairs": [list(pair) for pair in pairs], "extra": extra}
    )
