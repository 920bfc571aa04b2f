"""All formats by name.

Room `arch`: knows integers only.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from functools import lru_cache

from ptwalk.arch.arm64 import Arm64Format
from ptwalk.arch.format import Format
from ptwalk.arch.geometry import BadFormat
from ptwalk.arch.release import Release
from ptwalk.arch.swap_entry import CONFIG_OPTIONS, default_config
from ptwalk.arch.x86_64 import X86Format

_X86 = {"x86-64-4level": 4, "x86-64-5level": 5}
# name: page shift, virtual address bits, physical address bits, whether descriptors are those of LPA2
_ARM64 = {
    "arm64-4k-39": (12, 39, 48, False),
    "arm64-4k-48": (12, 48, 48, False),
    "arm64-4k-52": (12, 52, 52, True),
    "arm64-16k-36": (14, 36, 48, False),
    "arm64-16k-47": (14, 47, 48, False),
    "arm64-16k-48": (14, 48, 48, False),
    "arm64-16k-52": (14, 52, 52, True),
    "arm64-64k-42": (16, 42, 48, False),
    "arm64-64k-48": (16, 48, 48, False),
    "arm64-64k-52": (16, 52, 52, False),
}

FORMAT_NAMES = (*_X86, *_ARM64)

# What people also write: "x86_64-5level", "aarch64-16k-47bit", "5level", "4k-48", or a capture's name.
_X86_SPELLING = re.compile(r"(?:x86[-_]64[-_])?([45])[-_]?level(?:[-_]\d[\w.+-]*)?")
_ARM64_SPELLING = re.compile(
    r"(?:(?:arm64|aarch64)[-_])?(4|16|64)k(?:i?b)?[-_](\d\d)(?:[-_]?bits?)?(?:[-_]\d[\w.+-]*)?"
)


def format_name(text: object) -> str:
    """The name in FORMAT_NAMES that is meant, however it is spelled.  Raises `BadFormat` and names what there is."""
    spelled = str(text).strip().lower()
    if match := _X86_SPELLING.fullmatch(spelled):
        spelled = f"x86-64-{match[1]}level"
    elif match := _ARM64_SPELLING.fullmatch(spelled):
        spelled = f"arm64-{match[1]}k-{match[2]}"
    if spelled in FORMAT_NAMES:
        return spelled
    near = get_close_matches(spelled, FORMAT_NAMES, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise BadFormat(f"no format is called {text!r}; {hint}there are {', '.join(FORMAT_NAMES)}")


def format_named(
    name: str,
    release: str | Release = "6.1",
    *,
    pa_bits: int | None = None,
    lpa2: bool | None = None,
    half: str = "user",
    config: Collection[str] | None = None,
) -> Format:
    """The format with that name (or another spelling of it), as a kernel of that release uses it.

    `pa_bits` narrows or widens physical addresses (default: 52 on x86-64 and with LPA or LPA2, else 48).  `lpa2`
    forces or forbids the descriptors of LPA2 (TCR_EL1.DS) with 4K and 16K pages.  `half` is "user" (TTBR0) or
    "kernel" (TTBR1) and matters to arm64 only.  `config` lists the kernel options that add swap types; by default
    those of a distribution's kernel, of Debian's if `release` is a name of Debian's ("6.1.0-50-amd64").  Raises
    `BadFormat` and names what there is.
    """
    name, found = format_name(name), Release.parse(release)
    if half not in ("user", "kernel"):
        raise BadFormat(f"half {half!r} does not exist; it is 'user' or 'kernel'")
    arch = "x86-64" if name in _X86 else "arm64"
    options = default_config(arch, found, str(release)) if config is None else frozenset(config)
    if not options <= frozenset(CONFIG_OPTIONS):
        raise BadFormat(f"config may hold {', '.join(CONFIG_OPTIONS)}, and {sorted(options)} was given")
    return _cached(name, found, pa_bits, lpa2, half, options)


@lru_cache(maxsize=256)
def _cached(
    name: str, release: Release, pa_bits: int | None, lpa2: bool | None, half: str, config: frozenset[str]
) -> Format:
    if name in _X86:
        width = 52 if pa_bits is None else pa_bits
        if not 32 <= width <= 52 or lpa2:
            raise BadFormat(
                f"{name} has physical addresses of 32 to 52 bits and no LPA2; {width} was asked for"
            )
        return X86Format(name, _X86[name], pa_bits=width, release=release, config=config)
    page_shift, va_bits, usual, usual_lpa2 = _ARM64[name]
    ds = usual_lpa2 if lpa2 is None else lpa2
    if ds and page_shift == 16:
        raise BadFormat(f"{name}: LPA2 is for 4K and 16K pages; with 64K pages ask for pa_bits=52 instead")
    if not ds and va_bits == 52 and page_shift != 16:
        raise BadFormat(f"{name}: addresses of 52 bits with 4K or 16K pages need LPA2")
    limit = 52 if ds or page_shift == 16 else 48
    width = (52 if ds else usual) if pa_bits is None else pa_bits
    if not 32 <= width <= limit:
        raise BadFormat(f"{name} has physical addresses of 32 to {limit} bits here; {width} was asked for")
    return Arm64Format(
        name, page_shift, va_bits, pa_bits=width, lpa2=ds, half=half, release=release, config=config
    )
