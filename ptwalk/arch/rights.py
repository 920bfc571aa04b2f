"""Rights: what a walk allows, for user mode and for kernel mode, combined from the root to the leaf.

Room `arch`: knows integers only.  Not modelled, because no entry holds them: SMEP, SMAP, protection-key
registers and CR0.WP=0 on x86-64; PAN, WXN, permission overlays and TCR_EL1.HPD on arm64.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rights:
    """Rights say which accesses an entry, or a path of entries, allows to user mode and to the kernel.

    `writable_clean` is true where arm64 says "may be written, but is clean" (DBM set, AP[2] set): such a page
    is read-only until its first write, which hardware dirty-bit management grants and otherwise faults.
    Every level can only take rights away, so combining is `&`, bit by bit.
    """

    user_read: bool = True
    user_write: bool = True
    user_execute: bool = True
    kernel_read: bool = True
    kernel_write: bool = True
    kernel_execute: bool = True
    writable_clean: bool = True

    def __and__(self, other: Rights) -> Rights:
        return Rights(
            self.user_read and other.user_read,
            self.user_write and other.user_write,
            self.user_execute and other.user_execute,
            self.kernel_read and other.kernel_read,
            self.kernel_write and other.kernel_write,
            self.kernel_execute and other.kernel_execute,
            self.writable_clean and other.writable_clean,
        )

    @property
    def user(self) -> bool:
        """Whether user mode may do anything at all here."""
        return self.user_read or self.user_write or self.user_execute

    @property
    def read(self) -> bool:
        """Reading, by user mode if it has any right here, else by the kernel."""
        return self.user_read if self.user else self.kernel_read

    @property
    def write(self) -> bool:
        """Writing, by user mode if it has any right here, else by the kernel."""
        return self.user_write if self.user else self.kernel_write

    @property
    def execute(self) -> bool:
        """Executing, by user mode if it has any right here, else by the kernel."""
        return self.user_execute if self.user else self.kernel_execute

    def allows(self, kind: str, user: bool) -> bool:
        """Whether one kind of access ("read", "write" or "execute") is allowed to user mode or to the kernel."""
        return bool(getattr(self, f"{'user' if user else 'kernel'}_{kind}"))

    def __str__(self) -> str:
        letters = "".join(
            letter if right else "-"
            for letter, right in (("r", self.read), ("w", self.write), ("x", self.execute))
        )
        return f"{'u' if self.user else 'k'} {letters}"

    def to_json(self) -> dict[str, object]:
        """The rights as plain values, for JSON."""
        return {"read": self.read, "write": self.write, "execute": self.execute, "user": self.user}


EVERYTHING = Rights()
NOTHING = Rights(False, False, False, False, False, False, False)
