"""Playing a race by hand: the run and the session that a stepper needs, for a scenario or any program.

Room: trials.  It hands out values and a session; the stepper itself is a picture and belongs to another room.
"""

from __future__ import annotations

from typing import Any

from ptwalk.explore.limits import Limits
from ptwalk.explore.search import Search
from ptwalk.kernel.kernel import Kernel
from ptwalk.kernel.vma import Vma
from ptwalk.machine.program import Program
from ptwalk.machine.recorder import Facts, Subject
from ptwalk.machine.recorder_session import PlaySession
from ptwalk.scenarios import Scenario
from ptwalk.scenarios.ground import home
from ptwalk.trace.playing import verdict_json
from ptwalk.trace.schedule import Schedule
from ptwalk.trace.timeline import Timeline
from ptwalk.trace.verdict import Verdict
from ptwalk.trials.explore import explore, replay
from ptwalk.trials.subject import _said, program_of, scenario_named

_LISTED = 2_000  # executions of each sort that can be browsed
_LIMIT = 20_000  # executions that "prove it safe" looks at before it says "incomplete"


def subject_of(what: object, **kernel: Any) -> Subject:
    """What to record of a race: its program and machine, its address spaces, the address it is about."""
    name = ""
    if isinstance(what, str):
        name = what
        plain, _, said = what.partition("@")
        what, kernel = scenario_named(plain), {**_said(said), **kernel}
    if not isinstance(what, Scenario):
        program = program_of(what, **kernel)
        return Subject(program, scenario=program.name)
    stage = what.stage(**kernel)
    program = stage.program()
    mms = stage.kernel.mms
    return Subject(
        program,
        stage.machine,
        title=what.name.replace("-", " "),
        note=f"Linux {stage.config.release}, {stage.machine.format.name}",
        scenario=name or what.name,
        address=home(mms[0]) if mms else None,
        roots=tuple((mm.name, mm.pgd.number) for mm in mms),
        facts=_facts_of(stage.kernel),
        describe=_described,
    )


def _facts_of(kernel: Kernel) -> Facts:
    """Which VMAs there are: the one thing of an address space that is in no table and no lock."""

    def facts(memory: Any) -> dict[str, str]:
        shown: dict[str, str] = {}
        for mm in kernel.mms:
            now = memory[mm.vma_set] if 0 <= mm.vma_set < len(memory) else ()
            for vma in mm._initial:
                shown[f"VMA …{vma.start & 0xFFFFFF:06x}"] = "attached" if vma.key in now else "detached"
        return shown

    return facts


def _described(value: Any) -> str | None:
    """What to show of the kernel's own objects in a local: a VMA by its range, an unmapping by what it has queued."""
    if isinstance(value, Vma):
        return f"{(value.end - value.start) >> 10} KiB at …{value.start & 0xFFFFFF:x}"
    pages, tables = getattr(value, "pages", None), getattr(value, "tables", None)
    if isinstance(pages, list) and isinstance(tables, list):
        queued = ", ".join(str(frame.number) for frame in (*pages, *tables))
        return f"queue: {queued}" if queued else "queue empty"
    return None


def _executions(program: Program) -> dict[bool, list[tuple[int, ...]]]:
    """The failing and the safe executions of a program, the first ones if there are very many."""
    found: dict[bool, list[tuple[int, ...]]] = {True: [], False: []}

    def completed(cpus: list[int], report: Any) -> None:
        kept = found[report is not None]
        if len(kept) < _LISTED:
            kept.append(tuple(cpus))

    search = Search(program, "dpor", limits=Limits(executions=_LIMIT))
    search.completed = completed
    search.run(stop_at_first=False, count=False)
    return found


def play(what: object, schedule: Schedule | str | None = None, **kernel: Any) -> tuple[Timeline, PlaySession]:
    """The run to open with, and the session that plays all others.

    `what` and `kernel` are as for `explore`. `schedule` is the run to open with; without one it is the shortest
    failing one, or, where there is none, the run in which the CPUs go one after the other.
    """
    subject = subject_of(what, **kernel)
    searched: object = what if not isinstance(what, Program) else subject.program

    def find() -> Verdict:
        return explore(searched, **kernel)

    def prove() -> Verdict:
        return explore(searched, stop_at_first=False, limit=Limits(executions=_LIMIT), **kernel)

    listed: dict[bool, list[tuple[int, ...]]] = {}

    def executions(failing: bool) -> list[tuple[int, ...]]:
        if not listed:
            listed.update(_executions(program_of(searched, **kernel)))
        return listed[failing]

    def resolve(schedule: Schedule) -> Schedule:
        return replay(searched, schedule, **kernel).schedule

    session = PlaySession(subject, find=find, prove=prove, executions=executions, resolve=resolve)
    if schedule is not None:
        line = str(schedule)
        return session.run(session.parse(line)), session
    found = session.find_failing()
    run = found.timeline if found.timeline is not None else session.in_turn()
    return run.with_verdict(found.verdict or verdict_json(find())), session
