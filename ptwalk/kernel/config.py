"""Which kernel is simulated: axes and protocol variants, and release presets that are sets of them.

Room: kernel.  Nothing else in the simulator asks for a release: code asks for the variant it depends on,
and a preset only says which variants a release has.  `SOURCES` names where each difference was read.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, Literal

from ptwalk.arch import BadRelease, Release
from ptwalk.errors import PtwalkError


class UnknownPreset(PtwalkError):
    """No preset has that name."""


class UnknownAxis(PtwalkError):
    """No axis or variant has that name or that value."""


@dataclass(frozen=True, slots=True)
class KernelConfig:
    """One kernel, as the set of choices that page-table races depend on.  Defaults are those of 6.1 on x86-64."""

    release: str = "6.1"
    # --- axes of the machine and the build ---
    flush: Literal["ipi", "broadcast"] = "ipi"
    table_free: Literal["batch", "rcu"] = "batch"
    batch_allocation_fails: bool = False
    preemptible: bool = True
    split_ptlocks: bool = True
    vma_locks: bool = False
    pt_reclaim: bool = False
    # --- protocol variants ---
    batch_fallback: Literal["ipi", "rcu head", "synchronize_rcu"] = "ipi"
    vma_tree: Literal["rbtree", "maple tree"] = "maple tree"
    hole_walk: Literal["descends", "skips"] = "skips"
    novma_walk_lock: Literal["read", "write"] = "write"
    pagewalk_lock: Literal["caller", "walk_lock"] = "caller"
    pagewalk_pud: Literal["loaded twice", "loaded once"] = "loaded twice"
    pte_offset_map: Literal["unchecked", "rechecked"] = "unchecked"
    downgrade: Literal["never", "not below a growing stack", "whenever asked"] = "not below a growing stack"
    stack_growth: Literal["mmap read", "mmap write"] = "mmap write"
    gup_recheck: Literal["pte", "pmd and pte"] = "pmd and pte"
    collapse_sync: bool = True
    retract: Literal["mmap write, free now", "mmap write, sync, free", "rmap read, free deferred"] = (
        "mmap write, sync, free"
    )
    retract_rechecks_pmd: bool = False
    collapse_pte_mapped: Literal["free now", "rmap write, sync, free", "pte lock, free deferred"] = (
        "rmap write, sync, free"
    )
    move_pmd_recheck: bool = False
    move_rmap_locks: Literal["always", "left out"] = "always"
    pfnmap_flush: Literal["with the rest", "before the rmap is left"] = "before the rmap is left"
    rmap_recheck: bool = False
    exit_locks: Literal["none", "read, then write"] = "read, then write"
    dontneed_lock: Literal["mmap read", "vma read"] = "mmap read"
    clear_young: Literal["load and store", "atomic"] = "load and store"
    nested_flush: Literal["whole mm", "forgets freed tables"] = "whole mm"

    def but(self, **changes: Any) -> KernelConfig:
        """This kernel with some choices changed; raises `UnknownAxis` for a name or value that there is not."""
        check_axes(changes)
        return replace(self, **changes)

    @property
    def has_vma_locks(self) -> bool:
        """Whether VMAs have locks of their own; a kernel whose madvise takes one has them."""
        return self.vma_locks or self.dontneed_lock == "vma read"

    @property
    def uses_rcu_callbacks(self) -> bool:
        """Whether any path of this kernel frees a table by call_rcu."""
        return (
            self.table_free == "rcu" or "deferred" in self.retract or "deferred" in self.collapse_pte_mapped
        )


@cache
def _choices() -> dict[str, tuple[Any, ...]]:
    import typing

    hints = typing.get_type_hints(KernelConfig)
    found: dict[str, tuple[Any, ...]] = {}
    for field in fields(KernelConfig):
        hint = hints[field.name]
        if hint is bool:
            found[field.name] = (False, True)
        elif typing.get_origin(hint) is Literal:
            found[field.name] = typing.get_args(hint)
    return found


def axes() -> Mapping[str, tuple[Any, ...]]:
    """Every axis and variant, with the values it may have."""
    return _choices()


def check_axes(changes: Mapping[str, Any]) -> None:
    """Raises `UnknownAxis`, naming what there is, unless every change is an axis with one of its values."""
    choices = {**_choices(), "release": None}
    for name, value in changes.items():
        if name not in choices:
            near = difflib.get_close_matches(name, choices, n=2)
            hint = f"did you mean {' or '.join(near)}? There" if near else "there"
            raise UnknownAxis(f"there is no axis {name!r}; {hint} are {', '.join(sorted(choices))}")
        allowed = choices[name]
        if allowed is not None and value not in allowed:
            raise UnknownAxis(f"{name} cannot be {value!r}; it is one of {', '.join(map(repr, allowed))}")


_5_15_0 = KernelConfig(
    release="5.15.0",
    vma_tree="rbtree",
    hole_walk="descends",
    novma_walk_lock="read",
    stack_growth="mmap read",
    gup_recheck="pte",
    collapse_sync=False,
    retract="mmap write, free now",
    collapse_pte_mapped="free now",
    exit_locks="none",
    pfnmap_flush="with the rest",
)
_5_15_85 = replace(
    _5_15_0,
    release="5.15.85",
    hole_walk="skips",
    novma_walk_lock="write",
    gup_recheck="pmd and pte",
    collapse_sync=True,
    retract="mmap write, sync, free",
    collapse_pte_mapped="rmap write, sync, free",
)
_6_1 = KernelConfig()
_6_6 = replace(
    _6_1,
    release="6.6",
    vma_locks=True,
    pagewalk_lock="walk_lock",
    pte_offset_map="rechecked",
    downgrade="whenever asked",
    retract="rmap read, free deferred",
    collapse_pte_mapped="pte lock, free deferred",
    rmap_recheck=True,
    clear_young="atomic",
)
_6_14 = replace(
    _6_6,
    release="6.14",
    table_free="rcu",
    pt_reclaim=True,
    batch_fallback="rcu head",
    retract_rechecks_pmd=True,
    move_pmd_recheck=True,
)
_7_1 = replace(
    _6_14,
    release="7.1",
    table_free="rcu",
    batch_fallback="synchronize_rcu",
    dontneed_lock="vma read",
    pagewalk_pud="loaded once",
)
PRESETS: Mapping[str, KernelConfig] = {c.release: c for c in (_5_15_0, _5_15_85, _6_1, _6_6, _6_14, _7_1)}

SOURCES: Mapping[str, str] = {
    "flush": "x86 mm/tlb.c flushes by IPI; arm64 tlbflush.h by TLBI ...IS broadcast (5.15); INVLPGB from 6.15",
    "table_free": "MMU_GATHER_RCU_TABLE_FREE: arm64 always; x86 with PARAVIRT to 6.14, always since 6.15"
    " (a37259732a7d). A recorded 6.1.176 with PARAVIRT, but no paravirtual flush, used the page batch",
    "batch_fallback": "mm/mmu_gather.c: IPI to 6.13; 718b13861d22 (6.14, x86 with PT_RECLAIM); synchronize_rcu in 7.1",
    "vma_locks": "50ee32537206 (6.4)",
    "pt_reclaim": "6375e95f381e (6.14)",
    "vma_tree": "mm/mmap.c: mm_rb in 5.15, mm_mt in 6.1",
    "hole_walk": "8782fb61cc84 (6.0-rc4; in 5.15.85)",
    "novma_walk_lock": "8782fb61cc84 (6.0-rc4; in 5.15.85)",
    "pagewalk_lock": "49b0638502da (6.5)",
    "pagewalk_pud": "9b25a6e3d243 (7.0-rc), CVE-2026-31456",
    "pte_offset_map": "0d940a9b270b (6.5)",
    "downgrade": "246c320a8cfe (5.8-rc7); e4bd84c069f2 (6.5)",
    "stack_growth": "8d7071af8907 (6.5; 6.1.37 with c2508ec5a58d)",
    "gup_recheck": "70cbc3cc78a9 (6.1; in 5.15.85)",
    "collapse_sync": "2ba99c5e0881 (after 6.1-rc7; in 5.15.85)",
    "retract": "mm/khugepaged.c 5.15; 2ba99c5e0881; 1d65b771bc08 (6.6)",
    "retract_rechecks_pmd": "mm/khugepaged.c retract_page_tables, 6.14",
    "collapse_pte_mapped": "mm/khugepaged.c 5.15; 8d3c106e19e8; pte_free_defer in 6.6",
    "move_pmd_recheck": "6fa1066fc5d0 (6.12), CVE-2024-50066",
    "move_rmap_locks": "97113eb39fa7 (5.14-rc1), CVE-2022-41222; before, they were left out for most moves",
    "pfnmap_flush": "b67fbebd4cf9 (5.19-rc8), CVE-2022-39188; whether 5.15.85 has it was not checked",
    "rmap_recheck": "mm/page_vma_mapped.c: through pte_offset_map_lock or a pmd_same test once tables can vanish",
    "exit_locks": "mm/mmap.c exit_mmap: none in 5.15; recorded in 6.1.176: read, then write",
    "dontneed_lock": "a6fde7add78d (6.17 by its date)",
    "clear_young": "c11d34fa139e (6.5; 6.4.6 stable)",
    "nested_flush": "7a30df49f63a (2019)",
    "preemptible": "CONFIG_PREEMPT",
    "split_ptlocks": "SPLIT_PTLOCK_CPUS, mm_types_task.h 5.15",
    "batch_allocation_fails": "mm/mmu_gather.c tlb_remove_table, 5.15",
}


# What a preset has otherwise on arm64.  Reclaim of empty tables came later there (mm/Kconfig: x86_64 only in 6.14,
# automatic in 7.1).
_ON_ARM64: Mapping[str, Mapping[str, Any]] = {"6.14": {"pt_reclaim": False}}

_ARCHES = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "arm64"}


def arch_named(arch: str) -> str:
    """The name used here for an architecture: what `uname -m` prints will do; others come back as they are."""
    return _ARCHES.get(arch, arch)


def _preset_of_series(release: object) -> KernelConfig:
    """The preset for a stable release of its series: "6.1.176" is 6.1, and "5.15.90" has the fixes of 5.15.85."""
    if not isinstance(release, str):
        raise UnknownPreset(f'a release is a text, such as release="6.1"; this is {release!r}')
    try:
        wanted = Release.parse(release)
    except BadRelease:
        raise UnknownPreset(f"there is no preset {release!r}; there are {', '.join(PRESETS)}") from None
    known = {Release.parse(name): config for name, config in PRESETS.items()}
    below = [each for each in sorted(known) if each <= wanted]
    above = [each for each in sorted(known) if each > wanted]
    if below and (below[-1].major, below[-1].minor) == (wanted.major, wanted.minor):
        return known[below[-1]]
    near = [known[each].release for each in (*below[-1:], *above[:1])]
    between = (
        f"it lies between {' and '.join(near)}: try both" if len(near) == 2 else f"the nearest is {near[0]}"
    )
    raise UnknownPreset(f"there is no preset {release!r}; {between}. There are {', '.join(PRESETS)}")


def preset(release: str, arch: str = "x86-64") -> KernelConfig:
    """The kernel of a release on an architecture ("x86-64" or "arm64"); raises `UnknownPreset`.

    A stable release has the preset of its series: "6.1.176" and "v6.1" mean 6.1.  On arm64 flushes are broadcast and
    freed tables always wait for RCU.
    """
    config = PRESETS.get(release) or _preset_of_series(release)
    if arch_named(arch) == "arm64":
        return replace(config, flush="broadcast", table_free="rcu", **_ON_ARM64.get(config.release, {}))
    return config
