"""Exercise 01.1: walk two addresses of the captured process by hand, row by row."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import number
from ptwalk.checks.shipped import machine, truth
from ptwalk.trace.walk import WalkRecord, WalkStep


@dataclass(frozen=True)
class TwoAddresses:
    """What to translate: `small` lies in a 4 KiB page, `huge` in a larger one; `root` is the top table."""

    seed: int
    root: int
    small: int
    huge: int

    def __repr__(self) -> str:
        """The numbers in the form a learner copies them."""
        return f"root {self.root:#x}   small {self.small:#x}   huge {self.huge:#x}   (seed {self.seed})"


def draw(seed: int) -> TwoAddresses:
    """Two addresses of process P, the same for the same seed."""
    dice = random.Random(seed)
    runs = truth()["pages"]
    small = [r for r in runs if r["present"] and r.get("page_size") == 4096 and r.get("in_qemu_tlb")]
    huge = [r for r in runs if r["present"] and r.get("page_size") == 1 << 21]
    while True:
        run = dice.choice(small)
        va = int(run["va"], 16) + 4096 * dice.randrange(run["n"]) + dice.randrange(0x201, 0x1000)
        # No-execute set and an index above eight: so that forgetting a mask or a factor shows.
        last = machine().walk(va).levels[-1]
        if last.raw >> 63 and last.index > 8:
            break
    run = dice.choice(huge)
    inside = int(run["va"], 16) + dice.randrange(1 << 16, run["n"] * 4096 - 1) | 0x5001
    return TwoAddresses(seed, int(truth()["root"], 16), va, inside)


def check(answer: object, seed: int) -> str:
    """Compare both walks row by row; raise at the first row that differs."""
    if answer is None or answer is ...:
        raise NotYet(
            "There is nothing to check. Fill in the rows of both walks and the two physical addresses."
        )
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise NotYet(
            "The answer has two parts, (small_rows, small_physical) and (huge_rows, huge_physical), in one list."
        )
    asked = draw(seed)
    rows = 0
    for part, name, va in zip(answer, ("small", "huge"), (asked.small, asked.huge), strict=True):
        if not isinstance(part, (tuple, list)) or len(part) != 2 or part[0] is None:
            raise NotYet(
                f"{name}: give its rows and its physical address, as ({name}_rows, {name}_physical)."
            )
        rows += _one_walk(name, part[0], part[1], machine().walk(va))
    return f"{rows} rows and 2 physical addresses compared with the capture."


def _one_walk(name: str, rows: object, physical: object, record: WalkRecord) -> int:
    if not isinstance(rows, (tuple, list)) or not rows:
        raise NotYet(f"{name}: the rows are missing. One row a level: (index, address of the entry, entry).")
    steps = record.levels
    for at, step in enumerate(steps):
        if at >= len(rows):
            raise NotYet(
                f"{name}: the walk does not end after row {at}: that entry points to another table. Go on."
            )
        before = steps[at - 1].raw if at else None
        _row(f"{name}, row {at + 1} ({step.level.name})", rows[at], step, record.va, before)
    if len(rows) > len(steps):
        last = steps[-1]
        raise NotYet(
            f"{name}: row {len(steps) + 1} does not exist. The {last.level.name} entry of the row above ended "
            "the walk; one of its bits says so."
        )
    _physical(name, number(physical, f"{name}: the physical address"), record)
    return len(steps)


def _row(where: str, row: object, step: WalkStep, va: int, before: int | None) -> None:
    if not isinstance(row, (tuple, list)) or len(row) != 3:
        raise NotYet(f"{where} has not three numbers: (index, address of the entry, entry).")
    index, address, raw = (number(value, f"{where}: one of the three") for value in row)
    if index != step.index:
        if index == va >> step.level.shift:
            raise NotYet(
                f"{where}: index {index:#x} is more than the 512 entries of a table. Keep nine bits."
            )
        raise NotYet(
            f"{where}: index {index}. Moving the address by {step.level.size:#x} must move this index by one. "
            "Where do its nine bits begin?"
        )
    if address != step.entry_address:
        if address == step.table + index:
            raise NotYet(f"{where}: you read byte {index} of the table. An entry is 8 bytes.")
        if before is not None and address == (before & ~(1 << 63)) + 8 * index and address & 0xFFF:
            raise NotYet(
                f"{where}: you took all of {before:#x} for the table's address. Its low 12 bits are flags."
            )
        if abs(address - step.table) < 4096:
            raise NotYet(f"{where}: the right table, but entry {index} is not at its byte {address & 0xFFF}.")
        raise NotYet(f"{where}: {address:#x} is not in the table that the row above points to.")
    if raw != step.raw:
        raise NotYet(f"{where}: the word at {address:#x} is not {raw:#x}. Ask read() again.")


def _physical(name: str, physical: int, record: WalkRecord) -> None:
    right = record.physical
    size = record.page_size
    raw = record.levels[-1].raw
    if physical == right or right is None or size is None:
        return
    if physical >> 52:
        raise NotYet(
            f"{name}: {physical:#x} is no memory: a physical address has at most 52 bits. Bits 63:52 of the entry "
            "are not address."
        )
    if size > 4096 and physical == (right & -size) + (record.va & 0xFFF):
        raise NotYet(
            f"{name}: the right page, the wrong byte. This page is larger than 4 KiB: more of the address is offset."
        )
    if physical == right & -size or physical == right & ~0xFFF:
        raise NotYet(
            f"{name}: {physical:#x} is where the page begins. Which byte of it does the address mean?"
        )
    if physical & -size == right & -size or physical - (raw & ~(1 << 63)) in range(size):
        raise NotYet(f"{name}: {physical:#x} mixes the entry's low bits into the address. They are flags.")
    raise NotYet(f"{name}: {physical:#x} is not in the page that the last entry names.")


EXERCISE = Exercise(
    name="01.1",
    title="By hand",
    notebook="01_page_tables",
    kind="compute",
    difficulty=1,
    minutes=10,
    hints=(
        "A table has 512 entries. How many bits choose one of 512, and where in the address are they, level by level?",
        "Address of an entry = start of the table + 8 × index. The next table starts at the entry without its flags.",
        "Start of the next table: entry & 0x000ffffffffff000. Stop when bit 7 is set at pud or pmd: the rest of the "
        "address is then the offset.",
    ),
    why="Each level takes nine bits of the address to choose one of 512 entries of 8 bytes; what is left when an entry "
    "maps memory is the offset, 12 bits for 4 KiB and 21 for 2 MiB.",
    check=check,
    problem=draw,
)
