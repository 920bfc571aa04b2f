"""Trace: one hardware walk as a value: every entry on the way, where it ended, and why.

Whoever walks (`machine.mmu`) hands over bare numbers; this room turns them into decoded levels only when
somebody looks, so that walking stays fast.  Knows `arch` and `errors`; never which memory was walked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from ptwalk.arch import Entry, EntryState, Format, Level, Rights, format_named
from ptwalk.errors import PtwalkError

Json: TypeAlias = dict[str, Any]

NOT_PRESENT = "not present"
"""Reason: the entry's present (valid) bit is clear; what Linux keeps there is another matter."""

RESERVED_BIT = "reserved bit"
"""Reason: a bit that must be zero is set, or the entry's type does not exist at its level."""

MISSING_MEMORY = "missing memory"
"""Reason: the table that an entry (or the root) points to is not in the memory that was walked."""

NOT_CANONICAL = "not canonical"
"""Reason: the address itself is none of this format's; no table was read."""

REASONS = (NOT_PRESENT, RESERVED_BIT, MISSING_MEMORY, NOT_CANONICAL)


class BadWalkRecord(PtwalkError):
    """The JSON is no walk record; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class WalkStep:
    """One level of a walk: the entry that was read there.

    `table` is the physical address of the table, `index` the number of the entry in it, `entry_address`
    where the entry lies, `raw` its 64 bits and `entry` their meaning. `rights` are those of all levels
    so far together; None where the entry grants nothing because the walk stopped at it.
    """

    level: Level
    table: int
    index: int
    entry_address: int
    raw: int
    entry: Entry
    rights: Rights | None

    def to_json(self) -> Json:
        """The step as plain values: addresses and raw entries as hexadecimal text."""
        return {
            "level": self.level.name,
            "table": hex(self.table),
            "index": self.index,
            "entry_address": hex(self.entry_address),
            "raw": hex(self.raw),
            "state": str(self.entry.state),
            "address": _hex(self.entry.address),
            "rights": None if self.rights is None else str(self.rights),
        }


@dataclass(frozen=True, slots=True)
class WalkFault:
    """What stopped a walk.

    `reason` is one of `REASONS`. `level` is the name of the level whose entry stopped it, or whose table is
    missing; None for an address that is not canonical. `entry_state` says what Linux makes of the entry
    (a swapped page, PROT_NONE, nothing…); `bit` is the number of the bit that decided, where one did.
    `sentence` says it all in words.
    """

    reason: str
    level: str | None
    entry_state: EntryState | None
    bit: int | None
    sentence: str

    def to_json(self) -> Json:
        """The fault as plain values."""
        return {
            "reason": self.reason,
            "level": self.level,
            "entry_state": None if self.entry_state is None else str(self.entry_state),
            "bit": self.bit,
            "sentence": self.sentence,
        }

    def __str__(self) -> str:
        return self.sentence


class WalkRecord:
    """One walk from a root down to a frame, or to what stopped it; a value, never changed.

    `va` is the address asked for, `format` and `root` say by which tables. `physical` is the address that
    it means, `page_size` the size in bytes that the leaf descriptor maps; both None after a fault.
    `raws` are the entries read, top first. The rest (`levels`, `fault`, `rights`…) is decoded when asked for.
    """

    __slots__ = ("va", "format", "root", "raws", "physical", "page_size", "_reason", "_levels")

    def __init__(
        self,
        va: int,
        format: Format,
        root: int,
        raws: tuple[int, ...],
        physical: int | None,
        page_size: int | None,
        reason: str | None = None,
    ) -> None:
        self.va = va
        self.format = format
        self.root = root
        self.raws = raws
        self.physical = physical
        self.page_size = page_size
        self._reason = reason
        self._levels: tuple[WalkStep, ...] | None = None

    @property
    def levels(self) -> tuple[WalkStep, ...]:
        """The entries that were read, top first, each decoded and with the rights so far."""
        if self._levels is None:
            self._levels = self._decode()
        return self._levels

    def _decode(self) -> tuple[WalkStep, ...]:
        steps: list[WalkStep] = []
        table: int = self.root
        rights: Rights | None = None
        last = len(self.raws) - 1
        for depth, (raw, level) in enumerate(zip(self.raws, self.format.levels, strict=False)):
            entry = self.format.decode(raw, level)
            index = level.index(self.va)
            # The entry at which the walk stopped grants nothing; all above it do, whoever stopped later.
            stopped = depth == last and self._reason in (NOT_PRESENT, RESERVED_BIT)
            rights = None if stopped else self.format.combine(rights, entry)
            steps.append(WalkStep(level, table, index, table + 8 * index, raw, entry, rights))
            if entry.address is not None:
                table = entry.address
        return tuple(steps)

    @property
    def mapped(self) -> bool:
        """Whether the walk reached a frame."""
        return self._reason is None

    @property
    def reason(self) -> str | None:
        """Why the walk stopped, one of `REASONS`, without decoding anything; None if it reached a frame."""
        return self._reason

    @property
    def fault(self) -> WalkFault | None:
        """What stopped the walk and at which level; None if it reached a frame."""
        if self._reason is None:
            return None
        if self._reason == NOT_CANONICAL:
            return WalkFault(NOT_CANONICAL, None, None, None, _not_canonical(self.format, self.va))
        if self._reason == MISSING_MEMORY:
            # The table of the next level is missing: there is one entry less than levels begun.
            level = self.format.levels[len(self.raws)]
            steps = self.levels
            table = steps[-1].entry.address if steps else self.root
            source = f"the {steps[-1].level.name} entry points" if steps else "the root points"
            sentence = (
                f"{source} to a {level.name} table at {table:#x}, which is not in this memory:"
                " the dump was cut down or the entry is damaged"
            )
            return WalkFault(MISSING_MEMORY, level.name, None, None, sentence)
        step = self.levels[-1]
        state = step.entry.state
        reserved = self._reason == RESERVED_BIT
        bit = step.entry.reserved_bit if reserved else self.format.present_mask.bit_length() - 1
        what = f"bit {bit} " if bit is not None else "its type "
        if reserved:
            why = what + ("must be zero" if bit is not None else "does not exist at this level")
        else:
            why = what + "is clear"
        sentence = (
            f"the {step.level.name} entry {step.raw:#x} at {step.entry_address:#x} stops the walk: {why}"
        )
        return WalkFault(self._reason, step.level.name, state, bit, f"{sentence}. {step.entry.sentence}")

    @property
    def leaf(self) -> Entry | None:
        """The entry that maps the page; None after a fault."""
        return self.levels[-1].entry if self._reason is None else None

    @property
    def rights(self) -> Rights | None:
        """The rights of all levels together; None after a fault."""
        return self.levels[-1].rights if self._reason is None else None

    @property
    def run_size(self) -> int | None:
        """Bytes mapped alike by the leaf and its neighbours, by arm64's contiguous bit; else `page_size`."""
        leaf = self.leaf
        if leaf is not None and leaf.contiguous and leaf.level.run_size is not None:
            return leaf.level.run_size
        return self.page_size

    def _key(self) -> tuple[Any, ...]:
        return (self.va, self.format, self.root, self.raws, self.physical, self.page_size, self._reason)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, WalkRecord) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.va, self.root, self.raws))

    def __repr__(self) -> str:
        return f"<WalkRecord {self}>"

    def __str__(self) -> str:
        if self.physical is None:
            where = self.fault
            at = f" at {where.level}" if where is not None and where.level else ""
            state = f" ({where.entry_state})" if where and where.entry_state else ""
            return f"{self.va:#x} -> no frame: {self._reason}{at}{state}"
        return f"{self.va:#x} -> {self.physical:#x}, page of {self.page_size:,} bytes, {self.rights}"

    def to_json(self) -> Json:
        """The walk as plain values; addresses and entries as hexadecimal text, sizes as numbers."""
        fault = self.fault
        return {
            "va": hex(self.va),
            "format": {
                "name": self.format.name,
                "release": str(self.format.release),
                "pa_bits": self.format.pa_bits,
                "half": self.format.half(self.format.sign_extend(0)),
                "lpa2": getattr(self.format, "lpa2", None),
                "config": sorted(self.format.config),
            },
            "root": hex(self.root),
            "physical": _hex(self.physical),
            "page_size": self.page_size,
            "run_size": self.run_size,
            "rights": None if self.rights is None else str(self.rights),
            "fault": None if fault is None else fault.to_json(),
            "levels": [step.to_json() for step in self.levels],
        }

    @classmethod
    def from_json(cls, value: Json) -> WalkRecord:
        """The record that `to_json` wrote.  Raises `BadWalkRecord` for anything else."""
        try:
            fmt = value["format"]
            format = format_named(
                fmt["name"],
                fmt["release"],
                pa_bits=fmt["pa_bits"],
                lpa2=fmt["lpa2"],
                half=fmt["half"],
                config=fmt["config"],
            )
            raws = tuple(int(step["raw"], 16) for step in value["levels"])
            record = _ended(int(value["va"], 16), format, int(value["root"], 16), raws)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise BadWalkRecord(f"this is no walk record ({error!r}): give what to_json() wrote") from error
        # What follows from address, root and entries is never believed, only compared.
        if record is None or record.to_json() != value:
            raise BadWalkRecord(
                "this walk record contradicts itself: its words do not follow from its entries"
            )
        return record


def _ended(va: int, format: Format, root: int, raws: tuple[int, ...]) -> WalkRecord | None:
    # The record that these entries make, read top first; None if no walk reads exactly these.
    if not format.covers(va):
        return None if raws else WalkRecord(va, format, root, raws, None, None, NOT_CANONICAL)
    for depth, raw in enumerate(raws):
        if format.is_table(raw, depth):
            continue
        if depth != len(raws) - 1:
            return None
        if format.is_leaf(raw, depth):
            size = format.levels[depth].size
            physical = format.leaf_address(raw, depth) + (va & (size - 1))
            return WalkRecord(va, format, root, raws, physical, size)
        reason = RESERVED_BIT if format.present(raw) else NOT_PRESENT
        return WalkRecord(va, format, root, raws, None, None, reason)
    return WalkRecord(va, format, root, raws, None, None, MISSING_MEMORY)


def _hex(value: int | None) -> str | None:
    return None if value is None else hex(value)


def _not_canonical(format: Format, va: int) -> str:
    return (
        f"{va:#x} is no address of {format.name}: the bits above bit {format.va_bits - 1} must all be equal"
        " (x86-64), or say which half is meant (arm64); no table was read"
    )
