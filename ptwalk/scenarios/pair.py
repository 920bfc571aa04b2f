"""A walker and a changer, put together: the cell of a matrix, and the trial of somebody's own walker.

Room: scenarios.
"""

from __future__ import annotations

from typing import Any

from ptwalk.scenarios.changers import CHANGER, Changer
from ptwalk.scenarios.scenario import Never, Scenario, Sometimes
from ptwalk.scenarios.stage import Stage
from ptwalk.scenarios.walkers import Walk

WALKER = "walker"


def pair(
    name: str,
    walk: Walk,
    changer: Changer,
    *,
    own: bool = False,
    expect: Never | Sometimes | None = None,
    story: str = "",
    **settings: Any,
) -> Scenario:
    """The scenario in which `walk(mm, addr)` runs while the changer does its work.

    `own` puts the walker's CPU into the address space it walks: it gets its flush IPIs.  `settings` are fields of
    `Scenario` (release, arch, axes, source, oracles).
    """

    def lay_out(stage: Stage) -> None:
        ground = changer.lay_out(stage, (WALKER,) if own else ())
        stage.run(WALKER, walk, ground.mm, ground.addr)

    user = (CHANGER,) if changer.user else ()
    return Scenario(
        name,
        story or f"{name}: {changer.story}",
        lay_out,
        expect if expect is not None else Never(),
        cpus=(WALKER, CHANGER),
        user=user,
        **settings,
    )
