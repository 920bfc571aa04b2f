"""Exercise 01.5: write the arm64 walk (4 KiB granule, 48 bits) and run it over the other captured machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.page_tables.synthetic import Synthetic, judge
from ptwalk.checks.page_tables.translate import Case
from ptwalk.checks.preflight import Learner, entries_only, number
from ptwalk.checks.shipped import ARM64, machine, reader, truth
from ptwalk.errors import MissingMemory

ASID_AND_CNP = 0x5B << 48 | 1
"""What a TTBR holds beside the address: an ASID in 63:48, CnP in bit 0 (as the captured registers show)."""

KINDS = ("small", "large", "untouched", "swapped", "PROT_NONE", "asked", "kernel")
PAGE, TABLE, BLOCK = 0b11, 0b11, 0b01
AF = 1 << 10
PATH_VA = 0x0000_1234_5678_9ABC


def cases() -> list[Case]:
    """First, middle and last page of every run of both processes, the emulator's answers, the kernel half."""
    found: list[Case] = []
    for process in (1, 2):
        facts = truth(ARM64, process)
        found += _pagemap_cases(facts, process)
        root = int(facts["root"], 16)
        for va, pa in facts["qemu_gva2gpa"]:
            found.append(Case("asked", root, int(va, 16), pa and int(pa, 16), 4096))
        for va, pa in facts.get("qemu_gva2gpa_kernel", ()):
            found.append(Case("kernel", root, int(va, 16), pa and int(pa, 16), 4096))
    return sorted(found, key=lambda case: KINDS.index(case.kind))


def _pagemap_cases(facts: dict[str, Any], process: int) -> Iterator[Case]:
    root = int(facts["root"], 16)
    untouchable = [
        range(int(vma["start"], 16), int(vma["end"], 16)) for vma in facts["vmas"] if vma["prot"][:3] == "---"
    ]
    for run in facts["pages"]:
        if run.get("pagemap_skips"):
            continue
        # smaps does not tell the size of every page; where it is silent, the descriptor does.
        size = run.get("page_size") or machine(ARM64, process).walk(int(run["va"], 16)).page_size or 4096
        for page in sorted({0, run["n"] // 2, run["n"] - 1}):
            va = int(run["va"], 16) + page * 4096 + (page * 37 + 0x2B) % 4096
            if run["swapped"]:
                yield Case("swapped", root, va, None, 0)
            elif not run["present"]:
                yield Case("untouched", root, va, None, 0)
            elif any(va in area for area in untouchable):
                yield Case("PROT_NONE", root, va, None, 0)
            else:
                frame = int(run["pfn"], 16) + page * run.get("pfn_step", 1)
                yield Case("small" if size == 4096 else "large", root, va, frame << 12 | va & 0xFFF, size)


def made_cases() -> tuple[Synthetic, ...]:
    """Descriptors that the capture lacks."""
    words = {
        0x1000 + 8 * (PATH_VA >> 39 & 511): 0x2000 | TABLE,
        0x2000 + 8 * (PATH_VA >> 30 & 511): 0x3000 | TABLE | 0b11111 << 59,
        0x3000 + 8 * (PATH_VA >> 21 & 511): 0x4000 | TABLE,
    }
    pte, pmd, pgd = 0x4000 + 8 * (PATH_VA >> 12 & 511), 0x3000 + 8 * (PATH_VA >> 21 & 511), min(words)
    return (
        Synthetic(
            {**words, pte: 0x7000 | PAGE | AF | 1 << 54}, 0x1000, PATH_VA, 0x7ABC,
            "a table descriptor has bits 63:59 set. They limit rights; they are not address.",
        ),
        Synthetic(
            {**words, pte: 0x7000 | BLOCK | AF}, 0x1000, PATH_VA, None,
            "a last-level descriptor ends in 01. At the last level only 11 maps a page; 01 is reserved.",
        ),
        Synthetic(
            {pgd: 0x80_0000_0000 | BLOCK | AF}, 0x1000, PATH_VA, None,
            "a top-level descriptor ends in 01. With 4 KiB pages and 48 bits there are no blocks of 512 GiB.",
        ),
        Synthetic(
            {**words, pmd: 0x4020_0000 | 0b10}, 0x1000, PATH_VA, None,
            "a descriptor ends in 10. Without bit 0 it is invalid, whatever else is set.",
        ),
        Synthetic(
            {**words, pmd: 0x4020_0000 | BLOCK}, 0x1000, PATH_VA, 0x4020_0000 | PATH_VA & 0x1F_FFFF,
            "a block whose access flag is clear. This exercise asks where it points; give the address.",
        ),
        Synthetic(
            {**words, pte: 0x7000 | PAGE | AF}, 0x1000, PATH_VA | 1 << 48, None,
            f"{PATH_VA | 1 << 48:#x} belongs to neither half: its bits 55:48 are neither all clear nor all set.",
        ),
        Synthetic(
            {**words, pmd: 0x9000_0000 | TABLE}, 0x1000, PATH_VA, MissingMemory,
            "a table lies in memory that was not kept. Unknown is not unmapped; let read()'s error through.",
        ),
    )  # fmt: skip


def check(answer: object, seed: int) -> str:
    """Run the learner's translate_arm64() over the arm64 capture and the hand-made tables."""
    name, parameters = "translate_arm64", ("read", "ttbr0", "ttbr1", "va")
    translate = Learner(answer, name, parameters, lets_through=(MissingMemory,))
    asked = cases()
    read = entries_only(reader(ARM64))
    ttbr1 = int(truth(ARM64)["registers"]["ttbr1_el1"], 16)
    for case in asked:
        try:
            got = translate(read, case.root | ASID_AND_CNP, ttbr1, case.va)
        except MissingMemory as missing:
            raise NotYet(_went_astray(case, missing)) from None
        if got is not None:
            got = number(got, f"What {name}() gave for {case.va:#x}")
        if got != case.right:
            raise NotYet(_words(case, got))
    made = made_cases()
    for trial in made:
        judge(trial, partial(_once, translate, trial))
    return (
        f"{len(asked):,} addresses of two processes and of the kernel compared with pagemap and the emulator, all "
        f"equal; and {len(made)} tables made by hand."
    )


def _once(translate: Learner, trial: Synthetic, read: Callable[[int], int]) -> object:
    return translate(read, trial.root | ASID_AND_CNP, trial.root | ASID_AND_CNP, trial.va)


def _went_astray(case: Case, missing: MissingMemory) -> str:
    at = missing.address
    if at >> 48 in (ASID_AND_CNP >> 48, int(truth(ARM64)["registers"]["ttbr1_el1"], 16) >> 48):
        return f"{case.va:#x}: you asked read() for {at:#x}. A TTBR holds more than an address: ASID and CnP."
    if at >> 48:
        return f"{case.va:#x}: you asked read() for {at:#x}. Bits above 47 of a descriptor are not address."
    if case.kind == "large":
        return f"{case.va:#x} lies in a large page. You took its block descriptor for a table, and read at {at:#x}."
    if case.kind == "kernel":
        return f"{case.va:#x} is a kernel address. You looked for its tables at {at:#x}. Which register names them?"
    return f"{case.va:#x} ({case.kind}): you asked read() for {at:#x}, where no table is."


def _words(case: Case, got: int | None) -> str:
    if got is None:
        if case.kind == "kernel":
            return f"{case.va:#x} is a mapped kernel address; you gave None. Which of the two registers is it for?"
        last = (
            next(m for m in (machine(ARM64, 1), machine(ARM64, 2)) if m.root == case.root)
            .walk(case.va)
            .levels[-1]
        )
        if not last.entry.accessed:
            return (
                f"{case.va:#x}: you gave None. The access flag of its descriptor is clear; this exercise asks where "
                "it points."
            )
        return f"{case.va:#x} is mapped ({case.kind} page), and you gave None."
    if case.right is None:
        if case.kind == "PROT_NONE":
            return f"{case.va:#x}: you answered {got:#x}. Linux keeps a frame there, yet bit 0 is clear."
        if case.kind == "swapped":
            return (
                f"{case.va:#x}: you answered {got:#x}, but that page is in swap: the descriptor is not valid."
            )
        return f"{case.va:#x}: you answered {got:#x}; the hardware faults there."
    if got >> 48:
        return f"{case.va:#x}: {got:#x} has bits above 47. In this format they are attributes, not address."
    if got & -case.page_size == case.right & -case.page_size:
        return (
            f"{case.va:#x}: the right page, the wrong byte: {got:#x}. How much of the address is offset here?"
        )
    return f"{case.va:#x} ({case.kind} page): you answered {got:#x}; pagemap and the emulator have another frame."


EXERCISE = Exercise(
    name="01.5",
    title="translate_arm64(), for the brave",
    notebook="01_page_tables",
    kind="write a walker",
    difficulty=3,
    minutes=25,
    hints=(
        "The shifts are the same as on x86-64 with 4 KiB pages. What differs: where the walk starts, and how a "
        "descriptor says what it is.",
        "Bits 1:0. 11 is a table, and a page at the last level. 01 is a block, at pud and pmd only. Anything else is "
        "invalid. Bits 55:48 of the address choose the register; its bits 47:1 are the address.",
        "base = ttbr & 0x0000fffffffffffe; address bits of a descriptor: 47:12; below the shift of the level where "
        "you stop the offset comes from va. A contiguous run needs nothing special: each entry names its own frame.",
    ),
    why="Two registers split the address space where x86-64 copies the kernel's entries into every process. The type "
    "of a descriptor depends on its level: the same two bits are a block above and reserved at the end.",
    check=check,
)
