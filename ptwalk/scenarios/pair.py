"""A walker and a changer, put together: the cell of a matrix, and the trial of somebody's own walker.

Room: scenarios.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from ptwalk.actors.exit import exit_mm
from ptwalk.kernel.users import mmget_not_zero
from ptwalk.scenarios.changers import CHANGER, Changer
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.scenarios.walkers import Walk

if TYPE_CHECKING:
    from ptwalk.kernel.mm import Mm

WALKER = "walker"


def pair(
    name: str,
    walk: Walk,
    changer: Changer,
    *,
    own: bool = False,
    user: bool = False,
    stocked: bool = False,
    expect: Never | Sometimes | None = None,
    story: str = "",
    **settings: Any,
) -> Scenario:
    """The scenario in which `walk(mm, addr)` runs while the changer does its work.

    `own` puts the walker's CPU into the address space it walks: it gets its flush IPIs.  `user` says that the walker
    is a program, whose CPU has a TLB, `stocked` that it may allocate whatever its code says.  `settings` are fields of
    `Scenario` (release, arch, axes, source, oracles).
    """

    def lay_out(stage: Stage) -> None:
        ground = changer.lay_out(stage, (WALKER,) if own else ())
        code = with_user_reference(walk) if changer.exits else walk
        stage.run(WALKER, code, ground.mm, ground.addr)
        if stocked:
            stage.stock(WALKER)

    programs = (*((WALKER,) if user else ()), *((CHANGER,) if changer.user else ()))
    return Scenario(
        name,
        story or f"{name}: {changer.story}",
        lay_out,
        expect if expect is not None else Never(),
        cpus=(WALKER, CHANGER),
        user=programs,
        **settings,
    )


def with_user_reference(walk: Walk) -> Walk:
    """The walk between mmget_not_zero and mmput: what keeps exit_mmap away, and nothing else."""

    @wraps(walk)  # also carries over that it allocates
    async def walk_with_reference(mm: Mm, addr: int) -> None:
        if await mmget_not_zero(mm):
            await walk(mm, addr)
            await exit_mm(mm)

    return walk_with_reference
