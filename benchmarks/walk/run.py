"""Translations a second beside volatility3 and drgn, in one run, on the same addresses.

usage: python benchmarks/walk/run.py [--most 10000000] [--table]

Needs numpy and ptwalk; the peers come with `pip install volatility3 drgn` in any environment of your own. Prints
Markdown: what `docs/walking-speed.md` shows is a run of this. `--most` bounds the addresses at once.
"""

from __future__ import annotations

import argparse
import lzma
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from addresses import Rate, drawn, rate
from peers import drgn_walks, roomy, volatility3_walks

from ptwalk import open_capture
from ptwalk.capture.translate import CompiledTables

NAME = "x86_64-4level-6.1"
PEER_COUNT = 20_000


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def per_second(found: Rate) -> str:
    return f"{found.cpu:,.0f} | {found.wall:,.0f}"


def against_peers(folder: Path) -> None:
    capture = open_capture(NAME)
    truth = capture.truth
    vas, pas = drawn(truth, PEER_COUNT)
    data = lzma.decompress(capture.path.read_bytes())
    trimmed, full = folder / "trimmed.elf", folder / "roomy.elf"
    trimmed.write_bytes(data)
    full.write_bytes(roomy(data, pas))
    million = np.array(drawn(truth, 1_000_000)[0], np.uint64)
    walks = volatility3_walks(trimmed, capture.root) | drgn_walks(trimmed, truth)
    walks.pop("volatility3 translate", None)
    public = volatility3_walks(full, capture.root)
    if "volatility3 translate" in public:
        walks["volatility3 translate"] = public["volatility3 translate"]
    rates = {}
    for name, walk in walks.items():
        right = sum(a == b for a, b in zip(walk(vas), pas, strict=True))
        if right != len(pas):
            print(f"{name} answers {right:,} of {len(pas):,} rightly: its rate is not counted")
            continue
        rates[name] = rate(lambda walk=walk: walk(vas), PEER_COUNT, runs=5)
    walk = capture.walk
    assert [walk(va).physical for va in vas] == pas
    one = rate(lambda: [walk(va).physical for va in vas], PEER_COUNT, runs=5)
    assert capture.translate_many(vas).physical.tolist() == pas
    many = rate(lambda: capture.translate_many(million), len(million))
    print(f"\n## One address and a million\n\n{PEER_COUNT:,} addresses one by one; 1,000,000 at once.\n")
    row("call", "per CPU second", "per wall second")
    row("---", "---:", "---:")
    for name, found in rates.items():
        row(name, per_second(found))
    row("ptwalk walk", per_second(one))
    row("ptwalk translate_many", per_second(many))
    print()
    row("ratio", "CPU time", "asked for")
    row("---", "---:", "---:")
    for mine, its_name, peer, asked in (
        (many, "translate_many", "volatility3 _translate", "100"),
        (many, "translate_many", "drgn C function", "60"),
        (one, "walk", "volatility3 translate", "1"),
        (one, "walk", "volatility3 _translate", ""),
        (one, "walk", "drgn C function", ""),
    ):
        if peer in rates:
            row(f"{its_name} / {peer}", f"{mine.cpu / rates[peer].cpu:.1f}", asked)


def growth(most: int) -> None:
    capture = open_capture(NAME)
    vas = np.array(drawn(capture.truth, most)[0], np.uint64)
    tables = CompiledTables(capture.memory, capture.root, capture.format)
    print("\n## Growth with the number of addresses\n")
    row("addresses", "order", "per CPU second", "per wall second", "ns each")
    row("---:", "---", "---:", "---:", "---:")
    count = 1000
    while count <= most:
        for order, array in (("random", vas[:count]), ("ascending", np.sort(vas[:count]))):
            found = rate(lambda array=array: tables.translate(array), count, runs=5)
            row(f"{count:,}", order, per_second(found), f"{1e9 / found.cpu:.1f}")
        count *= 10


def memory_limit(most: int) -> None:
    """The same array through the cheapest pass there is: read it, write as much as a translation writes."""
    capture = open_capture(NAME)
    vas = np.array(drawn(capture.truth, most)[0], np.uint64)
    tables = CompiledTables(capture.memory, capture.root, capture.format)

    def bare() -> None:
        # What translate_many cannot avoid: read 8 bytes, write 8 + 8 + 1 into new arrays, for each address.
        np.empty(len(vas), np.int8)[:] = 0
        np.empty(len(vas), np.int64)[:] = 4096
        np.add(vas, np.uint64(1), out=np.empty_like(vas))

    limit, mine = rate(bare, most, runs=5), rate(lambda: tables.translate(vas), most, runs=5)
    print(f"\n## How far from the memory limit\n\n{most:,} addresses; 25 bytes each are read or written.\n")
    row("pass", "per CPU second", "per wall second", "GB/s")
    row("---", "---:", "---:", "---:")
    row("read and write the arrays only", per_second(limit), f"{limit.cpu * 25 / 1e9:.1f}")
    row("translate_many", per_second(mine), f"{mine.cpu * 25 / 1e9:.1f}")
    print(f"\nA translation takes {limit.cpu / mine.cpu:.1f} times as long as moving its arrays does.")


def first_calls() -> None:
    code = (
        "import time; t = time.perf_counter(); from ptwalk import open_capture; a = time.perf_counter();"
        f"c = open_capture({NAME!r}); b = time.perf_counter(); open_capture({NAME!r}); d = time.perf_counter();"
        "import numpy as np; v = np.arange(0x10000, 0x14000, 1, dtype=np.uint64); e = time.perf_counter();"
        "c.translate_many(v); f = time.perf_counter(); c.translate_many(v); g = time.perf_counter();"
        "c.walk(0x10000); h = time.perf_counter();"
        "k = c.kernel; k.translate_many(v); i = time.perf_counter();"
        "print(a - t, b - a, d - b, f - e, g - f, i - h)"
    )
    rows = []
    for _ in range(7):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        rows.append([float(x) * 1000 for x in out.split()])
    names = (
        "import open_capture",
        "open the trimmed capture, first time in a process (loads the ELF library)",
        "open it again",
        "translate_many of 16,384 addresses, first call (compiles 48 tables)",
        "the same, second call",
        "the same through the kernel-mode root, first call (compiles 144 tables)",
    )
    print("\n## First and second calls\n\nMilliseconds by the clock, medians of seven processes.\n")
    row("what", "ms")
    row("---", "---:")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        row(name, f"{statistics.median(values):.1f}")


def large_dump(folder: Path) -> None:
    """A dump of 3.5 GiB, most of it holes: the captured tables in the middle of a guest's whole memory."""
    capture = open_capture(NAME)
    path = folder / "large.elf"
    write_large(path, capture)
    begun = time.perf_counter()
    large = open_capture(path, root=capture.root)
    opened = time.perf_counter() - begun
    begun = time.perf_counter()
    same = large.walk(0x10000).physical == capture.walk(0x10000).physical
    walked = time.perf_counter() - begun
    size, used = path.stat().st_size, path.stat().st_blocks * 512
    print("\n## A 3.5 GiB dump\n")
    print(
        f"{size:,} bytes ({used:,} on the disk): opened in {opened * 1000:.1f} ms,"
        f" first walk in {walked * 1e6:.0f} us, {'the same answer' if same else 'ANOTHER ANSWER'}."
    )


def write_large(path: Path, capture) -> None:  # type: ignore[no-untyped-def]
    import struct

    data = lzma.decompress(capture.path.read_bytes())
    note = struct.unpack_from("<IIQQQQQQ", data, 64)
    ranges = [(int(a, 16), int(n, 16)) for a, n in capture.truth["guest_physical_ranges"]]
    at = 8192
    header = bytearray(data[:64])
    struct.pack_into("<H", header, 56, 1 + len(ranges))
    table = struct.pack("<IIQQQQQQ", 4, 0, 4096 - 512, 0, 0, 0, 0, 0)
    places = {}
    for start, size in ranges:
        table += struct.pack("<IIQQQQQQ", 1, 0, at, 0, start, size, size, 0)
        places[start] = (at, size)
        at += size
    with path.open("wb") as file:
        file.truncate(at)
        file.write(bytes(header) + table)
        for first, last in capture.memory.ranges:
            offset = next(o + first - s for s, (o, n) in places.items() if s <= first < s + n)
            file.seek(offset)
            file.write(capture.memory.read(first, last - first))
    assert note[0] == 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=10_000_000, help="addresses at once, at most")
    most = parser.parse_args().most
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(
        f"# Walking speed\n\nPython {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} processors,",
        end="",
    )
    print(f" load {load} at the start.")
    with tempfile.TemporaryDirectory() as folder:
        against_peers(Path(folder))
        growth(most)
        memory_limit(most)
        first_calls()
        large_dump(Path(folder))
    print(f"\nLoad {', '.join(f'{x:.1f}' for x in os.getloadavg())} at the end.")


if __name__ == "__main__":
    main()
