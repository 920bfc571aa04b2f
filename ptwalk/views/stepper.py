"""The stepper: the widget in which a learner takes the place of the scheduler.

Knows `trace` values and the browser modules in `web/stepper/`. What can be played comes from a session that is
handed in: this room knows no machine and no explorer. Without a session everything that needs no search works.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import anywidget
import traitlets

from ptwalk.errors import PtwalkError
from ptwalk.trace.playing import Answer
from ptwalk.trace.timeline import Timeline, update
from ptwalk.trace.tree import SearchTree
from ptwalk.views.stepper_page import catalogue, module, save, style
from ptwalk.views.text_run import text_run

MOST_ON_END = 1_000
"""Steps after which a CPU that runs until it blocks or ends is stopped all the same."""


SIGN_EVERY = 2.0
"""Seconds between two signs of life while a question is answered; the browser waits for `patience` milliseconds."""


@runtime_checkable
class StepperSession(Protocol):
    """What a stepper needs behind it. A run is its schedule, so every question names all choices made so far.

    `run(choices)` gives the timeline of a schedule (a violation may end it early); `known` is the timeline the
    browser shows, whose numbers of sources and locks must stay as they are. Raises `PtwalkError` with a
    sentence if a choice cannot be taken. The searches may raise `PtwalkError` too: "not offered here".
    """

    def run(self, choices: Sequence[int], known: Timeline | None = None) -> Timeline:
        """The run of this schedule."""

    def parse(self, line: str) -> Sequence[int]:
        """The choices of a schedule line, anchors resolved."""

    def find_failing(self) -> Answer:
        """The shortest failing schedule, or the proof that there is none."""

    def prove_safe(self) -> Answer:
        """The verdict over all executions."""

    def next_execution(self, choices: Sequence[int], *, failing: bool, way: int) -> Answer:
        """The next (`way` 1) or previous (-1) failing or safe execution; no timeline if there is none."""

    def shortest(self) -> tuple[int, int] | None:
        """(steps, switches) of the shortest failing schedule, or None if it is not known."""


@runtime_checkable
class Branching(Protocol):
    """A session that can record other turns beforehand, for a page without a kernel."""

    def branches(self, beside: Timeline) -> SearchTree:
        """The turns nearest to the start in context switches, for a page that shows the run `beside`."""


class Stepper(anywidget.AnyWidget):
    """Shows one run step by step; with a session behind it, plays any other.

    `timeline` is the run; `session` answers choices and searches; `tree` are branches explored beforehand,
    for pages without a kernel; `step` is where it opens; `options` switch modes on: `predict`, `challenge`,
    `hb` (happens-before arrows), `all` (all locks and frames).
    """

    _esm = module()
    _css = style()
    timeline = traitlets.Unicode().tag(sync=True)
    catalogue = traitlets.Unicode().tag(sync=True)
    tree = traitlets.Unicode("").tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    options = traitlets.Dict().tag(sync=True)
    patience = traitlets.Int(10_000).tag(sync=True)

    def __init__(
        self,
        timeline: Timeline,
        session: StepperSession | None = None,
        *,
        tree: SearchTree | None = None,
        step: int = 0,
        language: str = "en",
        **options: bool,
    ) -> None:
        self.run = timeline
        self.session = session
        self.branches = tree
        super().__init__(
            timeline=timeline.dumps(),
            catalogue=catalogue(language),
            tree=tree.dumps() if tree is not None else "",
            live=session is not None,
            step=step,
            options=options,
        )
        self.on_msg(self._asked)

    def save(self, path: str | Path) -> Path:
        """Write the run as one page that needs no network and no kernel; returns its path.

        With a session behind the widget, other turns are recorded beforehand and go with it.
        """
        tree = self.branches
        session: object = self.session
        if tree is None and isinstance(session, Branching):
            tree = session.branches(self.run)
        return save(path, self.run, tree=tree, step=self.step, options=dict(self.options))

    def __repr__(self) -> str:
        head = self.run.header
        return f"<Stepper: {head.title}, {len(self.run)} steps>"

    def _repr_mimebundle_(self, **settings: Any) -> Any:
        bundle = super()._repr_mimebundle_(**settings)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = text_run(self.run)
        return bundle

    # ---- answering the browser ----

    def _asked(self, widget: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict) or "id" not in content:
            return
        with _signs_of_life(lambda: self.send({"id": content["id"], "progress": True})):
            answer = self.answer(content)
        self.send({"id": content["id"], **answer})

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one question of the browser, as JSON values; errors become their sentence."""
        if self.session is None:
            return {"error": "there is no simulation behind this stepper; make it with ptwalk.stepper(...)"}
        try:
            return self._answer(self.session, question)
        except PtwalkError as error:
            return {"error": str(error)}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _answer(self, session: StepperSession, question: Mapping[str, Any]) -> dict[str, Any]:
        ask = question.get("ask")
        choices = [int(cpu) for cpu in question.get("choices", ())]
        if ask == "step":
            return self._show(session.run([*choices, int(question["cpu"])], self.run))
        if ask == "run":
            return self._run_on(session, choices, int(question["cpu"]))
        if ask == "go":
            return self._show(session.run(session.parse(str(question.get("line", ""))) or choices, self.run))
        if ask == "find":
            return self._found(session.find_failing())
        if ask == "prove":
            return self._found(session.prove_safe())
        if ask == "next":
            found = session.next_execution(
                choices, failing=bool(question.get("failing", True)), way=int(question.get("way", 1))
            )
            return {"none": True} if found.timeline is None else self._found(found)
        if ask == "shortest":
            best = session.shortest()
            return {"shortest": None if best is None else {"steps": best[0], "switches": best[1]}}
        return {"error": f"this ptwalk does not know the question {ask!r}; reload the page"}

    def _run_on(self, session: StepperSession, choices: list[int], cpu: int) -> dict[str, Any]:
        """Step one CPU until it blocks or ends, or a violation ends the run; not for ever."""
        timeline = session.run([*choices, cpu], self.run)
        for _ in range(MOST_ON_END):
            choices = [*choices, cpu]
            if timeline.report is not None or timeline.events[-1].changes.get(f"c{cpu}.state"):
                return self._show(timeline)
            timeline = session.run([*choices, cpu], timeline)
        said = f"CPU {cpu} took {MOST_ON_END:,} steps and does not block or end; it may wait for another CPU in a loop."
        return self._show(timeline) | {"message": said}

    def _found(self, answer: Answer) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if answer.message:
            out["message"] = answer.message
        if answer.verdict is not None:
            out["verdict"] = dict(answer.verdict)
        if answer.timeline is not None:
            out |= self._show(answer.timeline)
        return out

    def _show(self, timeline: Timeline) -> dict[str, Any]:
        """Only what the browser does not have yet travels."""
        changed = update(self.run, timeline)
        self.run = timeline
        return {"update": changed}


@contextmanager
def _signs_of_life(send: Callable[[], None]) -> Iterator[None]:
    """While something takes long, tell the browser now and then that the kernel is busy and not dead."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(SIGN_EVERY):
            with suppress(Exception):  # a sign that is lost is made up for by the next
                send()

    with suppress(RuntimeError):  # no threads, as in a browser's Python: then there are no signs
        threading.Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def stepper(
    timeline: Timeline | str,
    session: StepperSession | None = None,
    *,
    tree: SearchTree | None = None,
    **options: Any,
) -> Stepper:
    """A stepper for a timeline, or for its JSON text."""
    run = Timeline.loads(timeline) if isinstance(timeline, str) else timeline
    step = int(options.pop("step", 0))
    return Stepper(run, session, tree=tree, step=step, **options)


def show(stepper: Stepper) -> None:
    """Put a stepper below what a cell has shown so far."""
    from IPython.display import display

    display(stepper)
