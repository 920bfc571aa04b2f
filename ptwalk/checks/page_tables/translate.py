"""Exercise 01.2: write translate() for x86-64 and run it over two captured processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.page_tables.synthetic import Synthetic, judge, x86_cases
from ptwalk.checks.preflight import Learner, entries_only, number
from ptwalk.checks.shipped import reader, truth
from ptwalk.errors import MissingMemory

SIZES = {1 << 12: "4 KiB", 1 << 21: "2 MiB", 1 << 30: "1 GiB"}


class Case(NamedTuple):
    """One address to translate, the right answer, and of which kind it is."""

    kind: str
    root: int
    va: int
    right: int | None
    page_size: int


ORDER = ("small", "2 MiB", "1 GiB", "untouched", "swapped", "PROT_NONE", "asked", "kernel")


def pagemap_cases(facts: dict[str, Any]) -> Iterator[Case]:
    """First, middle and last page of every run that Linux's pagemap gave, each with another offset."""
    root = int(facts["root"], 16)
    for run in facts["pages"]:
        size = run.get("page_size") or 4096
        for page in sorted({0, run["n"] // 2, run["n"] - 1}):
            va = int(run["va"], 16) + page * 4096 + (page * 37 + 0x2B) % 4096
            if run["swapped"]:
                yield Case("swapped", root, va, None, 0)
            elif run["present"] and not run.get("in_qemu_tlb"):
                yield Case("PROT_NONE", root, va, None, 0)
            elif run["present"]:
                frame = int(run["pfn"], 16) + page * run.get("pfn_step", 1)
                kind = "small" if size == 4096 else SIZES[size]
                yield Case(kind, root, va, frame << 12 | va & 0xFFF, size)
            elif not run.get("pagemap_skips"):
                yield Case("untouched", root, va, None, 0)


def emulator_cases(facts: dict[str, Any]) -> Iterator[Case]:
    """What the emulator's own walk answered, user half and kernel half."""
    root = int(facts["root"], 16)
    for va, pa in facts["qemu_gva2gpa"]:
        yield Case("asked", root, int(va, 16), pa and int(pa, 16), 4096)
    for va, pa in facts.get("qemu_gva2gpa_kernel", ()):
        yield Case("kernel", int(facts["kernel_root"], 16), int(va, 16), pa and int(pa, 16), 4096)


def all_cases() -> list[Case]:
    """Every case over both processes, simple kinds first."""
    found: list[Case] = []
    for process in (1, 2):
        facts = truth(process=process)
        found += pagemap_cases(facts)
        found += emulator_cases(facts)
    return sorted(found, key=lambda case: ORDER.index(case.kind))


def check(answer: object, seed: int) -> str:
    """Run the learner's translate() over the captures and the hand-made tables."""
    translate = Learner(answer, "translate", ("read", "root", "va"), lets_through=(MissingMemory,))
    cases = all_cases()
    memory = entries_only(reader())
    asked: list[int] = []

    def read(pa: int) -> int:
        asked.append(pa)
        return memory(pa)

    for case in cases:
        asked.clear()
        try:
            got = translate(read, case.root, case.va)
        except MissingMemory as missing:
            raise NotYet(_went_astray(case, missing)) from None
        if got is None and case.right is not None and asked:
            _never_gives(translate, memory, cases)
        _judge(case, got, len(asked))
    made = x86_cases()
    for trial in made:
        judge(trial, partial(_once, translate, trial))
    return (
        f"{len(cases):,} addresses of two processes compared with pagemap and the emulator, all equal; "
        f"and {len(made)} tables made by hand."
    )


def _never_gives(translate: Learner, memory: Callable[[int], int], cases: list[Case]) -> None:
    """`NotYet` if it gives nothing for one address of each kind that is mapped: a return is missing."""
    tried = {case.kind: case for case in cases if case.right is not None}
    with suppress(MissingMemory):
        if all(translate(memory, case.root, case.va) is None for case in tried.values()):
            raise NotYet(
                "translate() reads the tables, and gave None for every address that was tried. Does it return?"
            )


def _once(translate: Learner, trial: Synthetic, read: Callable[[int], int]) -> object:
    return translate(read, trial.root, trial.va)


def _went_astray(case: Case, missing: MissingMemory) -> str:
    if case.page_size > 4096:
        return (
            f"{case.va:#x} lies in a {SIZES[case.page_size]} page. You went one level too far and read data as "
            f"if it were a table, at {missing.address:#x}."
        )
    if case.right is None:
        return (
            f"{case.va:#x} ({case.kind}) ends at an entry that the hardware stops at. You followed it, to "
            f"{missing.address:#x}, where this capture keeps no table."
        )
    return (
        f"At {case.va:#x} you asked read() for {missing.address:#x}, and no table is there. "
        "Which bits of an entry are address?"
    )


def _judge(case: Case, got: object, reads: int) -> None:
    if got is None and case.right is None:
        return
    if got is None:
        raise NotYet(_gave_nothing(case, reads))
    value = number(got, f"What translate() gave for {case.va:#x}")
    if value == case.right:
        return
    if case.right is None:
        raise NotYet(_answered_a_fault(case, value))
    raise NotYet(_wrong_address(case, value, case.right))


def _gave_nothing(case: Case, reads: int) -> str:
    gave = f"translate() gave None for {case.va:#x}"
    if not reads and case.va >> 63:
        return f"{gave} and read nothing. That address is in the kernel half, and it is mapped."
    if not reads:
        return f"{gave} and asked read() for nothing. Is it still empty?"
    size = f" by a {SIZES[case.page_size]} page" if case.page_size > 4096 else ""
    return f"{gave}, which is mapped{size}. It had asked read() {reads} times by then."


def _answered_a_fault(case: Case, value: int) -> str:
    gave = f"{case.va:#x}: you answered {value:#x}, but"
    if value in (0, -1):
        return f"{case.va:#x} has no translation and you gave {value}. A number is an answer: give None."
    if case.kind == "swapped":
        return f"{gave} the page is in swap. Its entry is not zero, and the hardware still faults there."
    if case.kind == "PROT_NONE":
        return f"{gave} the hardware faults. Linux keeps a frame in that entry; you are the hardware here, not Linux."
    return f"{gave} nothing is mapped there: the walk ends at an empty entry."


def _wrong_address(case: Case, value: int, right: int) -> str:
    size = case.page_size
    if value >> 52:
        return f"{case.va:#x}: {value:#x} has more than 52 bits. Which bits of the entry are not address?"
    if value == right & -size:
        return f"{case.va:#x}: {value:#x} is where its page begins. The byte inside the page is missing."
    if value & -size == right & -size:
        return f"{case.va:#x}: the right page, the wrong byte. This page holds {SIZES[size]}."
    return f"{case.va:#x}: you answered {value:#x}; pagemap and the emulator have another frame for it."


EXERCISE = Exercise(
    name="01.2",
    title="translate()",
    notebook="01_page_tables",
    kind="write a walker",
    difficulty=2,
    minutes=20,
    hints=(
        "Which entries can end a walk, and at which levels?",
        "Ask `present` with bit 0 only: you are the hardware here, not Linux. And before the first read, look at the "
        "upper bits of the address.",
        "Loop over the shifts 39, 30, 21, 12. Bit 0 clear: None. At 12, or with bit 7 set at 30 or 21: this entry maps "
        "memory. Its address bits are 51 down to the shift; below that the address itself is the offset.",
    ),
    why="A walk is four reads at most. Bit 0 decides whether to go on, bit 7 whether to stop early, and the level you "
    "stop at decides how many low bits come from the address.",
    check=check,
)
