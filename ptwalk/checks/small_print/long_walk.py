"""Exercise 08.1: a walk that lets others run between two pages, and keeps nothing but a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ptwalk.actors.collapse_file import retract_page_tables
from ptwalk.actors.khugepaged import collapse_huge_page
from ptwalk.actors.mremap import mremap
from ptwalk.actors.munmap import munmap
from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.explore.replay import Step
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.mmap_lock import mmap_write_lock, mmap_write_unlock
from ptwalk.kernel.vma import ChangeVmas, FindVma, Vma, VmasIn
from ptwalk.machine.entries import EntryOperation
from ptwalk.machine.locks import LockOperation
from ptwalk.scenarios import CHANGERS
from ptwalk.scenarios.changers import CHANGER
from ptwalk.scenarios.ground import anonymous, file_mapping, home, span
from ptwalk.scenarios.pair import WALKER, with_user_reference
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Verdict

PAGE = 4096
HOLE = 4  # index of the page that nobody mapped
Survey = Callable[..., Any]


async def mmap(mm: Mm, vma: Vma) -> None:
    """Puts a new VMA into a free range."""
    await mmap_write_lock(mm)
    await ChangeVmas(mm, (), (vma,))
    await mmap_write_unlock(mm)


@dataclass(frozen=True)
class Ground:
    """Some addresses of an address space; `stays` are those whose page nobody takes away, `never` those without one."""

    mm: Mm
    addrs: tuple[int, ...]
    stays: tuple[int, ...] = ()
    never: tuple[int, ...] = ()


def _two_pages(stage: Stage) -> Ground:
    mm = anonymous(stage, (), pages=2).mm
    return Ground(mm, (home(mm), home(mm) + PAGE))


def _munmap(stage: Stage) -> Ground:
    ground = _two_pages(stage)
    stage.run(CHANGER, munmap, ground.mm, home(ground.mm), home(ground.mm) + 2 * PAGE)
    return ground


def _munmap_next(stage: Stage) -> Ground:
    mm = anonymous(stage, ()).mm
    second = home(mm) + 2 * span(mm)
    mm.place(second, stage.machine.new_frame("anon", "page"))
    stage.run(CHANGER, munmap, mm, second, second + PAGE)
    return Ground(mm, (home(mm), second), (home(mm),))


def _again(pages: int) -> Callable[[Stage], Ground]:
    def lay_out(stage: Stage) -> Ground:
        ground = _two_pages(stage)
        mm, start = ground.mm, home(ground.mm)
        old = mm.vma((start, start + 2 * PAGE))
        new = mm.vma_like(old, start, start + pages * PAGE)
        actors = ((munmap, (mm, start, start + 2 * PAGE)), (mmap, (mm, new)))
        stage.run(CHANGER, scenes.in_a_row(*actors))
        return ground

    return lay_out


def _retract(stage: Stage) -> Ground:
    ground = file_mapping(stage, (), populate=False)
    mm = ground.mm
    mm.watch(home(mm) + PAGE)
    stage.run(CHANGER, retract_page_tables, stage.kernel, ground.file, 0)
    return Ground(mm, (home(mm), home(mm) + PAGE))


def _collapse(stage: Stage) -> Ground:
    mm = anonymous(stage, (), whole=True, pages=2).mm
    stage.run(CHANGER, collapse_huge_page, mm, home(mm))
    return Ground(mm, (home(mm), home(mm) + PAGE))


def _mremap(stage: Stage) -> Ground:
    mm = anonymous(stage, (), whole=True, pages=2).mm
    to = home(mm) + 4 * span(mm)
    mm.watch(to, to + PAGE)
    stage.run(CHANGER, mremap, mm, home(mm), span(mm), to)
    return Ground(mm, (home(mm), home(mm) + PAGE))


def _exit(stage: Stage) -> Ground:
    mm = CHANGERS["exit"].lay_out(stage, ()).mm
    return Ground(mm, (home(mm), home(mm) + PAGE))


def _with_hole(stage: Stage) -> Ground:
    mm = anonymous(stage, (), pages=2).mm
    hole, far = home(mm) + HOLE * PAGE, home(mm) + 2 * span(mm)
    mm.watch(hole)
    mm.place(far, stage.machine.new_frame("anon", "page"))
    there = (home(mm), home(mm) + PAGE, far)
    return Ground(mm, (home(mm), home(mm) + PAGE, hole, far), there, (hole,))


def _never_touched(stage: Stage) -> Ground:
    """A VMA whose second page nobody has touched yet: the VMA is there and the table, and the entry is empty."""
    mm = anonymous(stage, (), whole=True).mm
    empty = home(mm) + PAGE
    mm.watch(empty)
    return Ground(mm, (home(mm), empty), (home(mm),), (empty,))


RACES: dict[str, Callable[[Stage], Ground]] = {
    "munmap": _munmap,
    "munmap of the second page's VMA": _munmap_next,
    "munmap, then mmap of a larger range": _again(3),
    "munmap, then mmap of the same range": _again(2),
    "retract": _retract,
    "collapse-anon": _collapse,
    "mremap-table": _mremap,
    "exit": _exit,
}


def _run(survey: Survey, lay_out: Callable[[Stage], Ground], exits: bool = False) -> scenes.LayOut:
    def on(stage: Stage) -> None:
        ground = lay_out(stage)

        async def judged(mm: Mm, addr: int) -> None:
            found = await survey(mm, ground.addrs)
            await race.Result(_wrong(ground, found))

        judged.__name__ = getattr(survey, "__name__", "survey")
        stage.run(WALKER, with_user_reference(judged) if exits else judged, ground.mm, home(ground.mm))

    return on


def _wrong(ground: Ground, found: object) -> str:
    if not isinstance(found, list | tuple):
        return f"survey gave {shown(found)}. It gives a list: the addresses that have a page."
    told = ", ".join(hex(at) if isinstance(at, int) else shown(at) for at in found)
    if any(at not in ground.addrs for at in found):
        return f"survey gave {told}. That is not among the addresses it was asked about."
    if len(set(found)) < len(found):
        return f"survey gave an address twice: {told}."
    for at in ground.stays:
        if at not in found:
            return f"There was a page at {at:#x} all the time, and survey does not have it in its list."
    for at in ground.never:
        if at in found:
            return f"There is no page at {at:#x}, and never was, and survey has it in its list."
    return ""


def check(answer: object, seed: int) -> str:
    """Four addresses alone, and a page never touched; then two addresses against eight changers on 5.15.0."""
    survey = scenes.handed_in(answer, "survey", ("mm", "addrs"))
    solo = scenes.scene("survey alone", _run(survey, _with_hole), "5.15.0", alone=True)
    steps = scenes.taken(solo)
    _asks_for_what_it_walks(steps)
    scenes.sound(solo, "survey")
    scenes.sound(scenes.scene("survey alone", _run(survey, _never_touched), "5.15.0", alone=True), "survey")
    _lets_others_run(steps)
    searched = scenes.Searched()
    for name, lay_out in RACES.items():
        scenario = scenes.scene(name, _run(survey, lay_out, name == "exit"), "5.15.0")

        def words(verdict: Verdict, name: str = name) -> str:
            return _words(name, steps, verdict)

        searched.search(scenario, words, f"Against {name}: ")
    return str(searched)


def _holds(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps under each hold of mmap_lock, one list a hold."""
    holds: list[list[Step]] = []
    inside = False
    for step in steps:
        operation = step.operation
        if isinstance(operation, LockOperation) and operation.lock.lock_class == "mmap_lock":
            inside = "down" in step.kind and "downgrade" not in step.kind
            if inside:
                holds.append([])
        elif inside:
            holds[-1].append(step)
    return holds


def _pte_steps(steps: Sequence[Step]) -> list[Any]:
    return [
        step
        for step in steps
        if isinstance(step.operation, EntryOperation) and step.operation.pointer.level.name == "pte"
    ]


def _ptes(steps: Sequence[Step]) -> set[Any]:
    return {step.operation.pointer.cell for step in _pte_steps(steps)}


def _asked(hold: Sequence[Step]) -> int | None:
    """The address whose VMA was looked up before the first pte of this hold was read."""
    ptes = _pte_steps(hold)
    before = [step for step in hold if not ptes or step.number < ptes[0].number]
    found = scenes.operations(before, FindVma)
    return getattr(found[-1].operation, "addr", None) if found else None


def _asks_for_what_it_walks(steps: Sequence[Step]) -> None:
    for hold in _holds(steps):
        asked = _asked(hold)
        read = next((step.operation.pointer.index for step in _pte_steps(hold)), None)
        if asked is not None and read is not None and read != asked >> 12 & 511:
            raise NotYet(
                f"With nobody else there: you looked up the VMA at {asked:#x}, and then read pte[{read}], which is "
                "for another address. The VMA you hold is not the one you walk in."
            )


def _lets_others_run(steps: Sequence[Step]) -> None:
    holds = _holds(steps)
    if not holds and _ptes(steps):
        raise NotYet("With nobody else there: survey reads page tables, and never takes mmap_lock.")
    if any(len(_ptes(hold)) > 1 for hold in holds):
        raise NotYet(
            "With nobody else there: survey looks at two pages under one hold of mmap_lock. Who waits for the lock "
            "waits for the whole walk. Let go between any two addresses."
        )


def _words(name: str, steps: Sequence[Step], verdict: Verdict) -> str:
    if race.oracle(verdict) not in ("lifetime", "wild", "detached"):
        return ""
    holds = [hold for hold in _holds(steps) if _ptes(hold)]
    if len(holds) < 2:
        return ""
    second = holds[1]
    if _asked(second) is None and not scenes.operations(second, VmasIn):
        held = {step.number for hold in _holds(steps) for step in hold}
        if any(step.number not in held for step in scenes.operations(steps, FindVma, VmasIn)):
            return "You looked the VMA up while you did not hold mmap_lock. It was detached in between."
        return "You took mmap_lock again, and did not ask for the VMA again. It was unmapped while you had let go."
    if any(step.operation.pointer.index == HOLE for step in _pte_steps(steps)):
        return (
            "A VMA was found, and your address is not in it: find_vma gives the next one above. You walked in a hole, "
            "and munmap was just freeing its tables."
        )
    kept = not any(
        isinstance(step.operation, EntryOperation) and step.operation.pointer.level.name == "pmd"
        for step in second
    )
    if kept and "same" in name:
        return (
            "You compared the VMA with the one of before. It was freed, and another one has the same place: equal to "
            "look at, and nothing below it is the same."
        )
    if kept:
        return (
            "A VMA is there again, and you went on with a pmd value from before the drop. The table that it "
            "names is gone."
        )
    return ""


EXERCISE = Exercise(
    name="08.1",
    title="The long walk",
    notebook="08_small_print",
    kind="repair",
    difficulty=3,
    minutes=25,
    hints=(
        "Make a list of all that you know before the drop. Now cross it out, line by line. What is left?",
        "Only a number is left: the next address. Begin with it as if the walk began there.",
        "For each address: lock; vma = await find_vma(mm, addr); if vma is None or addr not in vma, there is no page; "
        "else walk from the top; unlock.",
    ),
    why=(
        "While you hold mmap_lock for reading, an attached VMA stays, and so do the tables below it. Both end with "
        "the lock. After it you know an address, and nothing else."
    ),
    check=check,
    seconds=60.0,
)
