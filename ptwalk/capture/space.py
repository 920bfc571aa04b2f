"""A whole address space from its tables: every table once, every mapped range in order of address.

Part of `capture`; knows formats and the memory protocol, nothing of files.  Tables form a graph: one table
may be reached through 65,536 entries, a root may map itself.  So each table is gone through once for each
level it serves, and a second way to it is said to be one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ptwalk.arch import Entry, Format, Level, Rights
from ptwalk.errors import CaptureError, MissingMemory
from ptwalk.machine.physmem import PhysicalMemory
from ptwalk.trace.space import ALIAS, MAPPED, MappedRange, TableNode

MOST_TABLES = 1 << 17
"""A root may reach at most this many tables: 256 GiB of small pages; more is taken for a mistake."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry that maps memory, at the address where it was reached.

    `va` is the first address it maps, `physical` the frame, `raw` the entry at `level`, `rights` those of
    all levels together. With `kind` ALIAS it is no leaf but an entry that leads to a table met before:
    `physical` is that table.
    """

    va: int
    physical: int
    level: Level
    raw: int
    rights: Rights
    kind: str = MAPPED


class TableGraph:
    """The tables that one root reaches, `half` of them ("user", "kernel") or, with None, all.

    Raises `CaptureError` while enumerating if there are more than MOST_TABLES.
    """

    def __init__(self, memory: PhysicalMemory, root: int, format: Format, half: str | None = None) -> None:
        self.memory = memory
        self.root = root
        self.format = format
        self.half = half

    def _entries(self, table: int, level: Level) -> list[tuple[int, int]] | None:
        # (index, raw) of the entries that are not zero; None if the table is not in memory.
        try:
            data = self.memory.read(table, level.table_bytes)
        except MissingMemory:
            return None
        found = [(i, raw) for i, raw in enumerate(struct.unpack(f"<{level.entries}Q", data)) if raw]
        if self.half is None or level.depth:
            return found
        return [(i, raw) for i, raw in found if self.format.half(self._va(0, i, level)) == self.half]

    def _va(self, start: int, index: int, level: Level) -> int:
        va = start + (index << level.shift)
        return self.format.sign_extend(va) if level.depth == 0 else va

    def leaves(self, expand: bool = False) -> Iterator[Leaf]:
        """The entries that map memory, in order of address.

        A table that is reached again is not gone through again but yields one leaf of kind ALIAS; with
        `expand` it is gone through each time, which in a space that maps itself may take for ever.
        """
        seen: set[tuple[int, int]] = {(self.root, 0)}
        yield from self._leaves(self.root, 0, 0, None, None if expand else seen)

    def _leaves(
        self, table: int, depth: int, start: int, above: Rights | None, seen: set[tuple[int, int]] | None
    ) -> Iterator[Leaf]:
        format = self.format
        level = format.levels[depth]
        table_test, table_is = format.table_tests[depth]
        leaf_test, leaf_is = format.leaf_tests[depth]
        # Rights depend on the bits beside the address alone; decoding each of 512 neighbours would be slow.
        address_bits = format.leaf_address_masks[depth] | format.table_address_mask
        known: dict[int, Rights] = {}
        for index, raw in self._entries(table, level) or ():
            follow = raw & table_test == table_is
            if not follow and raw & leaf_test != leaf_is:
                continue
            rights = known.get(raw & ~address_bits)
            if rights is None:
                rights = format.combine(above, format.decode(raw, level))
                known[raw & ~address_bits] = rights
            va = self._va(start, index, level)
            if not follow:
                yield Leaf(va, format.leaf_address(raw, depth), level, raw, rights)
                continue
            child = format.table_address(raw)
            if seen is not None:
                if (child, depth + 1) in seen:
                    yield Leaf(va, child, level, raw, rights, ALIAS)
                    continue
                seen.add((child, depth + 1))
                self._check(len(seen))
            yield from self._leaves(child, depth + 1, va, rights, seen)

    def ranges(self, frames: bool = True) -> Iterator[MappedRange]:
        """The mapped ranges in order of address; see `Capture.mapped_ranges`."""
        start = end = physical = page_size = 0
        rights: Rights | None = None
        kind = MAPPED
        for leaf in self.leaves():
            alias = leaf.kind == ALIAS
            size = leaf.level.size
            follows = (
                rights is not None
                and leaf.va == end
                and leaf.rights == rights
                and leaf.kind == kind
                and page_size == (0 if alias else size)
                and (
                    leaf.physical == (physical if alias else physical + end - start) or not (frames or alias)
                )
            )
            if not follows:
                if rights is not None:
                    yield MappedRange(start, end, physical, page_size, rights, kind)
                start, physical, rights, kind = leaf.va, leaf.physical, leaf.rights, leaf.kind
                page_size = 0 if alias else size
            end = leaf.va + size
        if rights is not None:
            yield MappedRange(start, end, physical, page_size, rights, kind)

    def _visits(self) -> Iterator[tuple[Level, int, int, list[tuple[int, int]]]]:
        # (level, table, first address covered, entries that are not zero), each table once for each level it serves.
        format = self.format
        # One level at a time: tables to go through there, each with the first address that it covers.
        front = {self.root: self._va(0, 0, format.levels[0])}
        gone_through = 0
        for depth, level in enumerate(format.levels):
            below: dict[int, int] = {}
            for table, start in front.items():
                entries = self._entries(table, level)
                if entries is None:
                    continue
                gone_through += 1
                self._check(gone_through)
                yield level, table, start, entries
                for index, raw in entries:
                    if format.is_table(raw, depth):
                        below.setdefault(format.table_address(raw), self._va(start, index, level))
            front = below

    def tables(self) -> tuple[TableNode, ...]:
        """Every table that can be reached and read, once, level by level and in order of address."""
        format = self.format
        parents: dict[int, set[int]] = {}
        found: dict[int, tuple[Level, int, int]] = {}
        for level, table, start, entries in self._visits():
            found.setdefault(table, (level, start, len(entries)))
            for index, raw in entries:
                if format.is_table(raw, level.depth):
                    parents.setdefault(format.table_address(raw), set()).add(table + 8 * index)
        return tuple(
            TableNode(
                address=table,
                level=level.name,
                depth=level.depth,
                parents=len(parents.get(table, ())),
                entries_used=used,
                covers_start=start,
                covers_end=self._va(start if level.depth else 0, level.entries - 1, level) + level.size,
            )
            for table, (level, start, used) in found.items()
        )

    def kept(self) -> Iterator[tuple[int, Entry]]:
        """(address, entry) where an entry is not empty and the hardware does not use it, level by level.

        Such entries are Linux's own: swapped pages, PROT_NONE, migration, markers; or they have a reserved bit set.
        """
        for level, _, start, entries in self._visits():
            for index, raw in entries:
                if not self.format.is_table(raw, level.depth) and not self.format.is_leaf(raw, level.depth):
                    yield self._va(start, index, level), self.format.decode(raw, level)

    def _check(self, tables: int) -> None:
        if tables > MOST_TABLES:
            raise CaptureError(
                f"this root reaches more than {MOST_TABLES:,} tables, which no process has:"
                " check that the root and the format belong to this core"
            )
