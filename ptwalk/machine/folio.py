"""Data pages: references, mappings, the dirty and young flags of the folio.

Storey 2 (machine).  Each counter changes by one atomic step.  The step that drops the last reference also
frees the page: nothing can come between the two that matters to anybody.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ptwalk.machine.frames import Frame, FrameOperation, Life
from ptwalk.machine.operation import Footprint


class GetPageUnlessZero(FrameOperation):
    """Takes a reference unless the page has none left; the result says whether it did."""

    __slots__ = ()
    kind = "get_page"

    def footprint(self, cpu: int) -> Footprint:
        refs = self.frame.folio.refs
        return (self.frame.life, refs), (refs,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        refs = self.frame.folio.refs
        if not memory[refs]:
            return False
        memory[refs] += 1
        return True

    def text(self) -> str:
        return f"takes a reference on the page in {self.frame.name}, if it has any"


class PutPage(FrameOperation):
    """Drops a reference; dropping the last frees the page.  The result says whether it did."""

    __slots__ = ()
    kind = "put_page"

    def footprint(self, cpu: int) -> Footprint:
        refs, life = self.frame.folio.refs, self.frame.life
        return (life, refs, *self.frame.machine.tlb_cells), (life, refs)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        refs = self.frame.folio.refs
        memory[refs] -= 1
        if memory[refs] > 0:
            return False
        life = memory[self.frame.life]
        memory[self.frame.life] = Life("freed", life.generation + 1, life.kind)
        return True

    def text(self) -> str:
        return f"drops its reference on the page in {self.frame.name}"


class FolioOperation(FrameOperation):
    """A step that adds `by` to one counter of the folio; the result is what it held before."""

    __slots__ = ()
    counter = "mapcount"
    by = 1
    words = ""

    def footprint(self, cpu: int) -> Footprint:
        cell = getattr(self.frame.folio, self.counter)
        return (self.frame.life, cell), (cell,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        cell = getattr(self.frame.folio, self.counter)
        before: Hashable = memory[cell]
        memory[cell] += self.by
        return before

    def text(self) -> str:
        return f"{self.words} the page in {self.frame.name}"


class AddRmap(FolioOperation):
    """One more page-table entry maps the page (page_add_*_rmap)."""

    __slots__ = ()
    kind = "rmap_add"
    words = "counts a mapping of"


class RemoveRmap(FolioOperation):
    """One page-table entry less maps the page (page_remove_rmap)."""

    __slots__ = ()
    kind = "rmap_remove"
    by = -1
    words = "counts a mapping less of"


class SetFolioFlag(FolioOperation):
    """Sets a flag of the folio."""

    __slots__ = ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        cell = getattr(self.frame.folio, self.counter)
        before: Hashable = memory[cell]
        memory[cell] = 1
        return before


class MarkDirty(SetFolioFlag):
    """Notes on the folio that it was written to, as set_page_dirty does with a D bit taken from an entry."""

    __slots__ = ()
    kind = "set_dirty"
    counter = "dirty"
    words = "marks dirty"


class MarkYoung(SetFolioFlag):
    """Notes on the folio that it was used, as DAMON and reclaim do with an A bit taken from an entry."""

    __slots__ = ()
    kind = "set_young"
    counter = "young"
    words = "marks young"


class PageCount(FrameOperation):
    """Reads the number of references and of mappings, in one step."""

    __slots__ = ()
    kind = "page_count"

    def footprint(self, cpu: int) -> Footprint:
        folio = self.frame.folio
        return (self.frame.life, folio.refs, folio.mapcount), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        return memory[self.frame.folio.refs], memory[self.frame.folio.mapcount]

    def text(self) -> str:
        return f"compares references and mappings of the page in {self.frame.name}"


class CopyPage(FrameOperation):
    """Copies the page's data into another page, which will be mapped instead of it."""

    __slots__ = ("to",)
    kind = "copy"

    def __init__(self, frame: Frame, to: Frame) -> None:
        self.frame = frame
        self.to = to

    def footprint(self, cpu: int) -> Footprint:
        data = self.frame.folio.data
        return (self.frame.life, data), (data,)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.frame.folio.data] = f"copied to {self.to.name}"
        return None

    def text(self) -> str:
        return f"copies the page in {self.frame.name} to {self.to.name}"


class UsePage(FrameOperation):
    """Somebody who pinned the page uses it, by DMA say; the result is why that is wrong, or empty."""

    __slots__ = ()
    kind = "use"

    def footprint(self, cpu: int) -> Footprint:
        return (self.frame.life, self.frame.folio.data), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        data = str(memory[self.frame.folio.data])
        if data.startswith("copied"):
            return f"the page's data was {data}, which is mapped instead of it"
        return f"the page holds {data}" if data.startswith("another") else ""

    def text(self) -> str:
        return f"uses the page in {self.frame.name}"


class TakeFreedPage(FrameOperation):
    """The allocator hands a freed page to somebody else, who fills it; nothing happens if it is not free."""

    __slots__ = ()
    kind = "reuse"

    def footprint(self, cpu: int) -> Footprint:
        folio = self.frame.folio
        return (self.frame.life,), (self.frame.life, folio.refs, folio.mapcount, folio.data)

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        life = memory[self.frame.life]
        if life.state != "freed":
            return False
        memory[self.frame.life] = Life("page", life.generation, "anon")
        memory[self.frame.folio.refs] = memory[self.frame.folio.mapcount] = 1
        memory[self.frame.folio.data] = "another owner's data"
        return True

    def text(self) -> str:
        return f"hands the page in {self.frame.name} to another owner, if it is free"
