"""The explorer beside SPIN on the reference races, in one run on one machine.

    python benchmarks/explore/against_spin.py [--large] [--repeat 3] [--plot docs/images/explorer-growth.svg]

For each row: the time to the verdict of the stateful search, of full DPOR (every execution), and of SPIN in all
(generate, compile, run) and in its search alone.  Times are medians of --repeat runs; every ratio is SPIN's total
divided by ours, so more than 1 means we are faster.  Needs `spin` and `gcc`; without them only ours is measured.
With --plot a figure of the growth with entries, CPUs and table levels is drawn (needs matplotlib).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "explore"))

from models import VARIANTS, model  # noqa: E402

from ptwalk.explore import Limits, explore  # noqa: E402
from ptwalk.kernel.mm import Mm  # noqa: E402
from ptwalk.machine.folio import PutPage  # noqa: E402
from ptwalk.machine.program import Program  # noqa: E402
from ptwalk.scenarios import CHANGERS  # noqa: E402
from ptwalk.scenarios.pair import pair  # noqa: E402
from ptwalk.walk.gup_fast import get_user_page_fast  # noqa: E402

# How race.pml is told which variant to be: walker, mutator, lock of the walker, how the page is freed.
PROMELA = {
    "R1": (1, 1, 0, 0),
    "R1f": (1, 1, 2, 0),
    "R1r": (1, 1, 1, 0),
    "R2": (1, 2, 0, 0),
    "R2f": (1, 2, 1, 0),
    "R3a": (2, 1, 0, 0),
    "R3b": (2, 1, 0, 1),
    "R3c": (2, 1, 0, 2),
}


def median(measure: Callable[[], float], repeat: int) -> float:
    return statistics.median(measure() for _ in range(repeat))


def ours(row: tuple[str, int, int], engine: str) -> float:
    """Seconds from nothing to the verdict, the model built anew."""
    begin = time.perf_counter()
    verdict = explore(
        model(*row),
        engine,
        stop_at_first=engine != "dpor",
        count=False,
        limit=Limits(states=None, megabytes=8_000),
    )
    taken = time.perf_counter() - begin
    assert verdict.outcome == ("bug" if row[0] in ("R1", "R1r", "R2", "R3a") else "safe"), (row, verdict)
    return taken


def spin(row: tuple[str, int, int], repeat: int) -> tuple[float, float]:
    """(generate, compile and search; search alone) in seconds."""
    variant, entries, walkers = row
    walker, mutator, lock, free = PROMELA[variant]
    defines = [
        f"-DK={entries}",
        f"-DW={walkers}",
        f"-DWLK={walker}",
        f"-DMUT={mutator}",
        f"-DLM={lock}",
        f"-DFR={free}",
    ]
    with tempfile.TemporaryDirectory() as folder:

        def timed(*command: str) -> float:
            begin = time.perf_counter()
            subprocess.run(command, cwd=folder, capture_output=True, check=False)
            return time.perf_counter() - begin

        def make() -> float:
            return timed("spin", "-a", *defines, str(HERE / "race.pml")) + timed(
                "gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=8000", "-o", "pan", "pan.c"
            )

        making = median(make, repeat)
        searching = median(lambda: timed("./pan", "-m100000", "-w16"), repeat)
    return making + searching, searching


def rows(large: bool) -> list[tuple[str, int, int]]:
    chosen = [(variant, k, w) for variant in VARIANTS for w in (1, 2) for k in (1, 2, 4)]
    return [*chosen, ("R3b", 8, 2), ("R3b", 4, 3), ("R3c", 4, 3)] if large else chosen


async def pin_and_put(mm: Mm, addr: int) -> None:
    """The fast path of get_user_pages, and the pin given back."""
    page = await get_user_page_fast(mm, addr)
    if page is not None:
        await PutPage(page)


def of_levels(levels: int) -> Program:
    """A lockless walk against a munmap that frees every table below the root, with so many levels of tables."""
    formats = {3: "arm64-4k-39", 4: "arm64-4k-48", 5: "arm64-4k-52"}
    against = CHANGERS["munmap-everything"]
    return pair(
        f"{levels} levels", pin_and_put, against, own=True, arch="arm64", format=formats[levels]
    ).build()


def plot(path: str) -> None:
    """Executions, states and interleavings against entries, CPUs and table levels, for safe lockless walks."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "ptwalk"
    figure, panels = plt.subplots(1, 4, figsize=(13, 4), width_ratios=(3, 3, 2, 2), sharey=True)
    entries = range(1, 7)
    drawn: list[tuple[str, str, list[tuple[int, Callable[[], Program]]]]] = [
        ("1 walker + munmap", "entries walked", [(k, partial(model, "R3b", k, 1)) for k in entries]),
        ("2 walkers + munmap", "entries walked", [(k, partial(model, "R3b", k, 2)) for k in entries]),
        ("1 entry, munmap", "CPUs", [(w + 1, partial(model, "R3b", 1, w)) for w in (1, 2, 3)]),
        ("gup-fast, munmap", "levels of tables", [(n, partial(of_levels, n)) for n in (3, 4, 5)]),
    ]
    for panel, (title, axis, points) in zip(panels, drawn, strict=True):
        at = [place for place, _ in points]
        states = [explore(make(), "states") for _, make in points]
        dpor = [explore(make(), count=False) for _, make in points]
        assert all(one.outcome == "safe" for one in (*states, *dpor)), title
        panel.semilogy(at, [one.interleavings for one in states], "s--", label="interleavings")
        panel.semilogy(at, [one.states for one in states], "^-", label="states (stateful search)")
        panel.semilogy(at, [one.executions for one in dpor], "o-", label="executions (DPOR)")
        panel.semilogy(at, [one.traces for one in dpor], "k:", label="traces: the lower bound")
        panel.set_xticks(at)
        panel.set_xlabel(axis)
        panel.set_title(title, fontsize=10)
        panel.grid(alpha=0.3)
        print(title, [(one.executions, one.traces) for one in dpor], [one.states for one in states])
    panels[0].legend(fontsize=8)
    panels[0].set_ylabel("number (logarithmic)")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--large", action="store_true")
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--plot")
    options = arguments.parse_args()
    if options.plot:
        plot(options.plot)
        return
    have_spin = shutil.which("spin") is not None and shutil.which("gcc") is not None
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(
        "row             verdict ms   full DPOR ms   SPIN in all ms   its search ms   verdict ratio   DPOR ratio"
    )
    for row in rows(options.large):
        name = f"{row[0]} K={row[1]} W={row[2]}"
        repeat = 1 if row[2] > 2 else options.repeat
        verdict = median(lambda r=row: ours(r, "states"), repeat)  # type: ignore[misc]
        full = float("nan") if row[2] > 2 or row[1] > 4 else median(lambda r=row: ours(r, "dpor"), repeat)  # type: ignore[misc]
        total, search = spin(row, repeat) if have_spin else (float("nan"), float("nan"))
        print(
            f"{name:14s} {verdict * 1e3:11.1f} {full * 1e3:14.1f} {total * 1e3:16.0f} {search * 1e3:15.1f} "
            f"{total / verdict:14.0f} x {total / full:11.1f} x",
            flush=True,
        )


if __name__ == "__main__":
    main()
