"""A learner's walker run alone: does it do its work, and in which order does it take its locks?

Knows scenarios and the replay, no exercise.  What is found out here gives a failed search the words that fit: it looks
at steps that were taken, never at the text of the code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ptwalk.arch import Entry
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.race import handed_in, sentence
from ptwalk.explore.replay import Step, replay_on
from ptwalk.kernel.vma import FindVma, VmasIn
from ptwalk.machine.entries import ChangeEntry, EntryOperation
from ptwalk.machine.frames import Frame
from ptwalk.machine.locks import LockOperation
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import Ground, anonymous
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.trials.own_walker import NotAWalker, check_alone, check_shape

LONG = "0x3000"  # more steps than any walk of one page has


def sound(walker: Any, *kernels: str) -> None:
    """`NotYet` unless this is `async def walk(mm, addr)` that breaks no rule with nobody else there."""
    handed_in(walker)
    try:
        check_shape(walker)
        for kernel in kernels or ("5.15.0",):
            release, _, arch = kernel.partition(",")
            check_alone(walker, release, arch or "x86-64", {})
    except NotAWalker as wrong:
        raise NotYet(sentence(str(wrong), walker)) from None


@dataclass(frozen=True)
class Solo:
    """One run with nobody else there: its steps, and the memory it left."""

    steps: tuple[Step, ...]
    ground: Ground
    complete: bool

    def word(self, addr: int, level: str = "pte") -> Entry:
        """The entry of that level for an address, as it is at the end."""
        mm = self.ground.mm
        pointer = mm.initial_table(addr, level).entry(mm.format.index(addr, level), level)
        return mm.format.decode(self.value(pointer.cell), pointer.level)

    def value(self, cell: int) -> Any:
        """What a cell of memory holds at the end."""
        after: Sequence[Any] = self.steps[-1].after if self.steps else ()
        return after[cell] if cell < len(after) else self.ground.mm.machine.cells.initial[cell]

    def references(self, page: Frame) -> int:
        """How many references the page has at the end."""
        count: int = self.value(page.folio.refs)
        return count


def alone(
    walker: Callable[..., Any],
    release: str = "5.15.0",
    arch: str = "x86-64",
    *,
    ground: Callable[[Stage, Sequence[str]], Ground] = anonymous,
    own: bool = False,
    **axes: Any,
) -> Solo:
    """Runs `walker(mm, addr)` by itself on a page that `ground` lays out; `own` is the CPU's own address space."""
    laid: list[Ground] = []

    def lay_out(stage: Stage) -> None:
        laid.append(ground(stage, (WALKER,) if own else ()))
        stage.run(WALKER, walker, laid[0].mm, laid[0].addr)

    scenario = Scenario("alone", "", lay_out, Never(), cpus=(WALKER,), release=release, arch=arch, axes=axes)
    done = replay_on(scenario.build(), LONG)
    return Solo(done.steps, laid[0], done.complete)


def leaves_the_rest(walker: Callable[..., Any], release: str) -> None:
    """`NotYet` if a walker that was sent to one page changes an entry of another one."""
    solo = alone(walker, release, ground=_two_pages)
    for step in solo.steps:
        pointer = step.operation.pointer if isinstance(step.operation, ChangeEntry) else None
        if pointer is not None and pointer.level.name == "pte":
            if pointer.index != solo.ground.mm.format.index(solo.ground.addr, "pte"):
                raise NotYet(
                    f"With nobody else there, kernel {release}: you changed {pointer}, which is the entry of another "
                    f"page than the one at {solo.ground.addr:#x}."
                )


def _two_pages(stage: Stage, threads: Sequence[str]) -> Ground:
    return anonymous(stage, threads, pages=2)


class Habits:
    """When a walker took what: the number of the step, or None if it never did."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.mmap_lock: int | None = None
        self.mmap_unlock: int | None = None
        self.find_vma: int | None = None
        self.read: int | None = None
        self.ptl: int | None = None
        self.pml: int | None = None
        self.mmap_mode = ""
        self.pmd_after_ptl = False
        for step in steps:
            self._see(step, step.operation)

    def _see(self, step: Step, operation: Any) -> None:
        if isinstance(operation, LockOperation):
            self._lock(step.number, operation)
        elif isinstance(operation, FindVma | VmasIn):
            self.find_vma = self.find_vma or step.number
        elif isinstance(operation, EntryOperation):
            self.read = self.read or step.number
            if operation.pointer.level.name == "pmd":
                self.pmd_after_ptl = self.pmd_after_ptl or self.ptl is not None

    def _lock(self, number: int, operation: Any) -> None:
        lock, frees = operation.lock, "un" in operation.kind or operation.kind.startswith("up")
        if lock.lock_class == "mmap_lock":
            if frees:
                self.mmap_unlock = self.mmap_unlock or number
            elif self.mmap_lock is None:
                self.mmap_lock, self.mmap_mode = number, operation.mode
        elif lock.lock_class == "ptl" and not frees and lock.frame is not None:
            kind = lock.frame.life_in([]).kind
            if kind == "pte":
                self.ptl = self.ptl or number
            elif kind == "pmd":
                self.pml = self.pml or number
