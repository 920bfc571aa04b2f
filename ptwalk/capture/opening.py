"""From a path to a capture: which file is the core, which root and format its tables have.

Part of `capture`.  What somebody gives by hand goes before the sidecar, the sidecar before the core's own
notes; and what they say is held against the registers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from ptwalk.arch import Format, format_named
from ptwalk.errors import CaptureError, MissingMemory

from .capture import Capture, Root, Roots
from .core import Core, open_core
from .registers import KernelNote, Processor, kernel_note, levels_of, noted_facts, processors
from .sidecar import Sidecar, page_shift_of, sidecar_path

_SHIPPED = Path(__file__).parent / "data"
_CORE_NAMES = ("memory.elf.xz", "memory.elf", "memory.elf.gz")


def shipped_captures() -> tuple[str, ...]:
    """The names of the captures that come with ptwalk."""
    return tuple(sorted(folder.name for folder in _SHIPPED.iterdir() if (folder / "truth.json").exists()))


def open_capture(
    path: str | os.PathLike[str],
    process: int | str = 1,
    root: int | None = None,
    format: str | Format | None = None,
) -> Capture:
    """Open a captured machine and look at it as one of its processes does.

    `path` is a core (ELF64, plain, .xz or .gz), a folder with a core and its truth.json, or the name of a
    shipped capture (`shipped_captures()`). `process` counts from 1: with a sidecar the n-th process it tells of
    (truth.json, truth-2.json…), else the n-th processor that was running a process's own code; "kernel" is
    process 1 seen in kernel mode, "swapper" the kernel's own tables. `root`, a physical address (or the value
    of CR3 or TTBR0), and `format`, a name of `ptwalk.arch.FORMAT_NAMES` or a `Format`, go before what the files say.
    Raises `CaptureError` with what to do for whatever cannot be opened so.
    """
    core_path, sidecar = _find(path, process)
    core = open_core(core_path)
    running, note = processors(core), kernel_note(core)
    # A core without a sidecar is one whose sidecar says nothing.
    sidecar = replace(sidecar or Sidecar(core_path, {}), noted=noted_facts(core, running, note))
    return _Facts(core, sidecar, running, note).capture(process, root, format)


def _find(path: str | os.PathLike[str], process: int | str) -> tuple[Path, Sidecar | None]:
    named = process in ("kernel", "swapper")
    if isinstance(process, bool) or not (named or (isinstance(process, int) and process >= 1)):
        raise CaptureError(f"process is {process!r}: give a number from 1 on, or 'kernel' or 'swapper'")
    number = 1 if isinstance(process, str) else process
    try:
        where = Path(path)
        known = where.exists()
    except (TypeError, ValueError, OSError) as error:
        raise CaptureError(
            f"{path!r} is no path ({error}): give a file, a folder or a shipped capture's name"
        ) from error
    if not known and (_SHIPPED / where.name / "truth.json").exists() and len(where.parts) == 1:
        where = _SHIPPED / where.name
    elif not known:
        near = get_close_matches(str(path), shipped_captures(), 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise CaptureError(
            f"{path} does not exist{hint}: give a core, a folder with one, or a shipped capture:"
            f" {', '.join(shipped_captures())}"
        )
    folder = where if where.is_dir() else where.parent
    beside = sidecar_path(folder, number)
    sidecar = Sidecar.read(beside) if beside.is_file() else None
    if not where.is_dir():
        return where, sidecar if sidecar and _belongs(sidecar, where) else None
    if sidecar is None and sidecar_path(folder, 1).is_file():
        count = 1
        while sidecar_path(folder, count + 1).is_file():
            count += 1
        raise CaptureError(
            f"{folder} has no process {number}: it tells of {count}; give process=1 to {count}"
        )
    return _core_in(folder, sidecar), sidecar


def _belongs(sidecar: Sidecar, core: Path) -> bool:
    # A core may have been unpacked or packed again since: memory.elf is memory.elf.xz.
    return _stem(_core_file(sidecar) or "memory.elf") == _stem(core.name)


def _core_file(sidecar: Sidecar) -> str | None:
    core = sidecar.truth.get("core")
    name = core.get("file") if isinstance(core, dict) else None
    return name if isinstance(name, str) and name == Path(name).name else None


def _stem(name: str) -> str:
    return name.removesuffix(".xz").removesuffix(".gz").removesuffix(".elf")


def _core_in(folder: Path, sidecar: Sidecar | None) -> Path:
    first = _core_file(sidecar) if sidecar else None
    for name in (first, *_CORE_NAMES):
        if name and (folder / name).is_file():
            return folder / name
    others = [
        entry
        for entry in sorted(folder.iterdir())
        if entry.name.endswith((".elf", ".elf.xz", ".elf.gz", ".core"))
    ]
    if len(others) == 1:
        return others[0]
    found = "several cores" if others else "no core"
    raise CaptureError(f"{folder} is a folder with {found}: give the core itself, or name it memory.elf")


@dataclass(frozen=True)
class _Facts:
    """All that is known of a machine before anybody says how to look at it."""

    core: Core
    sidecar: Sidecar
    processors: tuple[Processor, ...]
    note: KernelNote | None

    def capture(self, process: int | str, root: int | None, format: str | Format | None) -> Capture:
        if self.sidecar.arch != self.core.arch:
            raise CaptureError(
                f"{self.core.path} is an {self.core.arch} core, but {self.sidecar.path.name} tells of"
                f" {self.sidecar.arch}: put the sidecar beside its own core"
            )
        user_format = self._format(format)
        self._check_registers(user_format)
        kernel_format = self._kernel_format(user_format, format)
        processor = self._processor(process)
        address = self._root(user_format, processor, process, root)
        swapper = self._swapper(kernel_format)
        views: dict[str, Roots] = {}
        if self.core.arch == "x86-64":
            if swapper:
                views["swapper"] = Roots(swapper, swapper, swapper)
            own = Root(address, user_format) if address is not None else None
            kernel_root = self._x86_kernel_root(own, processor, root, swapper)
            if kernel_root:
                views["kernel"] = Roots(kernel_root, kernel_root, kernel_root)
            mine = Roots(own, own, own) if own else None
        else:
            user = Root(address, user_format) if address is not None else None
            kernel_root = self._arm64_kernel_root(kernel_format) or swapper
            if kernel_root:
                views["kernel"] = Roots(user, kernel_root, kernel_root)
            if swapper:
                views["swapper"] = Roots(None, swapper, swapper)
            mine = Roots(user, kernel_root, user) if user else None
        chosen = views.get(process) if isinstance(process, str) else mine
        if chosen is None:
            raise CaptureError(self._no_root(process, views))
        self._check_root(chosen.main)
        return Capture(
            self.core.path,
            self.core.memory,
            chosen,
            others=views,
            processors=self.processors,
            truth=self.sidecar.truth,
        )

    # Formats

    def _format(self, given: str | Format | None) -> Format:
        found = given if isinstance(given, Format) else self.sidecar.format(name=given)
        if found.arch != self.core.arch:
            raise CaptureError(
                f"format {found.name} does not fit: {self.core.path} is the core of an {self.core.arch} machine;"
                f" give a format of {self.core.arch}, or leave it out"
            )
        return found

    def _kernel_format(self, user: Format, given: str | Format | None) -> Format:
        if self.core.arch == "x86-64":
            return user
        if not isinstance(given, Format):
            width = self.sidecar.number("kernel_va_bits") or user.va_bits
            name = None if given is None else f"arm64-{user.page_size >> 10}k-{width}"
            return self.sidecar.format("kernel", name)
        lpa2 = getattr(user, "lpa2", None)
        return format_named(
            user.name, user.release, half="kernel", lpa2=lpa2, pa_bits=user.pa_bits, config=user.config
        )

    def _check_registers(self, format: Format) -> None:
        if self.core.arch == "x86-64":
            cr4 = self.sidecar.register("cr4")
            levels = levels_of(self.processors) if cr4 is None else 5 if cr4 >> 12 & 1 else 4
            if levels is not None and levels != len(format.levels):
                raise CaptureError(
                    f"format {format.name} does not fit: CR4.LA57 says that this machine walked {levels} levels;"
                    f" give x86-64-{levels}level, or leave the format out"
                )
            return
        tcr = self.sidecar.register("tcr_el1")
        if tcr is None:
            return
        shift, width = page_shift_of(tcr), 64 - (tcr & 0x3F)  # T0SZ is bits 5:0 (Arm ARM, D17.2)
        if shift != format.page_shift or width != format.va_bits:
            size = "?" if shift is None else f"{1 << shift >> 10}k"
            raise CaptureError(
                f"format {format.name} does not fit: TCR_EL1 says arm64-{size}-{width};"
                " give that, or leave the format out"
            )

    # Roots

    def _processor(self, process: int | str) -> Processor | None:
        # Without a sidecar, processes are the processors that ran user code; a machine without any still has roots.
        users = [p for p in self.processors if p.user] or list(self.processors)
        number = 1 if isinstance(process, str) else process
        return users[number - 1] if number <= len(users) else None

    def _root(
        self, format: Format, processor: Processor | None, process: int | str, given: int | None
    ) -> int | None:
        if given is not None:
            if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 1 << 64:
                raise CaptureError(
                    f"root is {given!r}: give a physical address, or the value of CR3 or TTBR0"
                )
            return self._address(given, format)
        address = self.sidecar.address("root")
        if address is not None:
            return self._address(address, format)
        register = self.sidecar.register("cr3" if self.core.arch == "x86-64" else "ttbr0_el1")
        if register is not None:
            return format.root_address(register)
        if processor:
            return format.root_address(processor.cr3)
        if self.processors:
            count = len([p for p in self.processors if p.user] or self.processors)
            raise CaptureError(
                f"{self.core.path} has no process {process}: it can be seen through the processors that"
                f" ran a process, process=1 to {count}, or any root, root=0x…"
            )
        return None

    def _address(self, given: int, format: Format) -> int:
        # A register has other fields beside the address, so that its value is hardly ever an aligned address itself.
        aligned = given % min(format.levels[0].table_bytes, format.page_size) == 0
        return given if aligned and given in self.core.memory else format.root_address(given)

    def _swapper(self, format: Format) -> Root | None:
        address = self.sidecar.address("swapper_root")
        if address is None and self.note:
            address = self.note.swapper_root
        return None if address is None else Root(address, format)

    def _x86_kernel_root(
        self, own: Root | None, processor: Processor | None, given: int | None, swapper: Root | None
    ) -> Root | None:
        if own is None or given is not None:
            return None
        address = self.sidecar.address("kernel_root")
        if address is not None:
            return Root(address, own.format)
        if self.sidecar.truth:
            return None if self.sidecar.truth.get("kpti") else own
        # A processor stopped in the kernel shows the kernel-mode root; one stopped in user mode may hide it. With
        # page-table isolation it is the page before (arch/x86/entry/calling.h, 6.1: PTI_USER_PGTABLE_BIT, bit 12).
        # Every kernel-mode root repeats the upper half of the kernel's own: that tells which it is.
        if processor and not processor.user:
            return own
        for address in (own.address, own.address & ~0x1000):
            if swapper and self._upper_half(address) == self._upper_half(swapper.address) is not None:
                return Root(address, own.format)
        return None

    def _upper_half(self, root: int) -> bytes | None:
        try:
            return self.core.memory.read(root + 2048, 2048)
        except MissingMemory:
            return None

    def _arm64_kernel_root(self, format: Format) -> Root | None:
        address = self.sidecar.address("kernel_root")
        register = self.sidecar.register("ttbr1_el1")
        if address is None and register is not None:
            address = format.root_address(register)
        return None if address is None else Root(address, format)

    def _check_root(self, root: Root) -> None:
        top = root.format.levels[0]
        align = min(top.table_bytes, root.format.page_size)
        if root.address % align:
            raise CaptureError(
                f"root {root.address:#x} cannot be a {root.format.name} root, which is a multiple of {align:#x}:"
                " give a physical address"
            )
        try:
            self.core.memory.read(root.address, top.table_bytes)
        except MissingMemory as error:
            raise CaptureError(
                f"root {root.address:#x} is outside the memory of {self.core.path}:"
                " give a physical address that the core holds, root=0x…"
            ) from error

    def _no_root(self, process: int | str, views: dict[str, Roots]) -> str:
        if isinstance(process, str):
            return f"{self.core.path} does not tell the root of the {process} view: give it by hand, root=0x…"
        also = f", or process={next(iter(views))!r} for the kernel's own" if views else ""
        return (
            f"{self.core.path} does not tell the process's root (the core holds no register of page tables):"
            f" give it by hand, open_capture(…, root=0x…){also}"
        )
