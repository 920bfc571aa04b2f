"""Asks QEMU what arm64 tables made at random translate, in every granule and width, and writes `answers.json.xz`.

usage: python tests/capture/granules/ask.py

Needs Debian's qemu-system-arm and gcc-aarch64-linux-gnu; nothing of ptwalk is used. Entries are random in every bit
that is not the address of a table: rights, contiguous and ignored bits, blocks of every level, invalid ones. The
monitor's gva2gpa then translates addresses in, at the edges of and beside what they map.
"""

from __future__ import annotations

import json
import lzma
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# Page shift, address bits, TCR_EL1.DS, TCR_EL1.IPS (5: 48 bits, 6: 52 bits).
MACHINES = [
    (12, 39, 0, 5),
    (12, 48, 0, 5),
    (12, 48, 1, 6),
    (12, 52, 1, 6),
    (14, 36, 0, 5),
    (14, 47, 0, 5),
    (14, 48, 0, 5),
    (14, 52, 1, 6),
    (16, 42, 0, 5),
    (16, 48, 0, 5),
    (16, 48, 0, 6),
    (16, 52, 0, 6),
]
TABLES, QUESTIONS = 14, 160  # of each half
HALVES = (("user", 0x4800_0000), ("kernel", 0x5000_0000))
ATTRIBUTES = 0xFFFC_0000_0000_0CFC  # all bits beside type, address and SH


class Tables:
    """Tables of one half, made at random: `words` by physical address, `mapped` as (first address, size)."""

    def __init__(self, machine: tuple[int, int, int, int], at: int, rng: random.Random) -> None:
        self.shift, width, self.ds, self.ips = machine
        self.next, self.end = at, at + (TABLES << self.shift)
        self.rng = rng
        self.words: dict[int, int] = {}
        self.mapped: list[tuple[int, int]] = []
        step = self.shift - 3
        self.levels = [
            (number, low, min(step, width - low))
            for number, low in ((3 - n, self.shift + n * step) for n in range(5))
            if low < width
        ][::-1]
        self.root = self.table(0, 0)

    def address(self, pa: int) -> int:
        """Where a descriptor keeps a physical address: DS moves bits 51:50, 64K pages move bits 51:48."""
        if self.ds:
            return pa & (1 << 50) - 1 | (pa >> 50) << 8
        return pa & (1 << 48) - 1 | (pa >> 48) << 12

    def may_be_block(self, number: int) -> bool:
        """Where the architecture has blocks; this QEMU would take one anywhere."""
        least = {12: 1 - self.ds, 14: 2 - self.ds, 16: 1 if self.ips == 6 else 2}[self.shift]
        return number >= least

    def table(self, depth: int, base: int) -> int:
        table, self.next = self.next, self.next + (1 << self.shift)
        number, low, bits = self.levels[depth]
        rng = self.rng
        for index in {0, (1 << bits) - 1, *(rng.randrange(1 << bits) for _ in range(6))}:
            va, raw = base + (index << low), rng.getrandbits(64) & ATTRIBUTES
            if not self.ds:
                raw |= rng.getrandbits(2) << 8
            kind = rng.random()
            if number < 3 and self.next < self.end and kind < 0.6:
                raw |= self.address(self.table(depth + 1, va)) | 3
            elif kind < 0.9 and self.may_be_block(number):
                frame = rng.getrandbits(52 if self.ips == 6 else 48) >> low << low
                raw |= self.address(frame) | (3 if number == 3 else 1)
            elif number == 3 and kind < 0.95:
                raw |= 1  # reserved at the last level
            self.words[table + 8 * index] = raw
            self.mapped.append((va, 1 << low))
        return table

    def questions(self, base: int, width: int) -> list[int]:
        """Addresses in, at the edges of and beside the entries, and a few at random."""
        near = [
            base + va + offset
            for va, size in self.mapped
            for offset in (0, size - 1, size, -1, self.rng.randrange(size))
        ]
        chosen = self.rng.sample(near, min(len(near), QUESTIONS - 20))
        chosen += [base + self.rng.randrange(1 << width) for _ in range(20)]
        return sorted({va % (1 << 64) for va in chosen})


def monitor(stream: Any, command: str, **arguments: Any) -> Any:
    """One QMP command and its answer."""
    stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    stream.flush()
    while True:
        answer = json.loads(stream.readline())
        if "return" in answer:
            return answer["return"]
        if "error" in answer:
            raise RuntimeError(answer["error"])


def ask(machine: tuple[int, int, int, int], guest: Path, folder: Path) -> dict[str, Any]:
    """Boot a guest with such tables, stop it, and ask."""
    shift, width, ds, ips = machine
    rng = random.Random(repr(machine))
    halves = {name: Tables(machine, at, rng) for name, at in HALVES}
    granule0, granule1 = {12: (0, 2), 14: (2, 1), 16: (1, 3)}[shift]
    tcr = (64 - width) * 0x1_0001 | granule0 << 14 | granule1 << 30 | ips << 32 | 1 << 36 | ds << 59
    arguments = []
    blobs = [(0x4010_0000, struct.pack("<4Q", 0xFF, tcr, *(half.root for half in halves.values())))]
    for half in halves.values():
        data = bytearray(half.next - half.root)
        for pa, raw in half.words.items():
            struct.pack_into("<Q", data, pa - half.root, raw)
        blobs.append((half.root, bytes(data)))
    for at, blob in blobs:
        (folder / f"{at:x}").write_bytes(blob)
        arguments += ["-device", f"loader,file={folder}/{at:x},addr={at:#x},force-raw=on"]
    qmp = folder / "qmp"
    qmp.unlink(missing_ok=True)
    command = f"qemu-system-aarch64 -machine virt -cpu max -accel tcg -m 512M -display none -nodefaults -kernel {guest}"
    with subprocess.Popen([*command.split(), "-qmp", f"unix:{qmp},server=on,wait=off", *arguments]) as qemu:
        time.sleep(2)
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(qmp))
            stream = wire.makefile("rw")
            stream.readline()
            monitor(stream, "qmp_capabilities")
            monitor(stream, "stop")
            asked = halves["user"].questions(0, width) + halves["kernel"].questions(-(1 << width), width)
            answers = []
            for va in asked:
                told = monitor(stream, "human-monitor-command", **{"command-line": f"gva2gpa {va:#x}"})
                answers.append([hex(va), told.split()[1] if told.startswith("gpa:") else None])
        qemu.kill()
    return {
        "page_size": 1 << shift,
        "va_bits": width,
        "ds": bool(ds),
        "tcr_el1": hex(tcr),
        "halves": {
            name: {"root": hex(half.root), "words": {hex(pa): hex(raw) for pa, raw in half.words.items()}}
            for name, half in halves.items()
        },
        "gva2gpa": answers,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        built, guest = folder / "guest.o", folder / "guest.elf"
        subprocess.run(["aarch64-linux-gnu-gcc", "-c", HERE / "guest.S", "-o", built], check=True)
        subprocess.run(["aarch64-linux-gnu-ld", "-Ttext=0x40080000", "-o", guest, built], check=True)
        found = [ask(machine, guest, folder) for machine in MACHINES]
    text = json.dumps(found, separators=(",", ":"))
    (HERE / "answers.json.xz").write_bytes(lzma.compress(text.encode(), preset=9))
    print(sum(len(one["gva2gpa"]) for one in found), "answers", file=sys.stderr)


if __name__ == "__main__":
    main()
