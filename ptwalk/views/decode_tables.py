"""What `arch` knows about entries, as plain tables, so that a browser decodes without a second decoder.

Knows `arch` through the functions that everybody calls, and learns from their answers: which bits decide
the state of an entry, which bits a right depends on, where the bits of an address go, how a meaning
depends on its field. Nothing about any architecture is written here. A test compares what the tables say
with what `arch` says on thousands of entries of every format, level and release.

The tables are JSON: `web/tables.json` holds those of `RELEASES`, written by `python -m
ptwalk.views.decode_tables`; `tables()` gives them for other formats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from ptwalk.arch import FORMAT_NAMES, Entry, EntryState, Field, Format, Level, Rights, format_named
from ptwalk.errors import PtwalkError
from ptwalk.views.esm import WEB
from ptwalk.views.learning import affine, decision_tree, samples, truth_tables

RELEASES = ("5.15", "6.1", "6.6", "6.12", "6.19")
"""The releases in the shipped tables: between two neighbours some encoding changed."""

RIGHTS = ("user_read", "user_write", "user_execute", "kernel_read", "kernel_write", "kernel_execute")
FLAGS = (
    "accessed",
    "dirty",
    "writable",
    "user",
    "global_",
    "contiguous",
    "soft_dirty",
    "uffd_wp",
    "exclusive",
)

# Stand-ins that a sentence is asked to speak about, to find the places where it does.
_ADDRESS, _TYPE, _OFFSET = 0x5E471A7E5, 70707, 0x60606
# What most levels share is kept once, in lists, and named by its number.
_LISTS = ("outcomes", "sentences", "numbers", "states", "layouts", "fields", "trees")
_MOVED = ("address", "swap_type", "swap_offset")
_NUMBER = re.compile(r"(0x[0-9a-f]+)")
_ALIKE = 24  # how many entries of a kind are kept to ask further questions about
_WIDE = 6  # fields of more bits have a meaning that is computed, not listed


def tables(formats: Iterable[Format]) -> dict[str, Any]:
    """The tables of these formats as plain values for JSON.

    `formats` maps "name release" to levels; a level has a `tree` that leads from bits to one of its
    `outcomes`. These and their parts are lists, referred to by number, since most levels share most.
    """
    return _Tabulation().of(formats)


def tables_for(formats: Iterable[Format]) -> dict[str, Any]:
    """The tables of these formats: cut out of the shipped ones where they are there, else computed (seconds)."""
    wanted = {f"{fmt.name} {fmt.release}": fmt for fmt in formats}
    known = all(
        str(fmt.release) in RELEASES and replace_half(fmt) == format_named(fmt.name, release=fmt.release)
        for fmt in wanted.values()
    )
    return _cut(json.loads(read_shipped()), set(wanted)) if known else tables(wanted.values())


def replace_half(fmt: Format) -> Format:
    """The same format for the user half: entries mean the same in both."""
    return format_named(
        fmt.name, release=fmt.release, pa_bits=fmt.pa_bits, lpa2=getattr(fmt, "lpa2", None), config=fmt.config
    )


@cache
def read_shipped() -> str:
    """The text of the shipped tables."""
    return (WEB / "tables.json").read_text(encoding="utf-8")


def _cut(whole: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    # Keeps the numbers: what is not used becomes null in its place.
    formats = {key: value for key, value in whole["formats"].items() if key in keys}
    levels = [level for value in formats.values() for level in value["levels"]]
    used = {name: set[int]() for name in _LISTS}
    for level in levels:
        used["trees"].add(level["tree"])
        used["outcomes"].update(level["outcomes"])
    for number in used["outcomes"]:
        outcome = whole["outcomes"][number]
        used["sentences"].add(outcome["sentence"])
        used["states"].add(outcome["learnt"])
        used["layouts"].add(outcome["layout"])
        used["numbers"].update(outcome[name] for name in _MOVED if name in outcome)
    for number in used["layouts"]:
        used["fields"].update(whole["layouts"][number])
    lists = {
        name: [value if number in used[name] else None for number, value in enumerate(whole[name])]
        for name in _LISTS
    }
    return {**whole, **lists, "formats": formats}


def shipped() -> dict[str, Any]:
    """The tables of every format in each of `RELEASES`, computed anew."""
    return tables(format_named(name, release=release) for name in FORMAT_NAMES for release in RELEASES)


def shipped_text() -> str:
    """The shipped tables as the text of `web/tables.json`."""
    return json.dumps(shipped(), separators=(",", ":"), sort_keys=True) + "\n"


class _Tabulation:
    # Gathers tables, each distinct one once.

    def __init__(self) -> None:
        self._lists: dict[str, list[Any]] = {name: [] for name in _LISTS}
        self._known: dict[tuple[str, str], int] = {}
        self._states: dict[tuple[Format, Level, EntryState], int] = {}
        self._layouts: dict[tuple[Any, ...], int] = {}

    def of(self, formats: Iterable[Format]) -> dict[str, Any]:
        found = {}
        for fmt in formats:
            found[f"{fmt.name} {fmt.release}"] = {
                "name": fmt.name,
                "arch": fmt.arch,
                "release": str(fmt.release),
                "va_bits": fmt.va_bits,
                "pa_bits": fmt.pa_bits,
                "page_shift": fmt.page_shift,
                "levels": [self._level(fmt, level) for level in fmt.levels],
            }
        words = [
            str(Rights(*(bool(number >> place & 1) for place in range(len(RIGHTS)))))
            for number in range(1 << len(RIGHTS))
        ]
        shared = {"rights": RIGHTS, "rights_words": words, "flags": FLAGS}
        return {"schema": 1, **shared, "formats": found, **self._lists}

    def _number(self, kind: str, value: Any) -> int:
        key = (kind, json.dumps(value, sort_keys=True))
        if key not in self._known:
            self._known[key] = len(self._lists[kind])
            self._lists[kind].append(value)
        return self._known[key]

    def _level(self, fmt: Format, level: Level) -> dict[str, Any]:
        seen: dict[Any, list[Entry]] = {}
        numbers: dict[Any, int] = {}

        def outcome(raw: int) -> Any:
            entry = fmt.decode(raw, level)
            key = _key(entry)
            if entry.state is EntryState.RESERVED:
                key = (*key, _shape(entry))
            alike = seen.setdefault(key, [])
            if len(alike) < _ALIKE:
                alike.append(entry)
            return numbers.setdefault(key, len(numbers))

        tree = decision_tree(outcome)
        outcomes = [self._number("outcomes", self._outcome(seen[key])) for key in numbers]
        present, linux_present = truth_tables(lambda raw: (fmt.present(raw), fmt.linux_present(raw, level)))
        return {
            "name": level.name,
            "hardware": level.hardware,
            "shift": level.shift,
            "bits": level.bits,
            "leaf_allowed": level.leaf_allowed,
            "run_size": level.run_size,
            "tree": self._number("trees", tree),
            "outcomes": outcomes,
            "present": present,
            "linux_present": linux_present,
            "examples": [[word, hex(raw)] for word, raw in _examples(fmt, level)],
        }

    def _outcome(self, alike: list[Entry]) -> dict[str, Any]:
        entry = alike[0]
        fmt, level, state = entry.format, entry.level, entry.state
        found: dict[str, Any] = {
            "state": state.name,
            "sentence": self._number("sentences", _sentence(entry)),
            "layout": self._layout(alike),
            "learnt": self._state(fmt, level, state),
        }
        if entry.reserved_bit is not None:
            found["reserved_bit"] = entry.reserved_bit
        for name in _MOVED:
            if getattr(entry, name) is not None:
                found[name] = self._number("numbers", _number_of(entry, name))
        return found

    def _state(self, fmt: Format, level: Level, state: EntryState) -> int:
        # Rights, flags and marks depend on the state and on a few bits each.
        key = (fmt, level, state)
        if key not in self._states:
            marks = _marks(fmt, level, state)

            def answers(raw: int) -> list[bool]:
                rights, flags = fmt.rights_of(raw, level, state), fmt.flags_of(raw, level, state)
                carried = fmt.marks_of(raw, level, state).split()
                return [
                    *(getattr(rights, name) for name in RIGHTS),
                    *(getattr(flags, name) for name in FLAGS),
                    *(mark in carried for mark in marks),
                ]

            learnt = truth_tables(answers)
            rights, rest = learnt[: len(RIGHTS)], learnt[len(RIGHTS) :]
            flags, carries = rest[: len(FLAGS)], rest[len(FLAGS) :]
            value = {"rights": rights, "flags": flags, "marks": list(zip(marks, carries, strict=True))}
            self._states[key] = self._number("states", value)
        return self._states[key]

    def _layout(self, alike: list[Entry]) -> int:
        fmt, level, fields = alike[0].format, alike[0].level, alike[0].fields
        wanted = _words_key(alike[0])
        if (fmt, level, wanted) in self._layouts:
            return self._layouts[fmt, level, wanted]
        numbers = []
        for place, field in enumerate(fields):

            def meaning(value: int, place: int = place, field: Field = field) -> str | None:
                # None where the field with this value would always make it an entry of another kind.
                for entry in alike:
                    raw = entry.raw & ~(((1 << field.width) - 1) << field.low) | value << field.low
                    other = fmt.decode(raw, level)
                    if _words_key(other) == wanted:
                        return other.fields[place].meaning
                return None

            words = _meaning(meaning, field.width, field.value)
            value = {"name": field.name, "high": field.high, "low": field.low, "meaning": words}
            numbers.append(self._number("fields", value))
        found = self._layouts[fmt, level, wanted] = self._number("layouts", numbers)
        return found


def _examples(fmt: Format, level: Level) -> list[tuple[str, int]]:
    # One entry of every kind that this level can hold, built by the format itself.
    frame, table, swapped = 5 << max(level.shift, 21), 0x140A66000 & -fmt.page_size, 0x1B7
    makers: list[tuple[str, Callable[[], int]]] = [
        ("empty", fmt.make_none),
        ("table", lambda: fmt.make_table(table, level)),
        ("page", lambda: fmt.make_leaf(frame, level, write=True, dirty=True)),
        ("read-only code page", lambda: fmt.make_leaf(frame, level, execute=True)),
        ("kernel page", lambda: fmt.make_leaf(frame, level, user=False, write=True, global_=True)),
        ("PROT_NONE", lambda: fmt.make_prot_none(frame, level)),
        ("huge page being split", lambda: fmt.make_split(frame, level)),
        ("swapped out", lambda: fmt.make_swap(0, swapped, level)),
        ("migrating", lambda: fmt.make_migration(frame, level, write=True)),
        ("marker", lambda: fmt.make_marker("uffd-wp", level)),
    ]
    found = []
    for word, make in makers:
        try:
            found.append((word, make()))
        except PtwalkError:
            continue  # this level has no such entry
    return found


def _number_of(entry: Entry, name: str) -> dict[str, Any]:
    # Where the bits of an address, a swap type or an offset come from, learnt from entries of this outcome.
    fmt, level, state = entry.format, entry.level, entry.state
    if name == "address" and state in (EntryState.MIGRATION, EntryState.HWPOISON, EntryState.DEVICE):
        return affine(lambda raw: fmt.frame_in(fmt.swap_layout.offset_of(raw)))
    if name == "address":
        return affine(lambda raw: fmt.address_in(raw, level, state) or 0)
    layout = fmt.swap_layout
    return affine(layout.type_of if name == "swap_type" else layout.offset_of)


def _sentence(entry: Entry) -> str:
    # The entry's own sentence, asked about stand-ins whose places are then marked.
    told = Entry(
        entry.raw,
        entry.level,
        entry.format,
        entry.state,
        None if entry.address is None else _ADDRESS,
        None if entry.swap_type is None else _TYPE,
        None
        if entry.swap_offset is None
        else _OFFSET
        if entry.state is EntryState.SWAP
        else entry.swap_offset,
        entry.kind,
        entry.reserved_bit,
    )
    told.__dict__["rights"] = "{rights}"
    words = told.sentence.replace(f"{_ADDRESS:#x}", "{address}")
    return words.replace(str(_TYPE), "{swap_type}").replace(f"{_OFFSET:#x}", "{swap_offset}")


def _marks(fmt: Format, level: Level, state: EntryState) -> list[str]:
    # Every mark that an entry of this state can carry, in the order in which it carries them.
    # Long rows of marks first: they fix the order of most, and what excludes another finds its place among them.
    rows = sorted((fmt.marks_of(raw, level, state).split() for raw in samples()), key=len, reverse=True)
    order: list[str] = []
    for row in rows:
        place = 0
        for mark in row:
            if mark not in order:
                order.insert(place, mark)
            place = order.index(mark) + 1
    return order


def _key(entry: Entry) -> tuple[Any, ...]:
    # What makes two entries the same kind of entry: all that their words depend on, besides their numbers.
    return (entry.state, entry.kind, entry.reserved_bit, entry.note)


def _shape(entry: Entry) -> tuple[tuple[str, int, int], ...]:
    return tuple((field.name, field.high, field.low) for field in entry.fields)


def _words_key(entry: Entry) -> tuple[Any, ...]:
    # What the words of an entry's fields depend on: a reserved bit spoils the entry, not its layout.
    if entry.state is EntryState.RESERVED:
        return (entry.state, _shape(entry))
    return _key(entry)


def _meaning(meaning: Callable[[int], str | None], width: int, value: int) -> Any:
    if width <= _WIDE:
        listed = [meaning(number) for number in range(1 << width)]
        if len({words for words in listed if words is not None}) == 1:
            return meaning(value)
        return [words or "" for words in listed]
    ones = (1 << width) - 1
    near = 0xFF  # some values keep the field's lowest or highest bits, on which the kind of entry may depend
    tries = [value, 0, ones]
    for raw in samples():
        tries += [raw & ones, raw & ones & ~near | value & near, raw & ones >> 8 | value & ~(ones >> 8)]
    told = [(number, words) for number in tries if (words := meaning(number)) is not None]
    if len({words for _, words in told}) == 1:
        return told[0][1]
    return _computed(width, told)


def _computed(width: int, told: list[tuple[int, str]]) -> dict[str, Any]:
    # A sentence with one number in it: what stands around it, and the shift and inversion that give it.
    parts = [_NUMBER.split(words, maxsplit=1) for _, words in told]
    before, after = parts[0][0], parts[0][2]
    if any(part[0] != before or part[2] != after for part in parts):
        raise ValueError(f"the meaning {told[0][1]!r} depends on its field in more than one place")
    numbers = [int(part[1], 16) for part in parts]
    ones = (1 << width) - 1
    for inverted in (False, True):
        for shift in range(53):
            if all(
                ((~value & ones if inverted else value) << shift) == number
                for (value, _), number in zip(told, numbers, strict=True)
            ):
                return {"before": before, "after": after, "shift": shift, "inverted": inverted}
    raise ValueError(f"the meaning {told[0][1]!r} does not follow from its field by a shift")


if __name__ == "__main__":
    (WEB / "tables.json").write_text(shipped_text(), encoding="utf-8")
