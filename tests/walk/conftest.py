"""One race at a time: a walker and an unlinker on a small address space, explored to the end."""

from collections.abc import Callable
from typing import Any

import pytest

from ptwalk.arch import format_named
from ptwalk.explore import explore
from ptwalk.kernel.config import preset
from ptwalk.kernel.kernel import Kernel
from ptwalk.kernel.rmap import address_space
from ptwalk.machine.observe import observer
from ptwalk.sanitizers.lifetime import Lifetime

BASE = 0x12_4000_0000


class Race:
    """A kernel with one mm: one pte table's span with a page in it, and unless `alone` a neighbour above."""

    def __init__(
        self,
        release: str = "6.1",
        format: str = "x86-64-4level",
        *,
        alone: bool = False,
        file: bool = False,
        huge: bool = False,
        cpumask: tuple[int, ...] = (0, 1),
        user: tuple[int, ...] = (),
        **choices: Any,
    ) -> None:
        fmt = format_named(format, release)
        self.kernel = Kernel(preset(release, fmt.arch).but(**choices), fmt, cpus=2, user=user)
        self.mm = self.kernel.new_mm(cpumask=cpumask)
        span = self.mm.pmd_level.size
        self.start, self.end = BASE, BASE + span
        self.addr = BASE if huge else BASE + 5 * self.mm.format.page_size
        self.file = address_space(self.kernel.machine, "file") if file else None
        self.vma = self.mm.map(self.start, self.end, populate=[self.addr], huge=huge, file=self.file)
        self.page = next(frame for frame in self.kernel.machine.frames() if frame.maps)
        if not alone:
            self.mm.map(self.end, self.end + span, populate=[self.end])

    def run(self, first: Callable[..., Any], second: Callable[..., Any], *, sanitizers: Any = None) -> Any:
        """The verdict over `first(race)` on CPU 0 against `second(race)` on CPU 1."""
        kernel = self.kernel
        cpus = [kernel.cpu("first", first, self), kernel.cpu("second", second, self)]
        for number in range(2):
            kernel.machine.stock(number)
        watch = observer(kernel.machine, sanitizers or [Lifetime()])
        return explore(kernel.program("race", cpus, observers=[watch]))


@pytest.fixture
def race() -> type[Race]:
    """The class that sets a race up."""
    return Race
