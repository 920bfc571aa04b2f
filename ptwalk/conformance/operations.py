"""Which simulated code does the operation of a recording, and on what.

Room: conformance. Recordings are told apart by the name of their operation; `smp_` before it only says that there was a
second CPU.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ptwalk.actors.collapse_file import retract_page_tables
from ptwalk.actors.exit import exit_mm
from ptwalk.actors.fault import page_fault
from ptwalk.actors.khugepaged import collapse_huge_page
from ptwalk.actors.madvise import madvise_dontneed
from ptwalk.actors.mprotect import mprotect_readonly
from ptwalk.actors.mremap import mremap
from ptwalk.actors.munmap import munmap
from ptwalk.conformance.layout import BadSetup, Layout
from ptwalk.kernel.kernel import allocates
from ptwalk.machine.folio import PutPage
from ptwalk.machine.frames import AllocateFrame
from ptwalk.walk.gup import get_user_page
from ptwalk.walk.gup_fast import get_user_page_fast
from ptwalk.walk.readers import mincore, pagemap
from ptwalk.walk.rmap import try_to_unmap

Code = Callable[[Layout], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Modelled:
    """An operation that the simulator has: its name as a pattern, the code, and what that is called."""

    pattern: str
    code: Code
    by: str


@dataclass(frozen=True, slots=True)
class NotModelled:
    """An operation that the simulator does not have, with the reason."""

    pattern: str
    reason: str


async def _munmap(at: Layout) -> None:
    await munmap(at.mm, at.region.start, at.region.end)


async def _dontneed(at: Layout) -> None:
    await madvise_dontneed(at.mm, at.region.start, at.region.end)


async def _mremap(at: Layout) -> None:
    await mremap(at.mm, at.region.start, at.region.size, at.destination.start)


async def _exit(at: Layout) -> None:
    await exit_mm(at.mm)


async def _fault(at: Layout) -> None:
    await page_fault(at.mm, at.pages[0])


async def _collapse(at: Layout) -> None:
    await collapse_huge_page(at.mm, at.region.start, scan=True)


@allocates
async def collapse_file(at: Layout) -> None:
    """A file collapse: each page out of tables and page cache, then the tables go; the daemon takes everybody's.

    As `actors.collapse_file.collapse_file`, with just the pages that the recording watched.

    *Source*: mm/khugepaged.c collapse_file, 6.1; recorded in 6.1.176.
    """
    if at.file is None:
        raise BadSetup("a file collapse needs a shared file mapping as its region")
    mm = at.mm
    huge = await AllocateFrame(mm.machine, "huge")
    for address in mm.pages_in(at.region.start, at.region.end):
        entry = mm.format.decode(
            mm.initial_table(address, "pte").contents[mm.format.index(address, "pte")], "pte"
        )
        page = mm.machine.frame_at(entry.address or 0)
        await try_to_unmap(at.file, page, address - at.vma.start)
        await PutPage(page)
    target, mapped = (None, None) if at.daemon else (mm, huge)
    await retract_page_tables(at.kernel, at.file, at.region.start - at.vma.start, target=target, huge=mapped)


async def _gup_fast(at: Layout) -> None:
    for address in at.pages:
        await get_user_page_fast(at.mm, address)


async def _gup(at: Layout) -> None:
    for address in at.pages:
        await get_user_page(at.mm, address)


async def _mprotect(at: Layout) -> None:
    await mprotect_readonly(at.mm, at.region.start, at.region.end)


async def _mincore(at: Layout) -> None:
    await mincore(at.mm, at.region.start, at.region.end)


async def _pagemap(at: Layout) -> None:
    await pagemap(at.mm, at.region.start, at.region.end)


OPERATIONS: tuple[Modelled, ...] = (
    Modelled(r"munmap(_\w+)?", _munmap, "actors.munmap.munmap"),
    Modelled(r"dontneed(_\w+)?", _dontneed, "actors.madvise.madvise_dontneed"),
    Modelled(r"mremap(_\w+)?", _mremap, "actors.mremap.mremap"),
    Modelled(r"exit(_\w+)?", _exit, "actors.exit.exit_mm"),
    Modelled(r"fault_\w+", _fault, "actors.fault.page_fault"),
    Modelled(
        r"collapse_tmpfs(_\w+)?",
        collapse_file,
        "walk.rmap.try_to_unmap, actors.collapse_file.retract_page_tables",
    ),
    Modelled(r"collapse_\w+", _collapse, "actors.khugepaged.collapse_huge_page"),
    Modelled(r"gup_fast(_\w+)?", _gup_fast, "walk.gup_fast.get_user_page_fast"),
    Modelled(r"gup_\w+", _gup, "walk.gup.get_user_page"),
    Modelled(r"mincore(_\w+)?", _mincore, "walk.readers.mincore"),
    Modelled(r"pagemap(_\w+)?", _pagemap, "walk.readers.pagemap"),
    Modelled(r"mprotect(_\w+)?", _mprotect, "actors.mprotect.mprotect_readonly"),
)


def operation_of(name: str) -> Modelled | NotModelled:
    """What the simulator has for the operation of that name; one it has never heard of is not modelled."""
    plain = name.removeprefix("smp_")
    for operation in OPERATIONS:
        if re.fullmatch(operation.pattern, plain):
            return operation
    return NotModelled(re.escape(plain), "this ptwalk has never heard of the operation")
