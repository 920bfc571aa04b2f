"""Trace: what one step touched, as the values that sanitizers judge.

Knows `arch` and nothing of machines: whoever runs steps fills these in, with what the step's footprint holds
and no more.  All states are those before the step, unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ptwalk.arch import Entry, Format


@dataclass(frozen=True, slots=True)
class FrameSeen:
    """A frame at the moment of the step.

    `state` is "table", "page", "free", "freed", "reused" or "wild" (no RAM there); `link` says where a table
    is: "linked", "private" (not in the tree yet), "unlinked", "deposited", or "" if the step does not look.
    `kind` is the level the table was allocated for, or the kind of page.  `owner` is the CPU that holds a
    table off the tree, or None.  `generation` grows at every free.
    """

    number: int
    pa: int
    state: str
    kind: str
    generation: int
    link: str = ""
    owner: int | None = None

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"frame {self.number}" if self.number >= 0 else f"the address {self.pa:#x}"

    @property
    def alive(self) -> bool:
        """Whether it still is what it was given out as."""
        return self.state in ("table", "page")


@dataclass(frozen=True, slots=True)
class LockSeen:
    """A lock: its name, its class in the lock order, how it is held or taken, whether taking it may sleep.

    `frame` is the frame it lives in, `level` the level of the table in that frame ("" if there is none).
    """

    name: str
    lock_class: str
    mode: str = "write"
    sleeps: bool = False
    frame: int | None = None
    level: str = ""

    def __str__(self) -> str:
        return f"{self.name} (read)" if self.mode == "read" else self.name


@dataclass(frozen=True, slots=True)
class CachedSeen:
    """What one CPU's TLB or paging-structure cache holds: start of the range, level, the word it came from."""

    cpu: int
    va: int
    level: str
    raw: int


@dataclass(frozen=True, slots=True)
class Observation:
    """One step.  Fields that do not apply are None or empty.

    `kind` is the operation's: read, write, clear, xchg, cmpxchg, rmw, hardware (entries); lock, trylock,
    unlock, down_read, up_read, down_write, ... (locks); alloc, free, reuse, queue_free, put_page, get_page,
    touch (frames); flush, ipi, gp_start, gp_wait, call_rcu, irq_disable, ... (CPUs).
    `frame` is the frame the step touches: the table of an entry, the frame a lock lives in, the page freed.
    `level`, `index`, `old`, `new` describe the entry: `level` is what the code takes it for.
    `held` are the locks this CPU held before the step, oldest first; `owner` is the CPU that holds the lock
    taken or dropped (None: nobody).  `links` is the frame that a store hangs below an upper entry, as it was before.
    `sections` counts the sections it is in that may not sleep (RCU, spinlocks, preemption or interrupts off).  `cached`
    is filled for steps that free.
    `claim` is set at the last look ("reread") of a lockless walker that found nothing changed: whether what it now
    concludes (this address maps that page) was true at any moment since it pinned the page.
    `users` names who could still find his way to a table that free_pgtables cuts off, such as a VMA; "" for nobody.
    """

    cpu: int
    kind: str
    text: str
    format: Format
    frame: FrameSeen | None = None
    level: str = ""
    index: int = -1
    old: int | None = None
    new: int | None = None
    lock: LockSeen | None = None
    owner: int | None = None
    held: tuple[LockSeen, ...] = ()
    irqs_on: bool | None = None
    in_rcu: bool | None = None
    sections: int = 0
    cached: tuple[CachedSeen, ...] = ()
    links: FrameSeen | None = None
    claim: bool | None = None
    users: str = ""
    result: Any = None

    @property
    def stores(self) -> bool:
        """Whether software stored into an entry."""
        return self.kind in ("write", "clear", "xchg", "rmw") or (
            self.kind == "cmpxchg" and bool(self.result)
        )

    @property
    def entry_before(self) -> Entry | None:
        """The entry before the step, decoded."""
        return None if self.old is None else self.format.decode(self.old, self.level)

    @property
    def entry_after(self) -> Entry | None:
        """The entry after the step, decoded."""
        return None if self.new is None else self.format.decode(self.new, self.level)


@dataclass(frozen=True, slots=True)
class PageSeen:
    """A data page when every CPU has finished.

    `entries` counts the leaf entries that map it; `written` says whether a user program wrote to it, `dirty` whether
    the folio knows.
    """

    frame: FrameSeen
    refs: int
    mapcount: int
    entries: int = 0
    written: bool = False
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class EndOfRun:
    """What is left when every CPU has finished: all frames, and the locks each CPU still holds."""

    format: Format
    frames: tuple[FrameSeen, ...]
    held: tuple[tuple[LockSeen, ...], ...]
    irqs_on: tuple[bool, ...]
    linked: frozenset[int]  # numbers of the frames that some table entry in the tree points to
    waiting: frozenset[int]  # frames that wait for an RCU callback
    roots: frozenset[int]
    deposited: frozenset[int]
    read_sections: tuple[int, ...] = ()  # how deep each CPU still is in RCU read-side sections
    mapped: frozenset[int] = frozenset()  # frames that some leaf entry in the tree maps
    dirty_mapped: frozenset[int] = frozenset()  # those of them that some entry calls dirty
    pages: tuple[PageSeen, ...] = ()
    strays: tuple[int, ...] = ()  # first addresses of mappings that no VMA covers
    stale: tuple[tuple[CachedSeen, int], ...] = ()  # translations that are left, and what the entry holds now
