"""Exercise 02.3: the bits A and D of one entry, while two CPUs load and store and the kernel clears and flushes."""

from __future__ import annotations

import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from ptwalk.actors.user import touch
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.kernel.kernel import Kernel
from ptwalk.kernel.mm import Mm
from ptwalk.kernel.tlbflush import flush_tlb_mm_range
from ptwalk.machine.entries import EntryPointer
from ptwalk.machine.operation import Operation
from ptwalk.scenarios.ground import home

LENGTH = 12
DOINGS = ("CPU 0 loads", "CPU 0 stores", "CPU 1 loads", "CPU 1 stores", "mkold", "mkclean", "flush")
ANSWERS = ("--", "A-", "-D", "AD")


@dataclass(frozen=True)
class Script:
    """What happens to one page, line by line; at first A and D are clear and no TLB has the page."""

    lines: tuple[str, ...]

    def __repr__(self) -> str:
        """The lines, numbered."""
        return "\n".join(f"{number:2}  {line}" for number, line in enumerate(self.lines))


def draw(seed: int) -> Script:
    """A script on which every usual mistake shows, each in a way of its own."""
    dice = random.Random(f"marks {seed}")
    while True:
        lines = tuple(dice.choices(DOINGS, weights=(3, 3, 3, 3, 2, 2, 2), k=LENGTH))
        told = [tuple(books(lines, mistake)) for mistake in ("", *MISTAKES)]
        if len(set(told)) == len(told):
            return Script(lines)


MISTAKES = {
    "no TLB": "That would be so if each access walked, or if clearing a bit in memory reached the TLBs.",
    "one TLB": "That would be so if both CPUs had one TLB.",
    "a load sets D": "A load never changes D.",
    "a flush clears": "A flush empties the TLBs. It writes nothing into the entry.",
    "mkold clears D": "mkold clears A and leaves D alone.",
    "mkclean clears A": "mkclean clears D and leaves A alone.",
    "any entry will do": "That would be so if a store could use a TLB entry that came without D.",
    "a flush keeps": "That would be so if the TLBs had kept the page over a flush.",
}
"""What people think instead, and what to say to it."""


def books(lines: tuple[str, ...], mistake: str = "") -> list[str]:
    """The marks after each line by keeping a TLB's books, with one of the `MISTAKES` made throughout."""
    accessed = dirty = False
    tlb: dict[str, bool] = {}  # who has the page, and whether it came with D
    marks = []
    for line in lines:
        if line == "mkold":
            accessed, dirty = False, dirty and mistake != "mkold clears D"
        elif line == "mkclean":
            accessed, dirty = accessed and mistake != "mkclean clears A", False
        elif line == "flush" and mistake == "a flush clears":
            accessed = dirty = False
        elif line.startswith("CPU"):
            who = "all" if mistake == "one TLB" else line[4]
            store = line.endswith("stores")
            has = mistake != "no TLB" and who in tlb
            if not (has and (not store or tlb[who] or mistake == "any entry will do")):
                accessed, dirty = True, dirty or store or mistake == "a load sets D"
                tlb[who] = dirty
        if line == "flush" and mistake != "a flush keeps":
            tlb.clear()
        marks.append(f"{'A' if accessed else '-'}{'D' if dirty else '-'}")
    return marks


def played(lines: tuple[str, ...]) -> list[tuple[str, bool]]:
    """The marks after each line, and whether the hardware walked in it: run on the simulated machine."""
    kernel = Kernel("6.1", cpus=3, user=(0, 1))
    mm = kernel.new_mm(cpumask=(0, 1))
    addr = home(mm)
    mm.map(addr, addr + mm.format.page_size, populate=[addr])
    table = mm.initial_table(addr, "pte")
    index = mm.format.index(addr, "pte")
    table.contents[index] = mm.format.mkold(table.contents[index], "pte")
    slot = table.entry(index, "pte")
    mm.finish()
    memory = kernel.machine.cells.memory()
    told = []
    for line in lines:
        cpu = int(line[4]) if line.startswith("CPU") else 2
        kinds = _run(memory, kernel, cpu, _doing(line, mm, addr, slot))
        raw: Any = memory[slot.cell]
        entry = mm.format.decode(raw, "pte")
        told.append((f"{'A' if entry.accessed else '-'}{'D' if entry.dirty else '-'}", "hardware" in kinds))
    return told


def _doing(line: str, mm: Mm, addr: int, slot: EntryPointer) -> Coroutine[Any, Any, Any]:
    async def update() -> None:
        await slot.update(line)

    if line.startswith("CPU"):
        return touch(mm, addr, write=line.endswith("stores"))
    if line == "flush":
        return flush_tlb_mm_range(mm, addr, addr + mm.format.page_size)
    return update()


def _run(memory: list[Any], kernel: Kernel, cpu: int, coroutine: Coroutine[Any, Any, Any]) -> list[str]:
    """Runs one CPU straight through; the kinds of its steps."""
    kinds, result = list[str](), None
    while True:
        try:
            operation: Operation = coroutine.send(result)
        except StopIteration:
            return kinds
        operation.footprint(cpu)  # a step names its cells when it is first asked
        memory.extend(kernel.machine.cells.memory()[len(memory) :])
        kinds.append(operation.kind)
        result = operation.execute(memory, cpu)


def check(answer: object, seed: int) -> str:
    """The marks after each line, as the machine leaves them."""
    script = draw(seed)
    if not isinstance(answer, list | tuple) or len(answer) != len(script.lines):
        raise NotYet(
            f"Give a list of {len(script.lines)} marks, one for each line: {', '.join(map(repr, ANSWERS))}."
        )
    before = "--"
    for number, (line, given, (marks, walked)) in enumerate(
        zip(script.lines, answer, played(script.lines), strict=True)
    ):
        if given not in ANSWERS:
            raise NotYet(
                f"Line {number}: {shown(given)} is none of the marks {', '.join(map(repr, ANSWERS))}."
            )
        if given != marks:
            why = _why(script, [*answer], line, walked)
            raise NotYet(f"Line {number}, {line}: you went from {before} to {given}. {why}")
        before = marks
    return f"Compared line by line with the simulated machine, {len(script.lines)} lines."


def _why(script: Script, answer: list[object], line: str, walked: bool) -> str:
    for mistake, words in MISTAKES.items():
        if answer == books(script.lines, mistake):
            return words
    if not line.startswith("CPU"):
        return "Here the kernel did one thing, and nobody walked."
    return (
        f"{line[:5]} walked here." if walked else f"{line[:5]} did not walk here: its TLB had what it needs."
    )


EXERCISE = Exercise(
    name="02.3",
    title="A and D",
    notebook="02_who_changes_them",
    kind="predict",
    difficulty=2,
    minutes=12,
    hints=(
        "Ask of each load and store: was there a walk?",
        "Keep a small table beside the script: what does each CPU's TLB hold, and did it come with D or without?",
        "A walk sets A. A store whose TLB entry has no D yet walks, and sets D. Clearing a bit changes no TLB.",
    ),
    why="The marks are written by the walker, and a CPU with the page in its TLB does not walk. So a mark that was "
    "cleared without a flush stays away as long as the TLB keeps the page.",
    check=check,
    problem=draw,
)
