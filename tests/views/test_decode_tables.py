"""The tables shipped to the browser say exactly what `arch` says: state, numbers, rights, words, every field.

The decoder that reads them is the browser's own, run under node, on entries that are random, nearly empty,
nearly full, and built by the formats themselves and then damaged.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from ptwalk.arch import FORMAT_NAMES, Entry, Format, Level, format_named
from ptwalk.views.decode_tables import FLAGS, RELEASES, RIGHTS, read_shipped, tables, tables_for
from ptwalk.views.esm import WEB

from .conftest import run_node

DECODE_LINES = str(Path(__file__).parent / "web" / "decode_lines.mjs")


def raws(level: Level, count: int, seed: int, examples: list[int]) -> Iterator[int]:
    """Entries that reach every corner: mixtures of bits, and known entries with a few bits flipped."""
    yield from examples
    random = Random(f"{level.name}{level.shift}{seed}")
    for number in range(count):
        value = random.getrandbits(64)
        match number % 6:
            case 0:
                yield value
            case 1:
                yield value & random.getrandbits(64) & random.getrandbits(64)
            case 2:
                yield value | random.getrandbits(64) | random.getrandbits(64)
            case 3:
                yield 1 << random.randrange(64) | 1 << random.randrange(64)
            case _:
                flips = sum(1 << random.randrange(64) for _ in range(random.randrange(1, 4)))
                yield random.choice(examples) ^ flips & (1 << 64) - 1


def told(entry: Entry) -> str:
    """What decode_lines.mjs says of an entry, said by Python."""
    rights = sum(getattr(entry.rights, name) << place for place, name in enumerate(RIGHTS))
    fields = [f"{f.name}|{f.high}|{f.low}|{f.value:#x}|{f.meaning}" for f in entry.fields]

    def word(value: object) -> str:
        return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    parts = [
        hex(entry.raw),
        entry.state.name,
        entry.sentence,
        entry.present,
        entry.linux_present,
        entry.reserved_bit,
        None if entry.address is None else hex(entry.address),
        entry.swap_type,
        None if entry.swap_offset is None else hex(entry.swap_offset),
        rights,
        entry.rights,
        " ".join(name for name in FLAGS if getattr(entry.flags, name)),
        entry.marks,
        "\n".join(fields),
    ]
    return "\t".join(word(part) for part in parts)


def cases(formats: list[Format], count: int) -> list[tuple[Format, Level, int]]:
    """The entries to compare, with the shipped examples of each level among them."""
    known = json.loads(read_shipped())["formats"]
    found = []
    for seed, fmt in enumerate(formats):
        for place, level in enumerate(fmt.levels):
            examples = [
                int(raw, 16) for _, raw in known[f"{fmt.name} {fmt.release}"]["levels"][place]["examples"]
            ]
            found += [(fmt, level, raw) for raw in raws(level, count, seed, examples)]
    return found


def lines(chosen: list[tuple[Format, Level, int]]) -> str:
    """The cases as the lines that decode_lines.mjs reads."""
    return "".join(f"{fmt.name} {fmt.release}\t{level.name}\t{raw:#x}\n" for fmt, level, raw in chosen)


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_browser_decodes_as_arch_does(node: str, name: str) -> None:
    """A sample of each release of each format, compared word by word."""
    chosen = cases([format_named(name, release=release) for release in RELEASES], 60)
    answers = run_node(node, DECODE_LINES, str(WEB / "tables.json"), given=lines(chosen)).splitlines()
    assert len(answers) == len(chosen)
    for (fmt, level, raw), answer in zip(chosen, answers, strict=True):
        assert json.loads(answer) == told(fmt.decode(raw, level)), (fmt, level.name, hex(raw))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_browser_decodes_thousands_as_arch_does(node: str, name: str) -> None:
    """Two thousand entries of every level and release of each format, compared by digests."""
    chosen = cases([format_named(name, release=release) for release in RELEASES], 2000)
    hashes: dict[str, hashlib._Hash] = {}
    for fmt, level, raw in chosen:
        hashes.setdefault(f"{fmt.name} {fmt.release}\t{level.name}", hashlib.sha256()).update(
            (told(fmt.decode(raw, level)) + "\n").encode()
        )
    answers = run_node(
        node, DECODE_LINES, str(WEB / "tables.json"), "--digest", given=lines(chosen)
    ).splitlines()
    assert sorted(answers) == sorted(f"{key}\t{value.hexdigest()}" for key, value in hashes.items())


def test_tables_for_another_format_are_computed(node: str, tmp_path: Path) -> None:
    """A format that is not shipped (another physical size and release) gets tables of its own, as right."""
    fmt = format_named("x86-64-4level", release="5.19", pa_bits=46)
    path = tmp_path / "tables.json"
    path.write_text(json.dumps(tables_for([fmt])))
    chosen = [
        (fmt, level, raw) for level in fmt.levels for raw in raws(level, 60, 1, [0x67, 0x8000000140A65067])
    ]
    answers = run_node(node, DECODE_LINES, str(path), given=lines(chosen)).splitlines()
    for (_, level, raw), answer in zip(chosen, answers, strict=True):
        assert json.loads(answer) == told(fmt.decode(raw, level)), (level.name, hex(raw))


def test_cut_tables_keep_all_that_a_format_needs(node: str, tmp_path: Path) -> None:
    """What a widget sends for one format is a part of the shipped tables that decodes alike, and is smaller."""
    fmt = format_named("arm64-4k-48", release="6.1", half="kernel")
    cut = json.dumps(tables_for([fmt]), separators=(",", ":"))
    assert len(cut) < len(read_shipped()) / 4
    path = tmp_path / "tables.json"
    path.write_text(cut)
    chosen = cases([fmt], 40)
    run_node(node, DECODE_LINES, str(path), given=lines(chosen))


def test_the_shipped_tables_are_complete() -> None:
    """Every format, release and level is there, with examples that arch itself builds, each of its own kind.

    If this or a comparison above fails after a change in arch: python -m ptwalk.views.decode_tables
    """
    known = json.loads(read_shipped())["formats"]
    assert list(known) == sorted(f"{name} {release}" for name in FORMAT_NAMES for release in RELEASES)
    for value in known.values():
        fmt = format_named(value["name"], release=value["release"])
        assert [level["name"] for level in value["levels"]] == [level.name for level in fmt.levels]
        for level, told_level in zip(fmt.levels, value["levels"], strict=True):
            states = {word: fmt.decode(int(raw, 16), level).state for word, raw in told_level["examples"]}
            assert states["empty"] == "none"
            assert ("table" in states) == (level is not fmt.levels[-1])
            assert states.get("PROT_NONE", "prot-none") == "prot-none"
            assert states.get("swapped out", "swap") == "swap"
            assert states.get("migrating", "migration") == "migration"


def test_tables_are_the_same_each_time() -> None:
    """Learning asks the same questions each time, so the tables of a format do not change from run to run."""
    fmt = format_named("arm64-16k-36", release="6.19")
    assert json.dumps(tables([fmt])) == json.dumps(tables([fmt]))
