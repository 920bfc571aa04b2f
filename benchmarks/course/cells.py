"""How long each cell takes: `python benchmarks/course/cells.py [NAME…]` runs the notebooks and lists the slow cells.

A cell of a lesson should take less than two seconds on two cores that do nothing else. This says which do not; it is no
test, since a busy machine is no fault of a lesson. NAME is the beginning of a file stem, such as 05.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent.parent
SLOW = 2.0
"""Seconds that a cell may take."""


def timed(path: Path) -> list[tuple[float, str]]:
    """Seconds and name of every code cell of a notebook, run in order in one kernel."""
    book = nbformat.read(path, as_version=4)
    found: list[tuple[float, str]] = []
    client = NotebookClient(book, timeout=120, resources={"metadata": {"path": str(path.parent)}})
    with tempfile.TemporaryDirectory() as record:
        os.environ["PTWALK_HOME"] = record
        with client.setup_kernel(stderr=subprocess.DEVNULL):
            for index, cell in enumerate(book.cells):
                if cell.cell_type == "code":
                    began = time.perf_counter()
                    client.execute_cell(cell, index)
                    found.append((time.perf_counter() - began, cell.id))
    return found


def main(names: list[str]) -> int:
    """Print a line for each notebook and one for each slow cell; 1 if there is one."""
    slow = 0
    print(f"load of this machine: {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")
    for kind in ("notebooks", "solutions"):
        for path in sorted((ROOT / kind).glob("*.ipynb")):
            if names and not path.stem.startswith(tuple(names)):
                continue
            cells = timed(path)
            longest, name = max(cells)
            total = sum(seconds for seconds, _ in cells)
            print(
                f"{kind}/{path.stem:22} {total:6.1f} s in {len(cells):2} cells, longest {longest:5.2f} s ({name})"
            )
            for seconds, cell in cells:
                if seconds >= SLOW:
                    slow += 1
                    print(f"    over {SLOW:.0f} s: {cell} {seconds:.2f} s")
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
