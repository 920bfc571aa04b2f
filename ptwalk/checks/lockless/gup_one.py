"""Exercise 07.1: pin a page of your own process without any lock; against everybody who changes or frees tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, cast

from ptwalk.actors.fault import page_fault
from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.checks.solo import Solo, alone, sound
from ptwalk.kernel.kernel import allocates
from ptwalk.kernel.mm import Mm
from ptwalk.machine.folio import TakeFreedPage
from ptwalk.machine.frames import Frame
from ptwalk.machine.locks import LockOperation
from ptwalk.scenarios import CHANGERS, Never, Scenario
from ptwalk.scenarios.changers import CHANGER
from ptwalk.scenarios.ground import Ground, anonymous
from ptwalk.scenarios.pair import WALKER
from ptwalk.scenarios.stage import Stage
from ptwalk.scenarios.walkers import use
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore
from ptwalk.trials.own_walker import NotAWalker, check_shape

Walk = Callable[[Any, int], Awaitable[Any]]
REUSE = "dontneed"
RCU = {"table_free": "rcu"}


@dataclass(frozen=True)
class Try:
    """One changer on one kernel; `told` is how the words name the kernel."""

    changer: str
    release: str
    arch: str
    told: str
    axes: tuple[tuple[str, Any], ...] = ()


def _tries() -> tuple[Try, ...]:
    found = []
    kernels = (
        ("6.1", "x86-64", "6.1 (x86-64, tables freed after an IPI)", ()),
        ("6.1", "x86-64", "6.1 (x86-64, tables freed by RCU)", (("table_free", "rcu"),)),
        ("5.15.0", "arm64", "5.15.0 (arm64)", ()),
        ("5.15.85", "arm64", "5.15.85 (arm64)", ()),
        ("6.1", "arm64", "6.1 (arm64)", ()),
        ("7.1", "x86-64", "7.1 (x86-64)", ()),
    )
    changers = (
        "munmap",
        REUSE,
        "collapse-anon",
        "retract",
        "thp-split",
        "mremap-ptes",
        "mremap-table",
        "reclaim",
    )
    for changer in changers:
        for release, arch, told, axes in kernels:
            probe = Scenario("", "", lambda stage: None, Never(), release=release, arch=arch, axes=dict(axes))
            # A file collapse of 5.15.0 frees the table at once on arm64: no lockless walker is right there.
            hopeless = changer == "retract" and "free now" in probe.config().retract
            if CHANGERS[changer].exists(probe.config()) and not hopeless:
                found.append(Try(changer, release, arch, told, axes))
    return tuple(found)


@allocates
async def _dontneed_and_refault(mm: Mm, start: int, end: int, page: Frame) -> None:
    # The page goes to somebody else, and the next fault brings another: "still present" is not "still the same".
    await madvise_dontneed(mm, start, end)
    await TakeFreedPage(page)
    await page_fault(mm, start)


def racing(walker: Walk, one: Try) -> Scenario:
    """The race of one try: the walker on its own address space, its caller uses the page and drops the pin."""

    @wraps(walker)
    async def used(mm: Mm, addr: int) -> None:
        page = await walker(mm, addr)
        if page is not None and not isinstance(page, Frame):
            await race.Result(
                f"gup_one gave back {type(page).__name__}. It is to give the pinned page, or None."
            )
            return
        await use(mm, page)

    def lay_out(stage: Stage) -> None:
        if one.changer == REUSE:
            ground = anonymous(stage, (WALKER, CHANGER))
            end = ground.addr + ground.mm.format.page_size
            stage.run(CHANGER, _dontneed_and_refault, ground.mm, ground.addr, end, ground.page)
        else:
            ground = CHANGERS[one.changer].lay_out(stage, (WALKER,))
        stage.run(WALKER, used, ground.mm, ground.addr)

    return Scenario(
        f"{one.changer}-vs-{getattr(walker, '__name__', 'gup_one')}",
        "a lockless walker written by hand",
        lay_out,
        Never(),
        release=one.release,
        arch=one.arch,
        axes=dict(one.axes),
    )


def check(answer: object, seed: int) -> str:
    """Alone it must pin the right pages and refuse the others; then no schedule may hurt anybody."""
    race.handed_in(answer)
    walker = cast(Walk, answer)
    try:
        check_shape(answer)
    except NotAWalker as wrong:
        raise NotYet(race.one_line(str(wrong))) from None
    _does_its_work(walker)
    sound(_used_alone(walker), "6.1", "6.1,arm64")
    executions = 0
    tries = _tries()
    for one in tries:
        scenario = racing(walker, one)
        for order in (scenario.cpus, scenario.cpus[::-1]):
            seated = replace(scenario, cpus=order)
            verdict = explore(seated, limit=race.LIMITS)
            if verdict.outcome != "safe":
                race.refuse(
                    seated,
                    verdict,
                    _words(walker, one, verdict),
                    f"Against {one.changer}, kernel {one.told}: ",
                )
            executions += verdict.executions
    changers = len({one.changer for one in tries})
    return f"Safe against {changers} changers on 6 kernels: all {executions:,} executions searched."


def _used_alone(walker: Walk) -> Walk:
    @wraps(walker)
    async def used(mm: Mm, addr: int) -> None:
        page = await walker(mm, addr)
        await use(mm, page if isinstance(page, Frame) else None)

    return used


def _does_its_work(walker: Walk) -> None:
    got: list[Any] = []
    solo = _run(walker, got, anonymous)
    if not got:
        sound(_used_alone(walker), "6.1")  # says what went wrong
        raise NotYet("With nobody else there, gup_one gave nothing back.")
    if got != [solo.ground.page]:
        if got == [None]:
            raise NotYet(
                "With nobody else there, gup_one gave None. The page is mapped and the program may read it."
            )
        raise NotYet(
            f"With nobody else there, gup_one gave {shown(got[0])}, not the page that is mapped at addr."
        )
    assert solo.ground.page is not None
    lock = next(
        (step.operation.lock for step in solo.steps if isinstance(step.operation, LockOperation)), None
    )
    if lock is not None:
        raise NotYet(f"gup_one took the {lock.name}. It is to do without locks: the program must not wait.")
    pins = solo.references(solo.ground.page) - 1
    if pins != 1:
        told = (
            "that it had not pinned"
            if pins < 1
            else f"that it had pinned {pins} times. Its user drops one pin"
        )
        raise NotYet(f"With nobody else there, gup_one gave a page {told}.")
    irq = solo.ground.mm.machine.cpus[0].irq
    if not solo.value(irq):
        raise NotYet("gup_one came back with interrupts still off.")
    for words, spoil in (("PROT_NONE", _prot_none), ("of the kernel's, without the user bit", _kernel_only)):
        got.clear()
        solo = _run(walker, got, spoil)
        if got != [None]:
            raise NotYet(
                f"The entry was {words}: the program may not read there. gup_one pinned the page all the same."
            )


def _run(walker: Walk, got: list[Any], ground: Callable[[Stage, Sequence[str]], Ground]) -> Solo:
    async def kept(mm: Mm, addr: int) -> None:
        got.append(await walker(mm, addr))

    got.clear()
    solo = alone(kept, "6.1", ground=ground, own=True)
    del got[:-1]  # the replay runs the code more than once
    return solo


def _spoiled(stage: Stage, threads: Sequence[str], change: Callable[[Any, int], int]) -> Ground:
    ground = anonymous(stage, threads)
    table = ground.mm.initial_table(ground.addr, "pte")
    index = ground.mm.format.index(ground.addr, "pte")
    assert ground.page is not None
    table.contents[index] = change(ground.mm.format, ground.page.pa)
    return ground


def _prot_none(stage: Stage, threads: Sequence[str]) -> Ground:
    return _spoiled(stage, threads, lambda fmt, pa: fmt.make_prot_none(pa, "pte"))


def _kernel_only(stage: Stage, threads: Sequence[str]) -> Ground:
    return _spoiled(stage, threads, lambda fmt, pa: fmt.make_leaf(pa, "pte", user=False))


def _words(walker: Walk, one: Try, verdict: Verdict) -> str:
    """What the steps of the walker alone say of it, and what the search saw."""
    oracle = race.oracle(verdict)
    solo = alone(_used_alone(walker), "6.1", own=True)
    kinds = [step.kind for step in solo.steps]
    off = kinds.index("irq_disable") if "irq_disable" in kinds else None
    on = kinds.index("irq_enable") if "irq_enable" in kinds else None
    pin = kinds.index("get_page") if "get_page" in kinds else None
    after = [_level(step) for step in solo.steps[pin:]] if pin is not None else []
    before = [_level(step) for step in solo.steps[:pin]] if pin is not None else []
    if oracle == "lifetime":
        if off is None and "rcu_read_lock" in kinds:
            return (
                "Your CPU answered the flush IPI inside its RCU section, and the table was freed under you."
            )
        if off is None:
            return "Your interrupts were on. Your CPU answered the flush IPI in the middle of the walk."
        if on is not None and pin is not None and on < pin:
            return "You let interrupts on again before the page was pinned."
        if on is not None and any(_level(step) for step in solo.steps[on:]):
            return (
                "You let interrupts on again before your second look, and looked into a table that was freed."
            )
    if oracle == "leak" or "Lock kept" in str(verdict.report):
        return "The second look said that something had changed. You gave None, and kept the pin."
    if oracle in ("stale result", "confusion", "wild"):
        if oracle != "stale result" and before.count("pmd") > 1:
            return "You loaded the pmd twice on the way down. The second load was not what you had tested."
        if before.count("pmd") > 1 and before.count("pte") > 1:
            return "It changed between your second look and your pin."
        if "pmd" not in after and "pte" not in after:
            return (
                "You pinned a page that had been copied away or given to somebody else meanwhile, and "
                "did not look again."
            )
        if "pmd" not in after:
            return (
                "The pte was unchanged in a table that had been cut off: your page had been copied "
                "away, and what you "
                "write there goes nowhere."
            )
        if "pte" not in after:
            return "The table was still in place, but the page belonged to somebody else when you pinned it."
        return (
            "You looked again after the pin, and let pass what was not what you had seen: a page was there again, and "
            "it was another one."
        )
    if oracle == "deadlock" and off is not None:
        return (
            "On one of its ways gup_one comes back with interrupts still off. A flush waits for you for ever."
        )
    return ""


def _level(step: Any) -> str:
    pointer = getattr(step.operation, "pointer", None)
    return "" if pointer is None else str(pointer.level.name)


EXERCISE = Exercise(
    name="07.1",
    title="Write gup_one",
    notebook="07_race_gup_fast",
    kind="write a walker",
    difficulty=3,
    minutes=30,
    hints=(
        "Three questions. Is the table still memory? Is it still the table? Is the page still the page?",
        "Keep local copies of all that you load on the way down. Pin. Then look again at the pmd and at the pte.",
        "local_irq_save; load each entry once; the pte a leaf with .user? GetPageUnlessZero; if "
        "(await pmd.read()).raw "
        "or (await pte.read()).raw differs from your copy: PutPage and None; local_irq_restore on every path.",
    ),
    why=(
        "Interrupts off make every freer wait, so tables are memory. The pin is there before the second look, so a "
        "remover either sees your pin, or you see its cut. The pmd tells of a table that was cut "
        "off, the pte of a page "
        "that was taken away."
    ),
    check=check,
    seconds=60.0,
)
