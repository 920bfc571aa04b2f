"""Exercise 02.2: the tail of munmap, six helpers in an order that nobody is hurt by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from ptwalk.actors.user import touch, touch_twice
from ptwalk.checks import race, scenes
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import short
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.mmap_lock import mmap_read_unlock, mmap_write_downgrade, mmap_write_lock
from ptwalk.kernel.pgtable import is_table, mm_find_pmd, none, offset_lockless, pte_lockptr
from ptwalk.kernel.tlbflush import flush_tlb_mm_range, tlb_remove_table_sync_one
from ptwalk.kernel.vma import DetachVmas, Vma
from ptwalk.machine.folio import PutPage, RemoveRmap
from ptwalk.machine.frames import Frame, free_frame
from ptwalk.machine.locks import spin_lock, spin_unlock
from ptwalk.machine.rcu import synchronize_rcu
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import anonymous, span
from ptwalk.scenarios.stage import Stage
from ptwalk.scenarios.walkers import gup
from ptwalk.trace.verdict import Verdict
from ptwalk.trials import explore

HELPERS = ("clear_pmd", "flush", "free_page", "free_table", "quiesce", "zap")
UNMAPPER = "unmapper"
OTHER = "other"


class Kernel:
    """What a tail works with: one page, the table that maps it, and six helpers. Each is awaited."""

    def __init__(self, mm: Mm, addr: int, table: Frame, page: Frame) -> None:
        self._mm = mm
        self._addr = addr
        self._table = table
        self._page = page

    async def zap(self) -> None:
        """Clears the pte under its lock, and notes the page's dirty bit."""
        mm, addr = self._mm, self._addr
        pmd = await mm_find_pmd(mm, addr)
        assert pmd is not None  # the upper tables have other users
        entry = await pmd.read()
        if not is_table(entry):
            await race.Result(
                "zap found no table: the page stays counted as mapped, and its dirty bit is lost."
            )
            return
        ptl = pte_lockptr(mm, pmd, entry)
        await spin_lock(ptl)
        old = await offset_lockless(pmd, entry, addr).get_and_clear()
        if not none(old):
            await RemoveRmap(self._page)
        await spin_unlock(ptl)

    async def clear_pmd(self) -> None:
        """Cuts the table off: clears the pmd that leads to it."""
        pmd = await mm_find_pmd(self._mm, self._addr)
        if pmd is not None:
            await pmd.clear(unlinks=self._table)

    async def flush(self) -> None:
        """Drops the range from the TLBs and walk caches of all CPUs that run this process."""
        await flush_tlb_mm_range(self._mm, self._addr, self._addr + span(self._mm))

    async def quiesce(self) -> None:
        """Waits for every lockless reader that is inside now."""
        if self._mm.kernel.config.table_free == "rcu":
            await synchronize_rcu(self._mm.machine)
        else:
            await tlb_remove_table_sync_one(self._mm)

    async def free_page(self) -> None:
        """Drops the mapping's reference to the page, the last one."""
        await PutPage(self._page)

    async def free_table(self) -> None:
        """Gives the table's memory back."""
        await free_frame(self._mm.machine, self._table)


Tail = Callable[[Any], Awaitable[None]]


def unmapping(tail: Tail, other: str = "touch", *, arch: str = "x86-64", **axes: Any) -> Scenario:
    """The race of a munmap that ends in `tail` with `other`: touch, touch_twice or gup, in the same process."""
    codes: dict[str, Callable[..., Awaitable[Any]]] = {"touch": touch, "touch_twice": touch_twice, "gup": gup}
    code = codes[other]

    async def munmap(mm: Mm, vma: Vma, kernel: Kernel) -> None:
        await mmap_write_lock(mm)
        await DetachVmas(mm, (vma,))
        await mmap_write_downgrade(mm)
        await tail(kernel)
        await mmap_read_unlock(mm)

    def lay_out(stage: Stage) -> None:
        ground = anonymous(stage, (UNMAPPER, OTHER))
        mm = ground.mm
        assert ground.vma is not None and ground.page is not None
        table = mm.initial_table(ground.addr, "pte")
        stage.run(UNMAPPER, munmap, mm, ground.vma, Kernel(mm, ground.addr, table, ground.page))
        stage.run(OTHER, code, mm, ground.addr)

    return Scenario(
        f"{getattr(tail, '__name__', 'tail')}-vs-{other}",
        "a munmap whose last part was put together by hand",
        lay_out,
        Never(),
        cpus=(UNMAPPER, OTHER),
        user=() if other == "gup" else (OTHER,),
        arch=arch,
        axes=axes,
    )


class _Call:
    """One call of a helper without a kernel: noted when it is awaited."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self._name, self._calls = name, calls

    def __await__(self) -> Iterator[None]:
        self._calls.append(self._name)
        return iter(())


class _Counted:
    """Runs a tail without a kernel, to see which helpers it calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.made: list[str] = []

    def __getattr__(self, name: str) -> Callable[[], _Call]:
        if name not in HELPERS:
            raise NotYet(f"There is no helper k.{name}. There are: {', '.join(HELPERS)}.")

        def helper() -> _Call:
            self.made.append(name)
            return _Call(name, self.calls)

        return helper


def _calls(tail: Any) -> list[str]:
    counted = _Counted()
    coroutine: Any = scenes.handed_in(tail, "tail", ("k",))(counted)
    try:
        coroutine.send(None)
    except StopIteration:
        lost = next(
            (name for name in counted.made if counted.made.count(name) > counted.calls.count(name)), None
        )
        if lost is not None:
            raise NotYet(f"k.{lost}() stands without await: it is never run.") from None
        return counted.calls
    except NotYet:
        raise
    except RecursionError:
        raise NotYet("tail(k) called itself until Python gave up. Which call should be the last?") from None
    except (Exception, SystemExit) as error:
        said = f": {short(str(error))}" if str(error) else ""
        raise NotYet(f"tail(k) raised {type(error).__name__}{said}.") from None
    coroutine.close()
    raise NotYet("tail() awaits something that is no helper of k. Use the six helpers only.")


def _missing(calls: list[str]) -> None:
    if not calls:
        raise NotYet("The tail calls none of the helpers: page and table stay where they are.")
    twice = next((name for name in ("free_page", "free_table") if calls.count(name) > 1), None)
    if twice:
        raise NotYet(f"k.{twice}() is called twice: the second time it frees what belongs to somebody else.")
    for name in ("free_page", "free_table"):
        if name not in calls:
            raise NotYet(_WITHOUT[name])


_WITHOUT = {
    "free_page": "The page is never given back: a leak of 4 KiB.",
    "free_table": "The table is never given back: a leak of 4 KiB with every munmap.",
    "zap": "Nobody clears the pte.",
    "clear_pmd": "Nobody clears the pmd: it goes on naming a table that is free.",
    "flush": "Nobody flushes: the other CPU may keep the page in its TLB for ever.",
    "quiesce": "You flushed for the hardware, but nobody waits for lockless readers that are inside the table.",
}

RACES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("touch", "x86-64", {}),
    ("touch_twice", "x86-64", {}),
    ("gup", "x86-64", {}),
    ("gup", "x86-64", {"table_free": "rcu"}),
    ("touch", "arm64", {}),
    ("touch_twice", "arm64", {}),
    ("gup", "arm64", {}),
)
"""Who runs on the other CPU, and on which machine."""


def check(answer: Any, seed: int) -> str:
    """All six are called, and no execution of any race breaks a rule."""
    calls = _calls(answer)
    _missing(calls)
    executions = 0
    for other, arch, axes in RACES:
        scenario = unmapping(answer, other, arch=arch, **axes)
        verdict = explore(scenario, limit=race.LIMITS)
        if verdict.outcome != "safe":
            race.refuse(scenario, verdict, _words(verdict, calls), f"{_WHO[other]} on {arch}: ")
        executions += verdict.executions
    for name, words in _WITHOUT.items():
        if name not in calls:
            raise NotYet(words)
    return f"Safe: all {executions} executions against a program that writes, one that writes twice, and GUP-fast."


_WHO = {
    "touch": "A program that writes to the page",
    "touch_twice": "A program that writes to the page twice",
    "gup": "GUP-fast, a reader without locks",
}


def _words(verdict: Verdict, calls: list[str]) -> str:
    first = {name: calls.index(name) for name in calls}
    last = {name: len(calls) - 1 - calls[::-1].index(name) for name in calls}
    report = race.observed(verdict)
    missing = [words for name, words in _WITHOUT.items() if name not in calls]
    if missing:
        return f"{missing[0]} {report}"
    if first["clear_pmd"] < first["zap"] < first["free_page"]:
        return report
    if first["free_page"] < first["zap"]:
        return "The page was given back while the pte still named it. " + report
    if first["free_table"] < first["clear_pmd"]:
        return "The table was given back while the pmd still named it. " + report
    if first["free_page"] < first["flush"]:
        return "CPU 1 can write, through its TLB, into a page that is no longer yours. " + report
    if first["free_table"] < first["flush"]:
        return "CPU 1's walk cache still leads to the table when it is freed. " + report
    if last["flush"] < first["clear_pmd"]:
        return "After your flush a new hardware walk entered the table: it was still linked. " + report
    if last["quiesce"] < first["clear_pmd"]:
        return "Readers that came after you had waited still found the table. " + report
    if first["free_table"] < last["quiesce"]:
        return "Nobody waited for the reader that was inside when the table was freed. " + report
    return report


EXERCISE = Exercise(
    name="02.2",
    title="The tail of munmap",
    notebook="02_who_changes_them",
    kind="repair",
    difficulty=3,
    minutes=25,
    hints=(
        "Two kinds of users hold the table: hardware that walks, and readers that take no lock. Name what ends each.",
        "First nobody new can enter, then wait for those who are inside, then free. A page is like a table here.",
        "Clear the pte, cut the table off, flush, wait, and only then give both back.",
    ),
    why="Who frees memory must have closed every way to it first, and then waited for everybody who was on the way: "
    "the flush is for the hardware, the waiting for readers without locks.",
    check=check,
)
