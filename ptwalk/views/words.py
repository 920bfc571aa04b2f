"""Words the pictures share: sizes, address ranges, states, levels.

Knows the values of `arch` by their words only; decides nothing.
"""

from __future__ import annotations

from ptwalk.arch import EntryState, Field, Level

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size_word(size: int) -> str:
    """A length in bytes as people say it: "4 KiB", "1.5 GiB"."""
    unit = 0
    value = float(size)
    while value >= 1024 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    number = f"{value:.1f}".removesuffix(".0") if value < 100 else f"{value:.0f}"
    return f"{number} {_UNITS[unit]}"


def bits_word(field: Field) -> str:
    """Where a field lies: "63" or "51-12"."""
    return str(field.high) if field.high == field.low else f"{field.high}-{field.low}"


def value_word(field: Field) -> str:
    """A field's value: one bit as it is, more in hexadecimal."""
    return str(field.value) if field.high == field.low else f"{field.value:#x}"


def level_word(level: Level) -> str:
    """A level by the name Linux gives it and the one the manual gives it: "pmd (PDE)"."""
    return f"{level.name} ({level.hardware})" if level.hardware else level.name


def state_word(state: EntryState) -> str:
    """A state of an entry as it is spoken: "leaf", "PROT_NONE", "swap"."""
    return "PROT_NONE" if state is EntryState.PROT_NONE else state.name.lower().replace("_", " ")


def count_word(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: "1 table", "31 tables", "270,000 pages"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
