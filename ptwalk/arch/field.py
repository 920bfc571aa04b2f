"""Fields of an entry: named groups of bits with a value and a meaning, which together cover all 64 bits.

Room `arch`: knows integers only.  The two architectures describe their layouts as lists of `Part`; `tile`
cuts a raw value into fields along such a list and names what the list leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Meaning = str | tuple[str, ...] | Callable[[int], str]


@dataclass(frozen=True)
class Field:
    """A field is a group of neighbouring bits with a name, its value, and what that value means.

    `high` and `low` are bit numbers, both included; `value` is the bits as stored, moved down to bit 0.
    """

    name: str
    high: int
    low: int
    value: int
    meaning: str

    @property
    def width(self) -> int:
        """How many bits the field has."""
        return self.high - self.low + 1

    @property
    def bits(self) -> str:
        """The bit numbers as the manuals write them, "51:12" or "63"."""
        return str(self.low) if self.high == self.low else f"{self.high}:{self.low}"

    @property
    def raw(self) -> int:
        """The field's bits in their place, so that the fields of an entry add up to its raw value."""
        return self.value << self.low

    def to_json(self) -> dict[str, object]:
        """The field as plain values, for JSON."""
        return {"name": self.name, "bits": self.bits, "value": hex(self.value), "meaning": self.meaning}


@dataclass(frozen=True)
class Part:
    """A part is one line of a layout: bits, name, and what their values mean.

    `meaning` is a sentence, or one sentence for each value, or a function from the value to a sentence.
    """

    name: str
    high: int
    low: int
    meaning: Meaning

    def cut(self, raw: int) -> Field:
        """The field that this part finds in a raw value."""
        value = (raw >> self.low) & ((1 << (self.high - self.low + 1)) - 1)
        if isinstance(self.meaning, str):
            meaning = self.meaning
        elif isinstance(self.meaning, tuple):
            meaning = self.meaning[value]
        else:
            meaning = self.meaning(value)
        return Field(self.name, self.high, self.low, value, meaning)


def complete(
    parts: Iterable[Part], rest: Meaning = "not used by the hardware in this entry"
) -> tuple[Part, ...]:
    """A layout without holes, highest bits first; what `parts` leave out becomes parts named "ignored"."""
    found: list[Part] = []
    above = 64
    for part in sorted(parts, key=lambda part: -part.low):
        if part.high + 1 < above:
            found.append(Part("ignored", above - 1, part.high + 1, rest))
        found.append(part)
        above = part.low
    if above:
        found.append(Part("ignored", above - 1, 0, rest))
    return tuple(found)


def tile(raw: int, layout: Iterable[Part]) -> tuple[Field, ...]:
    """The fields of a raw value, highest bits first."""
    return tuple(part.cut(raw) for part in layout)
