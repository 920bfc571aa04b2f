"""The facts beside a core: what the kernel and the emulator said of it when it was made.

Part of `capture`; knows the layout of truth.json, and the names of formats.  The layout is described in
the README of each shipped capture.  What a sidecar leaves out is taken from its `registers`, then from what the
core notes; so a hand-made one may hold no more than `root`, or an arm64 one `ttbr0_el1` and `tcr_el1`.
"""

from __future__ import annotations

import json
import operator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ptwalk.arch import Format, format_name, format_named
from ptwalk.errors import CaptureError, PtwalkError

_ARCHES = {"x86_64": "x86-64", "x86-64": "x86-64", "aarch64": "arm64", "arm64": "arm64"}


def sidecar_path(folder: Path, process: int) -> Path:
    """Where a folder keeps the facts of its n-th process: truth.json, truth-2.json, and so on."""
    return folder / ("truth.json" if process == 1 else f"truth-{process}.json")


@dataclass(frozen=True, eq=False)
class Sidecar:
    """One process's facts: `truth` is the whole JSON object, `path` where it was read (or would have been).

    `noted` are the facts that the core itself tells, under the same names, for what `truth` does not say.
    """

    path: Path
    truth: dict[str, Any]
    noted: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Sidecar:
        """The sidecar at `path`.  Raises `CaptureError` if it cannot be read or is no JSON object."""
        try:
            truth = json.loads(path.read_bytes())
        except OSError as error:
            raise CaptureError(f"{path} cannot be read ({error.strerror}): check path and rights") from error
        except (ValueError, RecursionError) as error:
            raise CaptureError(
                f"{path} is damaged, it is no JSON ({error}): copy the capture again"
            ) from error
        if not isinstance(truth, dict):
            raise CaptureError(f"{path} holds no JSON object: copy the capture again")
        return cls(path, truth)

    def _integer(self, key: str, value: Any, what: str) -> int | None:
        if value is None:
            return None
        try:
            number = int(value, 0) if isinstance(value, str) else operator.index(value)
        except (TypeError, ValueError):
            number = -1
        if isinstance(value, bool) or not 0 <= number < 1 << 64:
            raise CaptureError(
                f"{self.path}: {key} is {value!r}, which is no {what}: correct it or leave it out"
            )
        return number

    def address(self, key: str) -> int | None:
        """The physical address that `key` holds, or None if the sidecar does not have it."""
        return self._integer(key, self.truth.get(key), "physical address")

    def register(self, name: str) -> int | None:
        """A control register of the process's processor, or None if the sidecar does not have it."""
        registers = self.truth.get("registers")
        known = registers if isinstance(registers, dict) else self.truth
        return self._integer(f"register {name}", known.get(name, known.get(name.upper())), "number")

    def number(self, key: str) -> int | None:
        """The number that `key` holds, by the sidecar, its registers or the core's notes; None if none tells."""
        for facts in (self.truth, self._by_registers, self.noted):
            number = self._integer(key, facts.get(key), "number")
            if number is not None:
                return number
        return None

    @cached_property
    def _by_registers(self) -> dict[str, int]:
        facts: dict[str, int] = {}
        cr4, tcr = self.register("cr4"), self.register("tcr_el1")
        if cr4 is not None:
            facts["levels"] = 5 if cr4 >> 12 & 1 else 4  # LA57: Intel SDM vol. 3, 2.5
        if tcr is not None:
            facts |= {"va_bits": 64 - (tcr & 0x3F), "kernel_va_bits": 64 - (tcr >> 16 & 0x3F)}
            shift = page_shift_of(tcr)
            if shift is not None:
                facts["page_size"] = 1 << shift
        return facts

    @property
    def arch(self) -> str:
        """ "x86-64" or "arm64"; what the core says if the sidecar does not."""
        name = str(self.truth.get("arch") or self.noted.get("arch"))
        if name not in _ARCHES:
            raise CaptureError(f"{self.path}: arch is {name!r}: x86_64 and aarch64 are known")
        return _ARCHES[name]

    @property
    def release(self) -> str:
        """The kernel's release, as uname -r prints it; 6.1 if nothing tells."""
        return str(self.truth.get("kernel_release") or self.noted.get("kernel_release") or "6.1")

    def format(self, half: str = "user", name: str | None = None) -> Format:
        """The format of the tables below `root` or, for half "kernel", below `kernel_root`.

        With a `name` it is that format, as this machine used it. Raises `CaptureError` if there is none such.
        """
        if name is not None:
            name = format_name(name)
        try:
            if (name or self.arch).startswith("x86-64"):
                return format_named(name or self._x86_name(), self.release)
            return self._arm64_format(half, name)
        except CaptureError:
            raise
        except PtwalkError as error:
            raise CaptureError(f"{self.path} describes no known format: {error}") from error

    def _x86_name(self) -> str:
        page_size, va_bits = self.number("page_size") or 4096, self.number("va_bits")
        # Its own levels, then its own width, then what registers and notes say.
        own = self._integer("levels", self.truth.get("levels"), "number")
        levels = own or {48: 4, 57: 5}.get(va_bits or 0) or self.number("levels") or 4
        if page_size != 4096 or va_bits not in (None, 12 + 9 * levels):
            raise CaptureError(
                f"{self.path} describes no known format:"
                f" x86-64 has no {levels} levels with {va_bits} bits and {page_size}-byte pages"
            )
        return f"x86-64-{levels}level"

    def _arm64_format(self, half: str, name: str | None) -> Format:
        page_size, va_bits = self.number("page_size") or 4096, self.number("va_bits")
        levels = self.number("levels")
        if half == "kernel":
            va_bits, levels = self.number("kernel_va_bits") or va_bits, self.number("kernel_levels")
        if name is not None:
            granule, width = name.split("-")[1:]
            page_size, va_bits, levels = int(granule[:-1]) << 10, int(width), None
        if va_bits is None:
            raise CaptureError(
                f"{self.path} does not tell its format, va_bits is missing: add it to the sidecar,"
                " or give the format by hand, open_capture(…, format='arm64-4k-48', root=0x…)"
            )
        # TCR_EL1.DS is bit 59 and IPS bits 34:32, where 6 means 52 bits (Arm ARM, D17.2). With 64 KiB pages
        # there is no DS; 52-bit frames are a matter of the output size alone. Other 52-bit formats need it.
        tcr, large = self.register("tcr_el1"), page_size == 1 << 16
        told = self.truth.get("ds")
        wide = bool(told) if told is not None else bool(tcr >> 59 & 1) if tcr is not None else va_bits == 52
        format = format_named(
            f"arm64-{page_size >> 10}k-{va_bits}",
            self.release,
            half=half,
            lpa2=None if large else wide,
            pa_bits=52 if large and (tcr is None or tcr >> 32 & 7 == 6) else None,
        )
        if levels is not None and levels != len(format.levels):
            raise CaptureError(
                f"{self.path} describes no known format: {format.name} has {len(format.levels)} levels and not {levels}"
            )
        return format


def page_shift_of(tcr: int) -> int | None:
    """The page size that TCR_EL1 gives the user half, as a power of two; None for the reserved value."""
    # TG0 is bits 15:14 (Arm ARM, D17.2).
    return {0: 12, 1: 16, 2: 14}.get(tcr >> 14 & 3)
