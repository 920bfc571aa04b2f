"""Initial states that many scenarios share: where the walked page lies, and what lies beside it.

Room: scenarios.  Every layout has the walked page at `PAGE`, which is 2 MiB aligned.  A far neighbour in the same
1 GiB keeps the upper tables in being, so that only the pte table goes; `alone=True` leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptwalk.kernel.mm import Mm
from ptwalk.kernel.rmap import RmapTree, address_space
from ptwalk.kernel.vma import Vma
from ptwalk.machine.frames import Frame
from ptwalk.scenarios.stage import Stage


@dataclass(frozen=True, slots=True)
class Ground:
    """An address space with one page that a walker walks to: the mm, the VMA, the page's address and frame."""

    mm: Mm
    vma: Vma | None
    addr: int
    page: Frame | None
    file: RmapTree | None = None


def span(mm: Mm) -> int:
    """Bytes that one pte table covers: 2 MiB with 4 KiB pages."""
    return mm.pmd_level.size


def home(mm: Mm) -> int:
    """The walked address: aligned to a pte table's span, in the middle of the second of them."""
    return (1 << 38) + 2 * span(mm)


def elsewhere(mm: Mm, addr: int) -> int:
    """An address that nobody maps, as far from the start of a table as `addr`: where a mapping can be moved to."""
    return addr + 8 * span(mm)


def vma_at(mm: Mm, addr: int) -> Vma | None:
    """The VMA that covers an address before the first step, or None."""
    return next((vma for vma in mm.initial_vmas if addr in vma), None)


def page_at(mm: Mm, addr: int) -> Frame | None:
    """The page that an address maps before the first step, or None."""
    format, machine, table = mm.format, mm.machine, mm.pgd
    for level in format.levels:
        raw = table.contents.get(format.index(addr, level), 0)
        child = machine.child(raw, level)
        if child is None:
            entry = format.decode(raw, level)
            return (
                machine.frame_at(entry.address) if entry.linux_present and entry.address is not None else None
            )
        table = child
    return None


def cached_page(mm: Mm) -> Frame | None:
    """A page of the page cache, mapped or not, or None if there is none."""
    return next((frame for frame in mm.machine.frames() if frame.life_in([]).kind == "file"), None)


def anonymous(
    stage: Stage,
    threads: Sequence[str],
    *,
    pages: int = 1,
    populate: bool = True,
    alone: bool = False,
    whole: bool = False,
    huge: bool = False,
    dirty: bool = False,
    flags: Sequence[str] = (),
) -> Ground:
    """One anonymous VMA of some pages (`whole`: of the span of one pte table), and a far neighbour."""
    mm = stage.mm(threads=threads)
    addr, size = home(mm), mm.format.page_size
    end = addr + span(mm) if whole or huge else addr + pages * size
    given = range(addr, addr + pages * size, size) if populate else ()
    vma = mm.map(addr, end, populate=[addr] if huge else given, huge=huge, dirty=dirty, flags=flags)
    if not alone:
        far_neighbour(mm)
    mm.watch(elsewhere(mm, addr))
    return Ground(mm, vma, addr, page_at(mm, addr))


def file_mapping(
    stage: Stage,
    threads: Sequence[str],
    *,
    populate: bool = True,
    write: bool = True,
    dirty: bool = False,
    flags: Sequence[str] = (),
) -> Ground:
    """One shared file mapping of the span of a pte table, one page of it populated, and a far neighbour."""
    mm = stage.mm(threads=threads)
    addr = home(mm)
    mapping = address_space(stage.machine, "the file")
    vma = mm.map(
        addr,
        addr + span(mm),
        populate=[addr] if populate else (),
        file=mapping,
        write=write,
        dirty=dirty,
        flags=flags,
    )
    if not populate:
        # The page is in the page cache, and mapped nowhere; the table that mapped it is still there.
        stage.machine.new_frame("file", "page")
        mm.watch(addr)
        mm.initial_table(addr, "pte")
    far_neighbour(mm)
    mm.watch(elsewhere(mm, addr))
    return Ground(mm, vma, addr, page_at(mm, addr), mapping)


def shared_with_a_child(stage: Stage, threads: Sequence[str]) -> Ground:
    """One page, mapped read-only because a forked child maps it too: the next write copies it."""
    mm, child = stage.mm(threads=threads), stage.mm("child")
    addr, page = home(mm), stage.machine.new_frame("anon", "page")
    for each in (mm, child):
        each.map(addr, addr + mm.format.page_size, populate=[addr], pages=[page], write=False)
    return Ground(mm, mm.initial_vmas[0], addr, page)


def far_neighbour(mm: Mm) -> Vma:
    """A VMA two spans above: it shares the PMD table and every table above it, but no pte table."""
    start = home(mm) + 2 * span(mm)
    return mm.map(start, start + mm.format.page_size)


def near_neighbour(mm: Mm, addr: int, *, flags: Sequence[str] = ("VM_READ",)) -> Vma:
    """A VMA of one page in the middle of the same pte table."""
    start = addr + span(mm) // 2
    mm.watch(elsewhere(mm, start))
    return mm.map(start, start + mm.format.page_size, populate=[start], flags=flags)
