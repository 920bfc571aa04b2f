"""Data pages by the kernel's names: from an entry to its page, references on it, what a zap owes it.

Room: kernel.  A walker that keeps a page beyond the lock under which it found it pins it first: a mapped page lives as
long as its mapping, a pinned one as long as the pin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptwalk.machine.folio import GetPageUnlessZero, MarkDirty, PutPage, RemoveRmap, UsePage
from ptwalk.machine.operation import Operation

if TYPE_CHECKING:
    from ptwalk.arch import Entry
    from ptwalk.kernel.mm import Mm
    from ptwalk.machine.frames import Frame


def page_of(mm: Mm, entry: Entry) -> Frame | None:
    """pfn_to_page(pte_pfn(pte)): the page that an entry names; None if it names no data page.  No step.

    The entry may be old: whether the page still is what it was, only a reference and a second look can tell.
    """
    if entry.address is None or not mm.machine.is_page(entry.address):
        return None
    return mm.machine.frame_at(entry.address)


def get_page_unless_zero(page: Frame) -> Operation:
    """Takes a reference, as try_grab_folio does, unless the page has none left; the result says whether it did."""
    return GetPageUnlessZero(page)


def put_page(page: Frame) -> Operation:
    """Drops a reference; the last one frees the page."""
    return PutPage(page)


def use_page(page: Frame) -> Operation:
    """What the pin was for: DMA into the page, a copy out of it.  Wrong if it is not the mapped page any more."""
    return UsePage(page)


def set_page_dirty(page: Frame) -> Operation:
    """Hands the D bit of an entry that was taken away to the page."""
    return MarkDirty(page)


def page_remove_rmap(page: Frame) -> Operation:
    """Counts a mapping less, for an entry that was taken away; its reference goes by `put_page`, after the flush."""
    return RemoveRmap(page)
