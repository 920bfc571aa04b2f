"""The facts beside a core: what the kernel and the emulator said of it when it was made.

Part of `capture`; knows the layout of truth.json, and the names of formats.  The layout is described in
the README of each shipped capture; a hand-made sidecar needs `arch`, `page_size`, `va_bits` and `root`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptwalk.arch import Format, format_named
from ptwalk.errors import CaptureError, PtwalkError

_ARCHES = {"x86_64": "x86-64", "x86-64": "x86-64", "aarch64": "arm64", "arm64": "arm64"}


def sidecar_path(folder: Path, process: int) -> Path:
    """Where a folder keeps the facts of its n-th process: truth.json, truth-2.json, and so on."""
    return folder / ("truth.json" if process == 1 else f"truth-{process}.json")


@dataclass(frozen=True, eq=False)
class Sidecar:
    """One process's facts: `truth` is the whole JSON object, `path` where it was read."""

    path: Path
    truth: dict[str, Any]

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

    def address(self, key: str) -> int | None:
        """The physical address that `key` holds, or None if the sidecar does not have it."""
        value = self.truth.get(key)
        if value is None:
            return None
        try:
            address = int(value, 16) if isinstance(value, str) else int(value)
        except (TypeError, ValueError):
            address = -1
        if isinstance(value, bool) or not 0 <= address < 1 << 64:
            raise CaptureError(f"{self.path}: {key} is {value!r}, no physical address: write it as 0x…")
        return address

    def number(self, key: str) -> int | None:
        """The number that `key` holds, or None if the sidecar does not have it."""
        value = self.truth.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise CaptureError(
                f"{self.path}: {key} is {value!r}, which is no number: correct or leave it out"
            )
        return value

    def register(self, name: str) -> int | None:
        """A control register of the process's processor, or None if the sidecar does not have it."""
        registers = self.truth.get("registers")
        value = registers.get(name) if isinstance(registers, dict) else None
        if value is None:
            return None
        try:
            return int(value, 16) if isinstance(value, str) else int(value)
        except (TypeError, ValueError) as error:
            raise CaptureError(f"{self.path}: register {name} is {value!r}: write it as 0x…") from error

    @property
    def arch(self) -> str:
        """ "x86-64" or "arm64"."""
        name = str(self.truth.get("arch"))
        if name not in _ARCHES:
            raise CaptureError(f"{self.path}: arch is {name!r}: x86_64 and aarch64 are known")
        return _ARCHES[name]

    @property
    def release(self) -> str:
        """The kernel's release, as uname -r prints it; 6.1 if the sidecar does not say."""
        return str(self.truth.get("kernel_release") or "6.1")

    def user_format(self) -> Format:
        """The format of the tables below `root`."""
        return self._format(self.number("va_bits"), self.number("levels"), "user")

    def kernel_format(self) -> Format:
        """The format of the tables below `kernel_root`; on x86-64 the same as that of the user half."""
        if self.arch == "x86-64":
            return self.user_format()
        va_bits = self.number("kernel_va_bits") or self.number("va_bits")
        return self._format(va_bits, self.number("kernel_levels"), "kernel")

    def _format(self, va_bits: int | None, levels: int | None, half: str) -> Format:
        page_size = self.number("page_size") or 4096
        try:
            if self.arch == "x86-64":
                if levels is None:
                    levels = 5 if va_bits == 57 else 4
                if page_size != 4096 or va_bits not in (None, 12 + 9 * levels):
                    raise CaptureError(
                        f"x86-64 has no {levels} levels with {va_bits} bits and {page_size}-byte pages"
                    )
                return format_named(f"x86-64-{levels}level", self.release)
            return self._arm64_format(page_size, va_bits, levels, half)
        except PtwalkError as error:
            raise CaptureError(f"{self.path} describes no known format: {error}") from error

    def _arm64_format(self, page_size: int, va_bits: int | None, levels: int | None, half: str) -> Format:
        if va_bits is None:
            raise CaptureError("va_bits is missing: add it")
        wide = bool(self.truth.get("ds"))
        # With 64 KiB pages there is no DS; 52-bit frames are a matter of the output size alone (Arm ARM, D8.2).
        # TCR_EL1.IPS is bits 34:32, and 6 means 52 bits.
        tcr = self.register("tcr_el1")
        pa_bits = 52 if page_size == 1 << 16 and (tcr is None or tcr >> 32 & 7 == 6) else None
        format = format_named(
            f"arm64-{page_size >> 10}k-{va_bits}",
            self.release,
            half=half,
            lpa2=wide if page_size != 1 << 16 else None,
            pa_bits=pa_bits,
        )
        if levels is not None and levels != len(format.levels):
            raise CaptureError(f"{format.name} has {len(format.levels)} levels and not {levels}")
        return format
