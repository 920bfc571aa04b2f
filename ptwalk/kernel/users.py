"""Who may use an address space: mm_users.

Room: kernel.  Holding a user reference keeps exit_mmap away; it keeps nothing else away.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ptwalk.kernel.vma import MmOperation
from ptwalk.machine.operation import Footprint, Operation

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm


class MmUsers(MmOperation):
    """A step on mm->mm_users."""

    __slots__ = ()

    def footprint(self, cpu: int) -> Footprint:
        return (self.mm.users,), (self.mm.users,)


class MmgetNotZero(MmUsers):
    """Takes a user reference unless the last is gone; the result says whether it did."""

    __slots__ = ()
    kind = "mmget"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        if not memory[self.mm.users]:
            return False
        memory[self.mm.users] += 1
        return True

    def text(self) -> str:
        return f"takes a user reference on {self.mm.name}, if there are any left"


class MmPut(MmUsers):
    """Drops a user reference; the result is how many are left."""

    __slots__ = ()
    kind = "mmput"

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        memory[self.mm.users] -= 1
        left: Hashable = memory[self.mm.users]
        return left

    def text(self) -> str:
        return f"drops a user reference on {self.mm.name}"


class TestExit(MmUsers):
    """hpage_collapse_test_exit(): whether nobody uses the mm any more."""

    __slots__ = ()
    __test__ = False
    kind = "test_exit"

    def footprint(self, cpu: int) -> Footprint:
        return (self.mm.users,), ()

    def execute(self, memory: list[Any], cpu: int) -> Hashable:
        return not memory[self.mm.users]

    def text(self) -> str:
        return f"tests whether {self.mm.name} is being torn down"


def mmget_not_zero(mm: Mm) -> Operation:
    """get_task_mm(), mmget_not_zero(): the right to walk another process's tables at all."""
    return MmgetNotZero(mm)


async def mmput(mm: Mm) -> None:
    """Drops a user reference that is known not to be the last (the process itself still runs)."""
    await MmPut(mm)
