"""Somebody's own walker, tried against the changers: what an engineer wants to know before sending the patch.

Room: trials.  A walker is `async def walk(mm, addr)`.  It is first run alone, so that a slip in the code is told as
such, and not as a race.
"""

from __future__ import annotations

import difflib
import inspect
import shlex
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.explore.limits import Limits
from ptwalk.machine.entries import EntryOperation
from ptwalk.machine.operation import Operation
from ptwalk.scenarios import CHANGERS, Scenario, pair
from ptwalk.scenarios.ground import anonymous
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.scenario import Never
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.schedule import Schedule
from ptwalk.trace.verdict import Finding, Verdict
from ptwalk.trials.explore import explore

Walk = Callable[[Any, int], Awaitable[Any]]


class NotAWalker(PtwalkError):
    """What was handed in is not `async def walk(mm, addr)`, or does not run; the text says what to change."""


class RuleBroken(NotAWalker):
    """The walker runs, and breaks a rule of the kernel even with nobody else there; the text says which."""


class Row(dict[str, Verdict]):
    """The verdict against each changer; prints as a table, with the first bug in full."""

    @property
    def outcome(self) -> str:
        """ "bug" if there is one, else "incomplete" if a limit was hit, else "safe"."""
        outcomes = {verdict.outcome for verdict in self.values()}
        return next(word for word in ("bug", "incomplete", "safe") if word in outcomes or word == "safe")

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        lines = [f"{name:<{width}}  {_short(verdict)}" for name, verdict in self.items()]
        worst = next((verdict for verdict in self.values() if verdict.outcome == "bug"), None)
        return "\n".join(lines + (["", worst.text()] if worst is not None else []))

    __repr__ = __str__

    def to_json(self) -> dict[str, Any]:
        """The verdicts as JSON values, by changer."""
        return {name: verdict.to_json() for name, verdict in self.items()}


def _short(verdict: Verdict) -> str:
    if verdict.outcome == "bug":
        report = str(verdict.report).split("\n", 1)[0]
        return f"bug: {report.removeprefix('BUG: ')} ({verdict.switches} switches, {verdict.steps} steps)"
    if verdict.outcome == "safe":
        return f"safe: all {verdict.executions or verdict.states:,} explored"
    return f"incomplete: {verdict.limit}"


def check_walker(
    walker: Walk | str,
    against: str | Iterable[str] = "munmap",
    release: str = "6.1",
    *,
    arch: str = "x86-64",
    own: bool = False,
    engine: Any = "dpor",
    limit: int | Limits | None = None,
    **axes: Any,
) -> Any:
    """Tries a walker of your own while page tables change under it.

    `walker` is `async def walk(mm, addr)`, or the text "my_walker.py:walk"; `mm` is the address space and `addr` an
    address in it.  `against` is a changer's name ("munmap", "collapse-anon", ...), several, or "all": then the result
    is a `Row` of verdicts, one for each changer that the kernel has.  `release`, `arch` and `axes` say which kernel;
    `own=True` walks the CPU's own address space (as GUP-fast does), else another process's (as a monitor does).

    A walker that breaks a rule even alone (it keeps a lock, sleeps under a spinlock, stores without the table's lock)
    has a bug like any other.  Raises `NotAWalker` if the function cannot be tried at all: it is not async, forgets an
    await, raises, or loops without awaiting, even when it runs alone.
    """
    from ptwalk.trials.walker_file import walker_in  # late: it raises what is defined here

    walk: Walk = walker_in(walker) if isinstance(walker, str) else walker
    check_shape(walk)
    names = _changers(against)
    try:
        remarks = check_alone(walk, release, arch, axes)
    except RuleBroken as broken:
        remarks = (str(broken),)
    row = Row()
    for name in names:
        scenario = own_scenario(walk, name, release, arch=arch, own=own, **axes)
        if not CHANGERS[name].exists(scenario.config()):
            if against != "all":
                raise NotAWalker(f"kernel {release} on {arch} has no {name!r}: try a newer release")
            continue
        verdict = explore(scenario, engine, limit=limit)
        row[name] = replace(verdict, assumptions=(*verdict.assumptions, *remarks))
        if verdict.interrupted:
            break
    return row[against] if isinstance(against, str) and against != "all" else row


def own_scenario(
    walker: Walk, changer: str, release: str = "6.1", *, arch: str = "x86-64", own: bool = False, **axes: Any
) -> Scenario:
    """The scenario in which somebody's walker meets one changer; `explore` and `replay` take it."""
    name = f"{changer}-vs-{getattr(walker, '__name__', 'walker')}"
    (checked,) = _changers(changer)
    made = pair(name, walker, CHANGERS[checked], own=own, stocked=True, release=release, arch=arch, axes=axes)
    return OwnScenario(**{one.name: getattr(made, one.name) for one in fields(made)}, walker=walker, own=own)


@dataclass(frozen=True)
class OwnScenario(Scenario):
    """A race of somebody's own walker: it knows how to be replayed, as no list of scenarios has its name."""

    walker: Walk | None = None
    own: bool = False

    def replay_line(self, schedule: Schedule) -> str:
        """The line to paste: for a shell if the walker is a function of a file, else for Python."""
        changer, name = self.name.partition("-vs-")[0], getattr(self.walker, "__name__", "walker")
        code = getattr(self.walker, "__code__", None)
        file = Path(code.co_filename) if code is not None else Path()
        if file.suffix == ".py" and file.is_file() and getattr(self.walker, "__qualname__", "") == name:
            shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
            words = [f"{shown}:{name}", str(schedule), "--against", changer, "--release", self.release]
            words += ["--arch", self.arch] if self.arch != "x86-64" else []
            words += ["--own"] if self.own else []
            words += [word for axis, value in self.axes.items() for word in ("--axis", f"{axis}={value}")]
            return shlex.join(["ptwalk", "replay", *words])
        said = [name, f'"{changer}"', f'"{self.release}"']
        said += [f'arch="{self.arch}"'] if self.arch != "x86-64" else []
        said += ["own=True"] if self.own else []
        said += [f"{axis}={value!r}" for axis, value in self.axes.items()]
        return f'ptwalk.replay(ptwalk.trials.own_scenario({", ".join(said)}), "{schedule}")'


def _changers(against: str | Iterable[str]) -> list[str]:
    if not isinstance(against, Iterable):
        raise NotAWalker(f"against= takes a changer's name, several, or 'all'; this is {against!r}")
    names = list(CHANGERS) if against == "all" else [against] if isinstance(against, str) else list(against)
    if not names:
        raise NotAWalker("against= names nobody; say 'munmap', several in a list, or 'all'")
    for name in names:
        if name not in CHANGERS:
            near = _near(str(name))
            hint = f"did you mean {' or '.join(near)}? There" if near else "there"
            raise NotAWalker(
                f"nobody called {name!r} changes page tables here; {hint} are all, {', '.join(CHANGERS)}"
            )
    return names


def _near(name: str) -> list[str]:
    # Names that look alike, then whoever's story speaks of it: khugepaged is collapse-anon.
    alike = difflib.get_close_matches(name, ["all", *CHANGERS], n=3)
    told = [each.name for each in CHANGERS.values() if name and name.lower() in each.story.lower()]
    return list(dict.fromkeys([*told, *alike]))[:3]


def check_shape(walker: object) -> None:
    """Raises `NotAWalker` unless `walker` is an async function of an address space and an address."""
    if inspect.iscoroutine(walker):
        walker.close()
        raise NotAWalker(
            "you handed in a walk that was started already; hand in the function, without (mm, addr)"
        )
    if not callable(walker):
        raise NotAWalker(f"a walker is a function, async def walk(mm, addr); this is {type(walker).__name__}")
    name = getattr(walker, "__name__", "the walker")
    if inspect.isclass(walker):
        raise NotAWalker(
            f"{name} is a class; hand in an object of it, or one of its methods: {name}(...).walk"
        )
    if inspect.isasyncgenfunction(walker):
        raise NotAWalker(f"{name} has a yield in it; a walker awaits its steps and returns its result")
    if not is_async(walker):
        written = name if name.isidentifier() else "walk"
        raise NotAWalker(
            f"{name} is not async: begin it with 'async def {written}(mm, addr)' and await each step in it"
        )
    _check_parameters(walker, name)


def _check_parameters(walker: Callable[..., Any], name: str) -> None:
    shape = inspect.signature(walker)
    try:
        bound = list(shape.bind("mm", 0).arguments)
    except TypeError:
        raise NotAWalker(
            f"{name}{shape} cannot be called with an address space and an address; write async def {name}(mm, addr),"
            " and give whatever else it takes a default"
        ) from None
    if bound[0] == "vma":
        raise NotAWalker(
            f"{name}{shape}: a walker gets an address space, and looks the VMA up itself, as its caller would:"
            " vma = await find_vma(mm, addr)"
        )
    if bound[0] in ("addr", "address", "va", "start") or bound[1:] == ["mm"]:
        raise NotAWalker(f"{name}{shape}: the address space comes first: async def {name}(mm, addr)")


def is_async(walker: Any) -> bool:
    """Whether calling it makes a walk: a function or method, a `functools.partial`, an object called like one."""
    inner = getattr(walker, "func", walker)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(type(inner).__call__)


IDLE = (
    "the walker touched no page-table entry when it ran alone at a mapped address: this "
    "verdict says nothing about it"
)


def check_alone(walker: Walk, release: str, arch: str, axes: dict[str, Any]) -> tuple[str, ...]:
    """Runs the walker once with nobody else there; raises `NotAWalker` with what it does wrong, `RuleBroken`
    if that is a rule of the kernel.

    Returns what a verdict on this walker must say besides: `(IDLE,)` if it touches no page table, else nothing.
    """
    name = getattr(walker, "__name__", "the walker")
    touched = _Touched()

    def lay_out(stage: Stage) -> None:
        ground = anonymous(stage, (WALKER,))
        stage.run(WALKER, walker, ground.mm, ground.addr)
        stage.stock(WALKER)

    alone = Scenario(
        f"{name} alone", "", lay_out, Never(), cpus=(WALKER,), release=release, arch=arch, axes=axes
    )
    program = alone.build()
    verdict = explore(replace(program, observers=(*program.observers, touched)), limit=Limits(depth=2_000))
    if verdict.outcome == "safe":
        return () if touched.any else (IDLE,)
    if verdict.outcome == "incomplete":
        raise NotAWalker(f"{name} does not come to an end, even with nobody else there: {verdict.limit}")
    report = verdict.report
    if isinstance(report, Finding):
        words = report.text
        kind = RuleBroken if report.kind in ("violation", "deadlock") else NotAWalker
        for prefix in (f"CPU 0 ({name}): ", f"CPU 0 ({name}) ", "livelock: "):
            words = words.removeprefix(prefix)
        raise kind(f"{name}: {words}")
    raise RuleBroken(
        f"{name} breaks a rule even with nobody else there: {getattr(report, 'title', report)}."
        f" {getattr(report, 'happened', '')}"
    )


class _Touched:
    # An observer that notes whether any entry was touched; it looks at the operation only, never at memory.
    any = False

    def __call__(self, before: Any, cpu: int, operation: Operation, result: Any, after: Any) -> None:
        self.any = self.any or isinstance(operation, EntryOperation)
