"""Tiny programs for one sanitizer each: two CPUs, one mapped page, nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ptwalk.machine.observe import Sanitizer
from ptwalk.scenarios import Never, Scenario
from ptwalk.scenarios.ground import Ground, anonymous
from ptwalk.scenarios.stage import Stage
from ptwalk.trace.verdict import Verdict
from ptwalk.trials.explore import explore

Code = Callable[[Ground], Awaitable[Any]]
Judge = Callable[..., Verdict]


@pytest.fixture
def judged() -> Judge:
    """Gives the verdict of one sanitizer on code for one or two CPUs, each a function of the ground it runs on."""

    def judge(oracle: Sanitizer, *codes: Code, user: bool = False, **settings: Any) -> Verdict:
        roles = ("one", "two")[: len(codes)]
        ground_settings = {
            key: settings.pop(key) for key in ("whole", "huge", "populate", "dirty") if key in settings
        }

        def lay_out(stage: Stage) -> None:
            ground = anonymous(stage, roles, **ground_settings)
            for role, code in zip(roles, codes, strict=True):
                stage.stock(role)
                stage.run(role, code, ground)

        scenario = Scenario(
            "tiny",
            "",
            lay_out,
            Never(),
            cpus=roles,
            user=roles if user else (),
            oracles=(oracle,),
            **settings,
        )
        return explore(scenario)

    return judge
