"""A scenario: who races whom, from which state, watched by whom, and what must or must not happen.

Room: scenarios.  A scenario is a recipe in the way of a litmus test.  It builds a program; it does not run it.
Building is cheap and gives the same program every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.kernel.config import KernelConfig, arch_named, preset
from ptwalk.machine.observe import Sanitizer
from ptwalk.machine.program import Program
from ptwalk.sanitizers import ALL
from ptwalk.scenarios.stage import Stage

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ScenarioError(PtwalkError):
    """A scenario was asked for something that it cannot be built with."""


@dataclass(frozen=True, slots=True)
class Never:
    """No schedule breaks a rule: the search runs to its end and the verdict is "safe"."""

    def __str__(self) -> str:
        return "never"


@dataclass(frozen=True, slots=True)
class Sometimes:
    """Some schedule breaks a rule: the minimal one is reported by `oracle`, with so many `switches` if known."""

    oracle: str
    switches: int | None = None

    def __str__(self) -> str:
        return f"sometimes: {self.oracle}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One race with its expected outcome.

    `story` is one sentence; `source` where it is from.  `lay_out` puts address spaces and code on a `Stage`.
    `cpus` names who runs, in the order of CPU numbers; `user` those of them that run a user program and so have a
    TLB.  `release`, `arch`, `format` and `axes` say which kernel; all four can be overridden when it is built.
    """

    name: str
    story: str
    lay_out: Callable[[Stage], None]
    expect: Never | Sometimes
    cpus: tuple[str, ...] = ("walker", "changer")
    user: tuple[str, ...] = ()
    release: str = "6.1"
    arch: str = "x86-64"
    format: str = ""
    axes: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    source: str = ""
    oracles: tuple[Sanitizer, ...] = ALL
    # What the walker must give back when nobody disturbs it, for scenarios that are about a result.
    lesson: str = ""

    def config(self, release: str | None = None, arch: str | None = None, **axes: Any) -> KernelConfig:
        """The kernel it is built on, with overrides; raises `PtwalkError` for an unknown release or axis."""
        chosen = preset(release or self.release, arch or self.arch)
        return chosen.but(**{**self.axes, **axes})

    def build(
        self,
        *,
        release: str | None = None,
        arch: str | None = None,
        order: Sequence[str] | None = None,
        **axes: Any,
    ) -> Program:
        """The program: fresh machine, fresh address spaces, code on every CPU, oracles.

        `order` lists the CPUs in another order; each keeps its role.
        """
        return self.stage(release=release, arch=arch, order=order, **axes).program()

    def stage(
        self,
        *,
        release: str | None = None,
        arch: str | None = None,
        order: Sequence[str] | None = None,
        **axes: Any,
    ) -> Stage:
        """The stage with everything laid out on it; `stage.program()` makes the program."""
        arch = None if arch is None else arch_named(arch)
        config = self.config(release, arch, **axes)
        seats = tuple(order) if order is not None else self.cpus
        if sorted(seats) != sorted(self.cpus):
            raise ScenarioError(
                f"{self.name} has the CPUs {', '.join(self.cpus)}; order= must list just these"
            )
        said = [word for word, own in ((release, self.release), (arch, self.arch)) if word not in (None, own)]
        said += [f"{axis}={value}" for axis, value in axes.items()]
        name = "@".join((self.name, ",".join(map(str, said)))) if said else self.name
        format = self.format if arch in (None, self.arch) else ""
        stage = Stage(
            name,
            config,
            arch_named(arch or self.arch),
            seats,
            user=self.user,
            oracles=self.oracles,
            format=format,
        )
        self.lay_out(stage)
        return stage

    def to_json(self) -> dict[str, Any]:
        """The scenario as JSON values, without its code."""
        expect: dict[str, Any] = {"outcome": "safe" if isinstance(self.expect, Never) else "bug"}
        if isinstance(self.expect, Sometimes):
            expect |= {"oracle": self.expect.oracle, "switches": self.expect.switches}
        return {
            "name": self.name,
            "story": self.story,
            "cpus": list(self.cpus),
            "release": self.release,
            "arch": self.arch,
            "axes": dict(self.axes),
            "expect": expect,
            "source": self.source,
        }
