"""Exercise 08.3: a monitor that looks at somebody else's memory now and then, for minutes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ptwalk.actors.exit import exit_mm
from ptwalk.actors.fault import page_fault
from ptwalk.actors.munmap import munmap
from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.explore.replay import Step
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.users import MmgetNotZero, MmPut, TestExit
from ptwalk.kernel.vma import FindVma
from ptwalk.machine.entries import EntryOperation
from ptwalk.machine.locks import LockOperation
from ptwalk.machine.operation import Footprint, Memory, Operation
from ptwalk.scenarios import CHANGERS
from ptwalk.scenarios.ground import anonymous, home
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Verdict

Monitor = Callable[..., Any]
Deed = Callable[[Mm, int], Awaitable[Any]]
RACES = (("exit", "5.15.0"), ("exit", "7.1"), ("munmap", "5.15.0"), ("munmap", "7.1"))


class Minute(Operation):
    """A minute goes by on this CPU; it looks at who still holds the address space."""

    __slots__ = ("mm",)
    kind = "minute"

    def __init__(self, mm: Mm) -> None:
        self.mm = mm

    def footprint(self, cpu: int) -> Footprint:
        return (self.mm.users,), ()

    def execute(self, memory: Memory, cpu: int) -> int:
        users: int = memory[self.mm.users]
        return users

    def text(self) -> str:
        return "lets a minute go by"


def _run(monitor: Monitor, changer: str) -> scenes.LayOut:
    def on(stage: Stage) -> None:
        mm = (CHANGERS[changer].lay_out(stage, ()) if changer else anonymous(stage, ())).mm

        async def judged(mm: Mm, addr: int) -> None:
            async def minute() -> None:
                await Minute(mm)

            seen = await monitor(mm, addr, minute)
            await race.Result(_wrong(changer, seen))

        judged.__name__ = getattr(monitor, "__name__", "monitor")
        stage.run(WALKER, judged, mm, home(mm))

    return on


@dataclass(frozen=True)
class Story:
    """What happens to the process before the first look, and in the minute; and what two honest looks then see."""

    told: str
    before: Deed | None = None
    meanwhile: Deed | None = None
    sees: tuple[bool | None, bool | None] = (True, True)
    populate: bool = True


async def _unmaps(mm: Mm, addr: int) -> None:
    await munmap(mm, addr, addr + mm.format.page_size)


async def _exits(mm: Mm, addr: int) -> None:
    await exit_mm(mm)


STORIES = (
    Story("The page was unmapped in that minute", meanwhile=_unmaps, sees=(True, False)),
    Story("The process exited in that minute", meanwhile=_exits, sees=(True, None)),
    Story("The page came in that minute", meanwhile=page_fault, sees=(False, True), populate=False),
    Story("Nobody ever touched the page", sees=(False, False), populate=False),
    Story("The process was gone before the first look", before=_exits, sees=(None, None)),
)


def _told(monitor: Monitor, story: Story) -> scenes.LayOut:
    """One CPU does it all, in one order: what the looks see is known beforehand."""

    def on(stage: Stage) -> None:
        mm = anonymous(stage, (), populate=story.populate, alone=True).mm
        mm.watch(home(mm))

        @allocates
        async def judged(mm: Mm, addr: int) -> None:
            async def minute() -> None:
                await Minute(mm)
                if story.meanwhile is not None:
                    await story.meanwhile(mm, addr)

            if story.before is not None:
                await story.before(mm, addr)
            seen = await monitor(mm, addr, minute)
            wrong = _form(seen)
            if not wrong and tuple(seen) != story.sees:
                wrong = f"{story.told}, and monitor gave {shown(seen)}."
            await race.Result(wrong)

        judged.__name__ = getattr(monitor, "__name__", "monitor")
        stage.run(WALKER, judged, mm, home(mm))

    return on


def _form(seen: Any) -> str:
    if not isinstance(seen, list | tuple) or len(seen) != 2:
        return f"monitor gave {shown(seen)}. It gives a list of two: what each of the two looks saw."
    if any(look is not None and not isinstance(look, bool) for look in seen):
        return f"monitor gave {shown(seen)}. A look sees True, False, or None where the process is gone."
    return ""


def _wrong(changer: str, seen: Any) -> str:
    if wrong := _form(seen):
        return wrong
    if not changer and list(seen) != [True, True]:
        return f"The page was there all the time, and monitor gave {shown(seen)}."
    if changer == "munmap" and None in seen:
        return f"monitor gave {shown(seen)}: a None, though the process was there all the time."
    return ""


def check(answer: object, seed: int) -> str:
    """Alone, against exit and munmap on 5.15.0 and 7.1, and with what may happen in a minute."""
    monitor = scenes.handed_in(answer, "monitor", ("mm", "addr", "minute"))
    solo = scenes.scene("monitor alone", _run(monitor, ""), "5.15.0", alone=True)
    steps = scenes.taken(solo)
    _where_references_are(steps)
    scenes.sound(solo, "monitor")
    minutes = len(scenes.operations(steps, Minute))
    if minutes != 1:
        raise NotYet(
            f"With nobody else there: you let {minutes} minutes go by. One look, one minute, one look."
        )
    searched = scenes.Searched()
    for changer, release in RACES:
        scenario = scenes.scene(f"{changer}-vs-monitor", _run(monitor, changer), release)

        def words(verdict: Verdict, changer: str = changer) -> str:
            return _words(changer, steps, verdict)

        searched.search(scenario, words, f"Against {changer}, kernel {release}: ")
    for story in STORIES:
        for release in ("5.15.0", "7.1"):
            scenes.sound(scenes.scene("monitor alone", _told(monitor, story), release, alone=True), "monitor")
    return str(searched)


def _where_references_are(steps: Sequence[Step]) -> None:
    """What can be told from one run alone: what is held over a minute, and what is held at a put."""
    taken = sum(isinstance(step.operation, MmgetNotZero) and bool(step.result) for step in steps)
    put = sum(isinstance(step.operation, MmPut) for step in steps)
    if taken > put:
        raise NotYet(
            f"With nobody else there: you took {taken} user references and put {put}. The memory leaks."
        )
    if put > taken:
        raise NotYet(
            f"With nobody else there: you put {put} user references and took {taken}. One was not yours."
        )
    held: list[str] = []
    for step in steps:
        operation = step.operation
        if isinstance(operation, LockOperation):
            frees = "un" in step.kind or step.kind.startswith("up")
            (held.remove if frees and operation.lock.lock_class in held else held.append)(
                operation.lock.lock_class
            )
        if isinstance(operation, MmPut) and "ptl" in held:
            raise NotYet(
                "With nobody else there: you put the user reference while you hold a page-table lock. The last put "
                "tears the memory down, and that may sleep."
            )
        if isinstance(operation, MmPut) and "mmap_lock" in held:
            raise NotYet(
                "With nobody else there: you put the user reference while you hold mmap_lock. The last put tears the "
                "memory down: it may sleep, it takes mmap_lock itself in newer kernels, and the lock lies in the mm."
            )
        if isinstance(operation, Minute) and held:
            raise NotYet(
                "With nobody else there: you hold a lock while a minute goes by. Everybody waits for you."
            )
        if isinstance(operation, Minute) and step.result > 1:
            raise NotYet(
                "With nobody else there: a minute went by, and you held a user reference all the time. If the process "
                "exits, its memory stays for your sake."
            )


def _words(changer: str, steps: Sequence[Step], verdict: Verdict) -> str:
    if race.oracle(verdict) not in ("lifetime", "wild", "detached", "deadlock", "exception", "confusion"):
        return ""
    gets = scenes.operations(steps, MmgetNotZero)
    if changer == "exit" and not gets:
        if scenes.operations(steps, TestExit):
            return "mm_users was not zero when you looked, and zero when you walked. A look takes nothing."
        if any(
            isinstance(s.operation, LockOperation) and s.operation.lock.lock_class == "mmap_lock"
            for s in steps
        ):
            return (
                "You held mmap_lock, and no user reference. Once nobody uses the memory, exit takes the tables down; "
                "in 5.15.0 it takes no lock for that."
            )
        return "Nothing kept the process's memory: it exited under your walk."
    if changer == "exit":
        walked = scenes.operations(steps, EntryOperation)
        if walked and any(p.number < walked[0].number for p in scenes.operations(steps, MmPut)):
            return "You put the reference before you walked. From then on exit may take the tables."
        return (
            "You took a reference and did not look whether you got one. Nobody used the memory any more, and you "
            "walked in it."
        )
    if not scenes.operations(steps, FindVma):
        return "A user reference keeps exit away, and nobody else: munmap freed the table, and you asked for no VMA."
    return "A user reference keeps exit away, and nobody else: munmap freed the table under your walk."


EXERCISE = Exercise(
    name="08.3",
    title="Somebody else's memory",
    notebook="08_small_print",
    kind="repair",
    difficulty=2,
    minutes=15,
    hints=(
        "There are two counters. mm_count keeps the struct. What keeps the tables?",
        "Take the strong reference for the walk only, and let it fail: a process that is gone needs no monitor.",
        "Each look: if not await mmget_not_zero(mm), it is gone, None; lock; find_vma; walk; unlock; then mmput.",
    ),
    why=(
        "mm_count keeps struct mm, so that you may ask. mm_users keeps what is in it. mmget_not_zero asks and takes "
        "in one step, so nothing fits in between; and the put comes after all locks, because it may be the last."
    ),
    check=check,
    seconds=60.0,
)
