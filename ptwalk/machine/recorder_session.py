"""A session: plays a program step by step for whoever sits in the scheduler's place.

Storey 2 (machine).  It answers every question by running: a run is its schedule, so going back is running again.
What needs a search is handed in as functions, because searching is another room's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ptwalk.errors import PtwalkError
from ptwalk.machine.recorder import Recorder, Subject, record
from ptwalk.machine.recorder_branches import branches
from ptwalk.trace.playing import Answer, verdict_json
from ptwalk.trace.schedule import Schedule
from ptwalk.trace.timeline import Timeline
from ptwalk.trace.tree import SearchTree
from ptwalk.trace.verdict import Verdict

Search = Callable[[], Verdict]
"""The fewest-switches search over all executions, or the full count."""

Executions = Callable[[bool], Sequence[Sequence[int]]]
"""All failing (True) or all safe (False) executions as the CPU of each step, in a fixed order."""

Resolve = Callable[[Schedule], Schedule]


class NotOffered(PtwalkError):
    """This session was made without the search that was asked for."""


class PlaySession:
    """Satisfies the stepper's session protocol for one program.

    `find` gives the verdict with the shortest failing schedule, `prove` the one with all counts (default: the
    same), `executions` the lists to browse; without them those buttons say that they are not offered here.
    `resolve` follows a pasted schedule in the code as it is now. Both verdicts are asked for once and kept.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        find: Search | None = None,
        prove: Search | None = None,
        executions: Executions | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self.subject = subject
        self._find = find
        self._prove = prove or find
        self._executions = executions
        self._resolve = resolve
        self._verdicts: dict[str, Verdict] = {}
        self._lists: dict[bool, list[tuple[int, ...]]] = {}
        self._live: Recorder | None = None
        self._played: tuple[int, ...] = ()

    def run(self, choices: Sequence[int], known: Timeline | None = None) -> Timeline:
        """The run of this schedule; going on from the last one is one step, anything else a run from the start."""
        wanted = tuple(choices)
        live = self._live
        if live is None or wanted[: len(self._played)] != self._played or live.timeline().report is not None:
            if live is not None:
                known = live.timeline() if known is None else known
                live.close()
            live = self._live = Recorder(self.subject, known=known)
            self._played = ()
        try:
            live.play(wanted[len(self._played) :])
        except PtwalkError:
            self._live, self._played = None, ()
            live.close()
            raise
        timeline = live.timeline()
        self._played = timeline.choices
        return timeline

    def in_turn(self, most: int = 2_000) -> Timeline:
        """The run in which each CPU goes as far as it can before the next one begins: one that disturbs nobody."""
        recorder = Recorder(self.subject)
        for _ in range(most):
            if recorder.ended:
                break
            recorder.step(recorder.runnable()[0])
        timeline = recorder.timeline()
        recorder.close()
        return timeline

    def parse(self, line: str) -> Sequence[int]:
        """The choices of a schedule line; a scenario's name in front is passed over."""
        words = line.split()
        if words and not words[0][0].isdigit():
            words = words[1:]
        schedule = Schedule.parse(" ".join(words))
        return tuple((self._resolve(schedule) if self._resolve is not None else schedule).cpus())

    def find_failing(self) -> Answer:
        """The shortest failing schedule, or the proof that there is none."""
        verdict = self._asked("find", self._find)
        if verdict.schedule is None:
            return Answer(None, verdict_json(verdict), str(verdict))
        return Answer(self._again(tuple(verdict.schedule.cpus())), verdict_json(verdict))

    def prove_safe(self) -> Answer:
        """The verdict over all executions."""
        verdict = self._asked("prove", self._prove)
        return Answer(None, verdict_json(verdict, counted=True), str(verdict).split("\n", 1)[0])

    def next_execution(self, choices: Sequence[int], *, failing: bool, way: int) -> Answer:
        """The execution after (`way` 1) or before (-1) this one in the list of failing or of safe ones."""
        if self._executions is None:
            raise NotOffered("executions cannot be browsed here: this stepper was made without their list")
        if failing not in self._lists:
            self._lists[failing] = [tuple(one) for one in self._executions(failing)]
        found = self._lists[failing]
        here = tuple(choices)
        now = next((i for i, one in enumerate(found) if one[: len(here)] == here and here), None)
        at = now + way if now is not None else (0 if way > 0 else len(found) - 1)
        if not 0 <= at < len(found):
            return Answer()
        word = "failing" if failing else "safe"
        return Answer(self._again(found[at]), None, f"Execution {at + 1} of {len(found)} {word} ones.")

    def shortest(self) -> tuple[int, int] | None:
        """(steps, switches) of the failing schedule with the fewest switches, then steps; None if nobody can say."""
        if self._find is None:
            return None
        verdict = self._asked("find", self._find)
        if verdict.schedule is None or not verdict.minimal:
            return None
        return verdict.schedule.steps, verdict.schedule.switches

    def branches(self, beside: Timeline) -> SearchTree:
        """The other turns, recorded beforehand for a page that shows the run `beside`."""
        return branches(self.subject, beside)

    def _again(self, choices: tuple[int, ...]) -> Timeline:
        known = self._live.timeline() if self._live is not None else None
        return record(self.subject, choices, known=known)

    def _asked(self, name: str, search: Search | None) -> Verdict:
        if search is None:
            raise NotOffered("this stepper was made without a search; use ptwalk.explore(...) instead")
        if name not in self._verdicts:
            self._verdicts[name] = search()
        return self._verdicts[name]
