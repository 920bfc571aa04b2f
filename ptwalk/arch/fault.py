"""Faults: what the processor reports when an access fails, as x86-64 error codes and arm64 fault status codes.

Room `arch`: knows integers only.  A walk record is recognised by its shape, so this module needs no later room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ptwalk.arch.entry import Entry
from ptwalk.arch.entry_state import EntryState
from ptwalk.arch.geometry import BadValue, Geometry
from ptwalk.arch.level import Level
from ptwalk.arch.rights import Rights

# Page-fault error code of x86-64: arch/x86/include/asm/trap_pf.h, 5.15 and 7.1.
X86_PROT, X86_WRITE, X86_USER, X86_RSVD, X86_INSTR, X86_PK, X86_SHSTK = (1 << bit for bit in range(7))

# Fault status code of arm64, ESR_EL1 bits 5:0: kind in bits 5:2, level in bits 1:0 (architecture manual, and
# arch/arm64/include/asm/esr.h).  Level -1, of five-level tables, has codes of its own.
ARM64_KINDS = {"address size": 0x00, "translation": 0x04, "access flag": 0x08, "permission": 0x0C}
ARM64_LEVEL_MINUS_1 = {"address size": 0x29, "translation": 0x2B}


@dataclass(frozen=True)
class Access:
    """An access is one attempt to read, write or execute, by user mode or by the kernel."""

    kind: str = "read"
    user: bool = True
    shadow_stack: bool = False
    key_denies: bool = False  # the protection-key register forbids it (x86-64); no entry can tell

    @classmethod
    def parse(cls, text: str | Access) -> Access:
        """Read an access from words, such as "write" or "kernel read"; without a mode it is user mode's."""
        if isinstance(text, Access):
            return text
        words = text.replace("-", " ").split()
        kind = words[-1] if words else ""
        mode = words[:-1]
        if kind not in ("read", "write", "execute") or mode not in ([], ["user"], ["kernel"]):
            raise BadValue(f"access {text!r} is not understood; write for example 'read' or 'kernel write'")
        return cls(kind, mode != ["kernel"])

    def __str__(self) -> str:
        return f"{'user' if self.user else 'kernel'} {self.kind}"


@dataclass(frozen=True)
class Fault:
    """A fault is how the processor tells the kernel why an access failed.

    `name` is the exception ("#PF", "#GP", or "abort" on arm64); `code` the x86-64 page-fault error code or the
    arm64 fault status code, None where the processor has none; `kind` in words; `level` the level's name.
    """

    name: str
    code: int | None
    kind: str
    level: str | None
    sentence: str
    bits: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The fault as plain values, for JSON."""
        return {
            "name": self.name,
            "code": self.code,
            "kind": self.kind,
            "level": self.level,
            "sentence": self.sentence,
            "bits": list(self.bits),
        }


class WalkStop(Protocol):
    """What a walk record tells about its end: `WalkFault` of room `trace` has this shape."""

    @property
    def reason(self) -> str: ...
    @property
    def level(self) -> str | None: ...


class WalkStep(Protocol):
    """One step of a walk record."""

    @property
    def entry(self) -> Entry: ...


class Walk(Protocol):
    """A walk record, as far as a fault depends on it."""

    @property
    def fault(self) -> WalkStop | None: ...
    @property
    def rights(self) -> Rights | None: ...
    @property
    def levels(self) -> tuple[WalkStep, ...]: ...


Stop = Rights | Entry | Walk


def access_fault(
    fmt: Geometry,
    stop: Stop,
    access: Access,
    *,
    rights: Rights | None = None,
    level: Level | None = None,
    hardware_access_flag: bool = False,
    hardware_dirty: bool = False,
) -> Fault | None:
    """The fault of an access whose walk ended so, or None; `Format.access_fault` says it in full."""
    entry: Entry | None = None
    if isinstance(stop, Rights):
        rights = stop
    elif isinstance(stop, Entry):
        entry = stop
    else:
        if stop.fault is not None and stop.fault.reason == "not canonical":
            return _not_canonical(fmt, access)
        if stop.fault is not None and stop.fault.reason == "missing memory":
            at = stop.fault.level
            return Fault("none", None, "missing memory", at, "The memory of the table is not in the capture.")
        rights = stop.rights
        entry = stop.levels[-1].entry if stop.levels else None
    if entry is not None:
        level = entry.level
        rights = entry.rights if rights is None else rights
        if not (entry.state is EntryState.LEAF or entry.state is EntryState.TABLE):
            return _stopped(fmt, entry, access)
    if rights is None or (level is None and fmt.arch == "arm64"):
        raise BadValue("to tell the fault, give the level of the leaf, the last entry, or the walk record")
    at_level = level if level is not None else fmt.levels[-1]
    accessed = entry is None or entry.state is EntryState.TABLE or entry.accessed
    if fmt.arch == "arm64" and not accessed and not hardware_access_flag:
        return _arm64("access flag", at_level, f"The {at_level} entry has its access flag clear")
    allowed = rights.allows(access.kind, access.user)
    if access.kind == "write" and hardware_dirty and rights.writable_clean:
        # The processor makes the page writable-dirty by itself; user mode still needs access at all.
        allowed = rights.user_read if access.user else rights.kernel_read
    if allowed and not access.key_denies:
        return None
    what = f"The entries allow {rights} and do not allow this {access}"
    if fmt.arch == "arm64":
        return _arm64("permission", at_level, what)
    if allowed:
        what = "The entries allow it, but the protection key's register does not"
    return _x86(X86_PROT, at_level, access, "permission", what)


def _not_canonical(fmt: Geometry, access: Access) -> Fault:
    if fmt.arch == "x86-64":
        sentence = (
            "The address is not canonical: the processor raises a general-protection fault and walks nothing."
        )
        return Fault("#GP", 0, "not canonical", None, sentence)
    # An address outside both halves is reported as level 0 whatever the first level is (architecture manual).
    sentence = "The address lies in neither half: a translation fault, level 0, and nothing is walked."
    return Fault("abort", ARM64_KINDS["translation"], "translation", None, sentence)


def _stopped(fmt: Geometry, entry: Entry, access: Access) -> Fault:
    """The fault of a walk that an entry stopped because it is invalid or has a reserved bit."""
    what = f"The {entry.level} entry is {entry.state}"
    if fmt.arch == "x86-64":
        if entry.state is EntryState.RESERVED and entry.present:
            what = f"The {entry.level} entry has reserved bit {entry.reserved_bit} set"
            return _x86(X86_PROT | X86_RSVD, entry.level, access, "reserved bit", what)
        return _x86(0, entry.level, access, "not present", f"{what}, not present to the hardware")
    wrong_size = entry.state is EntryState.RESERVED and entry.reserved_bit not in (None, 1)
    return _arm64("address size" if wrong_size else "translation", entry.level, what)


def _x86(code: int, level: Level, access: Access, kind: str, what: str) -> Fault:
    # PK is set only when the rights alone would have allowed the access.
    causes = (
        (X86_WRITE, access.kind == "write"),
        (X86_USER, access.user),
        (X86_INSTR, access.kind == "execute"),
        (X86_PK, access.key_denies and kind == "permission"),
        (X86_SHSTK, access.shadow_stack),
    )
    code |= sum(bit for bit, set_ in causes if set_)
    names = ("P", "W", "U", "RSVD", "I", "PK", "SS")
    bits = tuple(name for place, name in enumerate(names) if code >> place & 1)
    sentence = f"{what}: page fault with error code {code:#x} ({' '.join(bits) or 'no bit set'})."
    return Fault("#PF", code, kind, level.name, sentence, bits)


def _arm64(kind: str, level: Level, what: str) -> Fault:
    number = int(level.hardware.removeprefix("level "))
    code = ARM64_LEVEL_MINUS_1[kind] if number < 0 else ARM64_KINDS[kind] | number
    return Fault("abort", code, kind, level.name, f"{what}: {kind} fault, {level.hardware}, code {code:#x}.")
