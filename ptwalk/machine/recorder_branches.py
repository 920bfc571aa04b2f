"""The other turns of a run, recorded beforehand: what a saved page can be asked without a kernel.

Room: machine.  Runs a program in every order with few context switches, the fewest first, until enough steps are
known. Two orders that lead to the same state are followed only once.
"""

from __future__ import annotations

import heapq
import json
from typing import Any

from ptwalk.machine.recorder import Recorder, Subject
from ptwalk.trace.timeline import Timeline
from ptwalk.trace.tree import SearchTree, Turn

MOST = 800
"""Steps that are recorded, unless more are asked for: some 60 KB, a second or two of work."""


def branches(subject: Subject, beside: Timeline, *, most: int = MOST) -> SearchTree:
    """All turns with the fewest context switches, up to `most` steps, for a page that shows the run `beside`."""
    return _Branches(subject, beside, most).found()


class _Branches:
    def __init__(self, subject: Subject, beside: Timeline, most: int) -> None:
        self._subject = subject
        self._beside = beside
        self._known = beside  # whose sources and locks go on growing, so that numbers stay
        self._most = most
        self._turns: list[Turn] = []
        self._following: dict[Any, dict[str, int]] = {}

    def found(self) -> SearchTree:
        first = Recorder(self._subject, known=self._known)
        roots = self._following[self._state(first)] = {}
        todo: list[tuple[int, int, tuple[int, ...], int, dict[str, int]]] = []
        for cpu in first.runnable():
            heapq.heappush(todo, (0, 0, (), cpu, roots))
        first.close()
        order = 0
        complete = True
        while todo:
            switches, _, choices, cpu, then = heapq.heappop(todo)
            if str(cpu) in then:
                continue
            if len(self._turns) >= self._most:
                complete = False
                break
            recorder = Recorder(self._subject, known=self._known).play(choices)
            while len(self._turns) < self._most and str(cpu) not in then:
                recorder.step(cpu)
                choices = (*choices, cpu)
                then, fresh = self._enter(recorder, cpu, then)
                if not fresh:
                    break
                for other in recorder.runnable() if not recorder.ended else ():
                    order += 1
                    heapq.heappush(todo, (switches + (other != cpu), order, choices, other, then))
                if recorder.ended or recorder.status(cpu) != "ready":
                    break
            self._known = recorder.timeline()
            recorder.close()
        have = self._beside.header
        grown = self._known.header
        return SearchTree(
            roots,
            tuple(self._turns),
            complete,
            tuple(grown.sources[len(have.sources) :]),
            tuple(grown.locks[len(have.locks) :]),
            (len(have.sources), len(have.locks)),
        )

    def _enter(self, recorder: Recorder, cpu: int, then: dict[str, int]) -> tuple[dict[str, int], bool]:
        """A turn for the last step; gives what may follow it, and whether that is not known yet."""
        timeline = recorder.timeline()
        step = timeline.events[-1].to_json()
        step.pop("after", None)  # which earlier steps had to come before it differs from order to order
        state = self._state(recorder)
        fresh = state not in self._following
        following = self._following.setdefault(state, {})
        then[str(cpu)] = len(self._turns)
        report = timeline.report and {**timeline.report, "text": recorder.happened}
        self._turns.append(Turn(step, following, report))
        return following, fresh and timeline.report is None

    @staticmethod
    def _state(recorder: Recorder) -> Any:
        """Where every CPU stands and what memory holds, as far as anything can depend on it or is shown."""
        return json.dumps(recorder.shown, sort_keys=True), recorder.heard, tuple(recorder.memory)
