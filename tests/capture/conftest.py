"""Cores and sidecars made by hand, for what the shipped captures do not show."""

import json
import lzma
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ptwalk.arch import Format
from ptwalk.capture import open_capture
from ptwalk.errors import CaptureError

MACHINES = {"x86-64": 62, "arm64": 183}


def core_bytes(
    segments: list[tuple[int, bytes]], notes: list[tuple[str, int, bytes]] = (), machine: int = 62
) -> bytes:
    """An ELF64 core with these (physical address, bytes) and (owner, type, bytes), headers first."""
    note = b""
    for owner, kind, data in notes:
        name = owner.encode() + b"\0"
        note += struct.pack("<3I", len(name), len(data), kind)
        note += name.ljust(-len(name) % 4 + len(name), b"\0") + data.ljust(-len(data) % 4 + len(data), b"\0")
    at = 64 + 56 * (1 + len(segments))
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 4, machine, 1, 0, 64, 0, 0, 64, 56, 1 + len(segments), 0, 0, 0)
    table = struct.pack("<IIQQQQQQ", 4, 0, at, 0, 0, len(note), len(note), 0)
    body = note
    for pa, data in segments:
        table += struct.pack("<IIQQQQQQ", 1, 0, at + len(body), 0, pa, len(data), len(data), 0)
        body += data
    return header + table + body


def cpu_note(
    cr3: int, *, cr4: int = 0x6F0, cr0: int = 0x80050033, privilege: int = 3
) -> tuple[str, int, bytes]:
    """QEMU's own note for one x86-64 processor."""
    state = bytearray(440)
    struct.pack_into("<II", state, 0, 1, 440)
    struct.pack_into("<I", state, 152, 0x30 | privilege)
    struct.pack_into("<5Q", state, 392, cr0, 0, 0, cr3, cr4)
    return "QEMU", 0, bytes(state)


@dataclass
class Space:
    """An address space built by the builders of `arch`: its tables as words, and what it maps."""

    format: Format
    root: int
    words: dict[int, int]
    mapped: dict[int, tuple[int, int]] = field(default_factory=dict)  # va of the page: frame, size
    tables: dict[tuple[int, ...], int] = field(default_factory=dict)  # indices down to a table: its address

    def segments(self) -> list[tuple[int, bytes]]:
        """The tables as pages of memory, one segment for each."""
        size = self.format.page_size
        pages: dict[int, bytearray] = {}
        for table in {self.root, *self.tables.values()}:
            pages.setdefault(table // size * size, bytearray(size))
        for pa, word in self.words.items():
            struct.pack_into("<Q", pages[pa // size * size], pa % size, word)
        return [(pa, bytes(page)) for pa, page in sorted(pages.items())]


def random_space(fmt: Format, seed: int = 1, leaves: int = 60) -> Space:
    """Leaves of every size at random addresses of every region; some neighbours, some tables empty."""
    rng = random.Random(f"{fmt.name} {fmt.half(fmt.sign_extend(0))} {seed}")
    page = fmt.page_size
    next_table = 0x4000_0000
    space = Space(fmt, next_table, {})

    def table(indices: tuple[int, ...]) -> int:
        nonlocal next_table
        if not indices:
            return space.root
        if indices not in space.tables:
            parent = table(indices[:-1])
            next_table += page
            space.tables[indices] = next_table
            level = fmt.levels[len(indices) - 1]
            space.words[parent + 8 * indices[-1]] = fmt.make_table(next_table, level)
        return space.tables[indices]

    top = (1 << fmt.pa_bits) - 1
    for number in range(leaves):
        level = rng.choice([level for level in fmt.levels if level.leaf_allowed])
        path = [rng.randrange(above.entries) for above in fmt.levels[: level.depth + 1]]
        if number % 3 == 0 and len(path) > 1:
            path[0] = rng.choice((0, fmt.levels[0].entries - 1))
        for way in (path, [*path[:-1], (path[-1] + 1) % level.entries]):
            steps = [tuple(way[: n + 1]) for n in range(len(way))]
            slots = [
                (space.root if n == 0 else space.tables.get(steps[n - 1], -1)) + 8 * way[n]
                for n in range(len(way))
            ]
            # A leaf higher up must not be overwritten by a table, nor a table by a leaf.
            if any(slot in space.words and steps[n] not in space.tables for n, slot in enumerate(slots[:-1])):
                continue
            if steps[-1] in space.tables or slots[-1] in space.words:
                continue
            frame = rng.randrange(top >> level.shift) << level.shift
            entry = table(steps[-1][:-1]) + 8 * way[-1]
            space.words[entry] = fmt.make_leaf(frame, level, write=bool(rng.randrange(2)))
            space.mapped[fmt.va_from_indices(way)] = (frame, level.size)
    return space


def probes(space: Space, seed: int = 1, count: int = 400) -> list[int]:
    """Addresses in, at the edges of, and beside what is mapped; and any at all."""
    rng = random.Random(seed)
    found = [rng.getrandbits(64) for _ in range(count)]
    found += [space.format.sign_extend(rng.getrandbits(space.format.va_bits)) for _ in range(count)]
    for va, (_, size) in space.mapped.items():
        found += [va, va + size - 1, va + rng.randrange(size), (va + size) % 2**64, (va - 1) % 2**64]
    return [*found, 0, 2**64 - 1, 2**63, 1 << 47, (1 << 47) - 1, 2**64 - (1 << 47), 1 << 56, 1 << 52]


@pytest.fixture
def write_core(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a core, and beside it a sidecar if one is given; returns the core's path."""

    def write(
        segments: list[tuple[int, bytes]],
        notes: list[tuple[str, int, bytes]] = (),
        machine: int = 62,
        sidecar: dict[str, Any] | None = None,
    ) -> Path:
        path = tmp_path / "memory.elf"
        path.write_bytes(core_bytes(segments, notes, machine))
        if sidecar is not None:
            (tmp_path / "truth.json").write_text(json.dumps(sidecar))
        return path

    return write


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The makers above, since test modules cannot import one another."""
    return SimpleNamespace(
        MACHINES=MACHINES, core_bytes=core_bytes, cpu_note=cpu_note, random_space=random_space, probes=probes
    )


@pytest.fixture(scope="session")
def shipped() -> tuple[Path, bytes]:
    """The shipped x86-64 capture's folder, and its core's bytes, unpacked."""
    folder = open_capture("x86_64-4level-6.1").path.parent
    return folder, lzma.open(folder / "memory.elf.xz").read()


@pytest.fixture
def refused() -> Callable[..., None]:
    """Says that opening a path is refused in one short line that has these words."""

    def check(path: object, *words: str, **arguments: Any) -> None:
        with pytest.raises(CaptureError) as caught:
            open_capture(path, **arguments)
        text = str(caught.value)
        assert all(word in text for word in words), text
        assert "\n" not in text
        assert len(text) < 500

    return check
