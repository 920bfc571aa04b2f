"""What the recordings say about the choices that make up a preset: with the other choice, a comparison fails.

Room: conformance. Choices that show only when two CPUs race, or in operations that were not recorded, rest on the
sources that `kernel.config` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ptwalk.kernel.config import axes, preset


@dataclass(frozen=True, slots=True)
class Attested:
    """A choice of the preset that a recording settles: with `instead` the run would not be that of `recording`."""

    axis: str
    instead: Any
    recording: str

    def chosen(self, release: str = "6.1") -> Any:
        """What the preset has."""
        return getattr(preset(release), self.axis)


ATTESTED: tuple[Attested, ...] = (
    Attested("flush", "broadcast", "smp_munmap_tables"),
    Attested("table_free", "rcu", "munmap_tables"),
    Attested("split_ptlocks", False, "munmap_tables"),
    Attested("vma_locks", True, "fault_existing_table"),
    Attested("pt_reclaim", True, "dontneed"),
    Attested("vma_tree", "rbtree", "munmap_tables"),
    Attested("pte_offset_map", "rechecked", "mincore"),
    Attested("downgrade", "whenever asked", "munmap_growsdown"),
    Attested("downgrade", "never", "munmap_tables"),
    Attested("gup_recheck", "pte", "gup_fast"),
    Attested("collapse_sync", False, "collapse_madv"),
    Attested("retract", "mmap write, free now", "collapse_tmpfs"),
    Attested("retract", "rmap read, free deferred", "collapse_tmpfs"),
    Attested("rmap_recheck", True, "collapse_tmpfs"),
    Attested("move_rmap_locks", "left out", "mremap_pmd"),
    Attested("exit_locks", "none", "exit"),
    Attested("dontneed_lock", "vma read", "dontneed"),
)


def not_attested() -> Mapping[str, tuple[Any, ...]]:
    """The axes about which these recordings say nothing."""
    settled = {each.axis for each in ATTESTED}
    return {name: values for name, values in axes().items() if name not in settled and name != "release"}
