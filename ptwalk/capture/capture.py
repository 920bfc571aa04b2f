"""A captured machine as one process saw it: walks, translations, ranges, tables and bytes.

Storey 3, `capture`; knows the hardware walk and the formats, nothing of exercises or pictures.  How files
become a capture is in `opening`; numpy is loaded by `translate_many` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from ptwalk.arch import Format
from ptwalk.errors import AddressError, CaptureError
from ptwalk.machine import mmu
from ptwalk.machine.physmem import PhysicalMemory
from ptwalk.trace.space import MappedRange, TableNode
from ptwalk.trace.walk import WalkRecord

from .registers import Processor
from .space import TableGraph

if TYPE_CHECKING:
    from .translate import CompiledTables, Translation

MOST_READ = 1 << 30
"""`Capture.read` returns at most this many bytes at once."""


@dataclass(frozen=True, slots=True)
class Root:
    """Where a walk begins: the physical address of the top table, and the format of the tables below it."""

    address: int
    format: Format


@dataclass(frozen=True, slots=True)
class Vma:
    """One line of the process's /proc/PID/maps, as the sidecar tells it; `end` is exclusive.

    `labels` are the captured program's own names for what it made there; `facts` is the whole record.
    """

    start: int
    end: int
    prot: str
    name: str
    labels: tuple[str, ...]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Roots:
    """The roots of one view: for user addresses, for kernel addresses, and which of the two is the main one.

    On x86-64 one table serves both halves. On arm64 TTBR0 and TTBR1 are two, and one may be unknown.
    """

    user: Root | None
    kernel: Root | None
    main: Root


class Capture:
    """A stopped machine, seen through the tables of one process (or of the kernel).

    Made by `open_capture`. `root` and `format` are those of the view: the process's own root, user mode.
    Addresses of the other half are walked from the root that the processor would use: on x86-64 the same
    one, on arm64 `kernel_root` with TTBR1's geometry. `kernel` and `swapper` are the same machine seen
    through the kernel-mode tables of the process, and through the kernel's own.
    """

    def __init__(
        self,
        path: Path,
        memory: PhysicalMemory,
        roots: Roots,
        *,
        others: dict[str, Roots] | None = None,
        processors: tuple[Processor, ...] = (),
        truth: dict[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.memory = memory
        self.roots = roots
        self.processors = processors
        self.truth: dict[str, Any] = truth or {}
        self._others = others or {}
        # Shared by all views of a machine: the views made so far, and the compiled tables of their roots.
        self._views: dict[str, Capture] = {}
        self._compiled: dict[Root, CompiledTables] = {}
        self.format = roots.main.format
        self.root = roots.main.address
        self._one_root = roots.user is roots.kernel

    # Other views of the same machine

    @property
    def kernel(self) -> Capture:
        """The same process in kernel mode: with page-table isolation another root (x86-64), else the same.

        Raises `CaptureError` if the capture does not tell that root.
        """
        return self._view("kernel")

    @property
    def swapper(self) -> Capture:
        """The kernel's own tables, of no process (`swapper_pg_dir`).  Raises `CaptureError` if not known."""
        return self._view("swapper")

    def _view(self, name: str) -> Capture:
        roots = self._others.get(name)
        if roots is None:
            raise CaptureError(
                f"{self.path} does not tell the root of the {name} view: give it by hand, open_capture(…, root=0x…)"
            )
        if roots == self.roots:
            return self
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = Capture(
                self.path,
                self.memory,
                roots,
                others=self._others,
                processors=self.processors,
                truth=self.truth,
            )
            view._compiled, view._views = self._compiled, self._views
        return view

    @property
    def kernel_root(self) -> int | None:
        """Where the walk of a kernel address begins in this view; None if not known."""
        return None if self.roots.kernel is None else self.roots.kernel.address

    @property
    def kernel_format(self) -> Format | None:
        """The format by which kernel addresses are walked in this view; None if not known."""
        return None if self.roots.kernel is None else self.roots.kernel.format

    @property
    def vmas(self) -> tuple[Vma, ...]:
        """The process's VMAs as the kernel listed them; empty without a sidecar."""
        return tuple(
            Vma(
                int(vma["start"], 16),
                int(vma["end"], 16),
                vma["prot"],
                vma.get("name", ""),
                tuple(vma.get("labels", ())),
                vma,
            )
            for vma in self.truth.get("vmas", ())
        )

    # Addresses

    def walk(self, va: SupportsIndex) -> WalkRecord:
        """Walk the tables for one virtual address, as the hardware does.

        Returns a record with `.physical`, `.page_size`, `.fault` (None, or what stopped the walk and at which
        level) and `.levels`. Raises `AddressError` if `va` is no 64-bit number.
        """
        if self._one_root:
            return mmu.walk(self.memory, self.root, self.format, va)
        va = mmu.virtual_address(va)
        root = self._root_for(va)
        return mmu.walk(self.memory, root.address, root.format, va)

    def _root_for(self, va: int) -> Root:
        main = self.roots.main
        root = self.roots.kernel if main.format.half(va) == "kernel" else self.roots.user
        # Where the other root is not known, the main one's format says that the address is not its own.
        return root or main

    def translate_many(self, addresses: Any) -> Translation:
        """Translate many virtual addresses at once.

        `addresses` is a list or array of numbers from 0 to 2^64-1, of any shape. The result has three numpy
        arrays of that shape: `.physical` (uint64; 2^64-1 where there is no frame), `.page_size` (int64,
        bytes; 0 where there is none), `.fault_level` (int8): 0 where the address is mapped, n where the walk
        stopped at its n-th level (`format.levels[n - 1]`, 1 is the root), -1 where the address is not canonical.
        The first call for a root compiles its tables (some milliseconds). Raises `AddressError` for what is
        no address.
        """
        import numpy as np

        from .translate import Translation, as_addresses

        va = as_addresses(addresses)
        flat = va.ravel()
        user, kernel = self.roots.user, self.roots.kernel
        high = None if self._one_root else flat >> np.uint64(55) & np.uint64(1) != 0
        if high is None or not high.any():
            found = self._tables_of(user or self.roots.main).translate(flat)
        elif high.all():
            found = self._tables_of(kernel or self.roots.main).translate(flat)
        else:
            low = self._tables_of(user or self.roots.main).translate(flat[~high])
            top = self._tables_of(kernel or self.roots.main).translate(flat[high])
            found = Translation(
                np.empty(flat.size, np.uint64), np.empty(flat.size, np.int64), np.empty(flat.size, np.int8)
            )
            for name in ("physical", "page_size", "fault_level"):
                getattr(found, name)[high] = getattr(top, name)
                getattr(found, name)[~high] = getattr(low, name)
        if va.ndim == 1:
            return found
        shape = va.shape
        return Translation(
            found.physical.reshape(shape), found.page_size.reshape(shape), found.fault_level.reshape(shape)
        )

    def _tables_of(self, root: Root) -> CompiledTables:
        from .translate import CompiledTables

        tables = self._compiled.get(root)
        if tables is None:
            tables = self._compiled[root] = CompiledTables(self.memory, root.address, root.format)
        return tables

    def read(self, va: int, length: int) -> bytes:
        """`length` bytes at virtual address `va`, across as many pages as it takes.

        Raises `CaptureError` where an address is not mapped, `MissingMemory` where its frame was left out of
        the core, `AddressError` for a length below 0 or above MOST_READ.
        """
        if not isinstance(length, int) or not 0 <= length <= MOST_READ:
            raise AddressError(f"cannot read {length!r} bytes: give a length from 0 to {MOST_READ:,}")
        parts: list[bytes] = []
        while length:
            record = self.walk(va)
            if record.physical is None or record.page_size is None:
                raise CaptureError(
                    f"{va:#x} cannot be read, it is not mapped: {record.fault}; mapped_ranges() lists what is"
                )
            here = min(length, record.page_size - va % record.page_size)
            parts.append(self.memory.read(record.physical, here))
            va += here
            length -= here
        return b"".join(parts)

    # The whole space

    def graph(self, half: str | None = None) -> TableGraph:
        """The graph of tables that the view's root reaches, for those who want its leaves one by one.

        Its `kept()` lists the entries that map nothing to the hardware and are not empty: swapped pages,
        PROT_NONE, migration, markers. `half` ("user" or "kernel") leaves out the other half. On arm64 the
        halves have a root each: None means the view's own half.
        """
        if half not in (None, "user", "kernel"):
            raise CaptureError(f"half is {half!r}: give 'user', 'kernel' or None")
        root = self.roots.main
        if half is not None and not self._one_root:
            chosen = self.roots.kernel if half == "kernel" else self.roots.user
            if chosen is None:
                raise CaptureError(
                    f"{self.path} does not tell the root of the {half} half: give it by hand, open_capture(…, root=0x…)"
                )
            root, half = chosen, None
        return TableGraph(self.memory, root.address, root.format, half)

    def mapped_ranges(self, half: str | None = None, frames: bool = True) -> tuple[MappedRange, ...]:
        """The mapped ranges in order of address, like /proc/PID/maps seen from the hardware.

        Neighbouring pages are one range if page size and combined rights are equal and their frames follow
        each other; with `frames=False` wherever their frames are (`physical` is then the first page's).
        A table that is reached a second time is listed as a range of kind ALIAS and not gone through again:
        65,536 ways to one table are a few lines. `half` as for `graph`. Raises `CaptureError` if the tables
        never end, which happens when root or format is wrong.
        """
        return tuple(self.graph(half).ranges(frames))

    def tables(self, half: str | None = None) -> tuple[TableNode, ...]:
        """Every table the root reaches, once, level by level in order of address; `half` as for `graph`.

        A table that is not in the core is left out. Raises `CaptureError` as `mapped_ranges` does.
        """
        return self.graph(half).tables()

    def __repr__(self) -> str:
        return f"<Capture {self.path.name}: {self.format.name}, root {self.root:#x}>"
