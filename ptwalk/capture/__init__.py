"""Real machines: a stopped machine from an ELF core, walked as its processor would.

Storey 3: knows `machine`, `trace`, `arch` and `errors`; never kernels, exercises or pictures.
"""

from .capture import MOST_READ, Capture, Root, Roots, Vma
from .core import Core, Note, Segments, open_core
from .opening import open_capture, shipped_captures
from .registers import KernelNote, Processor, kernel_note, processors
from .space import MOST_TABLES, Leaf, TableGraph

__all__ = [
    "MOST_READ",
    "MOST_TABLES",
    "Capture",
    "Core",
    "KernelNote",
    "Leaf",
    "Note",
    "Processor",
    "Root",
    "Roots",
    "Segments",
    "TableGraph",
    "Vma",
    "kernel_note",
    "open_capture",
    "open_core",
    "processors",
    "shipped_captures",
]
