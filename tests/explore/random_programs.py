"""Seeded random small programs over everything the plain machine offers."""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ptwalk.machine.operation import Footprint, Memory, Operation
from ptwalk.machine.program import Program
from ptwalk.machine.shared import Shared

Action = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class WaitAll(Operation):
    """Waits until all of `cells` hold 0 at once: the hardest kind of wait for a partial-order search."""

    kind = "wait-all"
    cells: tuple[int, ...]

    def footprint(self, cpu: int) -> Footprint:
        return self.cells, ()

    def enabled(self, memory: Memory, cpu: int) -> bool:
        return not any(memory[cell] for cell in self.cells)

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        return None

    def text(self) -> str:
        return f"waits for {self.cells}"


class World:
    """The shared things of one random program and the scripts of its CPUs."""

    def __init__(self, seed: int, order: list[int] | None = None) -> None:
        rng = random.Random(seed)
        cpus = rng.choices((2, 3, 4), (5, 4, 2))[0]
        room = {2: 5, 3: 3, 4: 2}[cpus]
        flavour = rng.choice(("cells", "mutex", "rwsem", "rcu", "irq", "free", "wait", "mixed", "mixed"))
        scripts = [_script(rng, flavour, cpus, rng.randint(1, room)) for _ in range(cpus)]
        order = order if order is not None else list(range(cpus))
        self.order = order[:cpus] if len(order) >= cpus else list(range(cpus))
        # Actions name CPUs by script; `place` says where a script runs when the CPUs are listed otherwise.
        self.place = {script: cpu for cpu, script in enumerate(self.order)}
        self.shared = shared = Shared(cpus)
        self.words = [shared.variable(name) for name in "xyz"]
        self.mutexes = [shared.mutex(name) for name in ("m", "n")]
        self.sem = shared.rwsem("s")
        self.rcu = shared.rcu()
        self.irq = shared.interrupts()
        self.object = shared.object("o")
        self.field = self.object.variable("f")
        self.program: Program = shared.program(
            *(self._function(scripts[script], script) for script in self.order),
            name=f"random {seed} {flavour}",
        )

    def _function(self, script: list[Action], number: int) -> Any:
        async def cpu() -> None:
            await self._run(script)

        cpu.__name__ = f"script{number}"
        return cpu

    async def _run(self, script: list[Action]) -> None:
        for what, *rest in script:
            match what:
                case "read":
                    await self.words[rest[0]].read()
                case "write":
                    await self.words[rest[0]].write(rest[1])
                case "add":
                    await self.words[rest[0]].add(1)
                case "swap":
                    await self.words[rest[0]].compare_and_swap(0, 1)
                case "if":
                    if await self.words[rest[0]].read():
                        await self._run(rest[1])
                case "lock":
                    await self.mutexes[rest[0]].lock()
                case "unlock":
                    await self.mutexes[rest[0]].unlock()
                case "trylock":
                    if await self.mutexes[rest[0]].try_lock():
                        await self._run(rest[1])
                        await self.mutexes[rest[0]].unlock()
                case "sem":
                    await getattr(self.sem, rest[0])()
                case "rcu":
                    await getattr(self.rcu, rest[0])()
                case "irq":
                    await getattr(self.irq, rest[0])()
                case "ipi":
                    await self.irq.send(self.place[rest[0]])
                case "wait":
                    await WaitAll(tuple(self.words[word].cell for word in rest[0]))
                case "field":
                    await (self.field.read() if rest[0] else self.field.write(1))
                case "free":
                    await self.object.free()


def _script(rng: random.Random, flavour: str, cpus: int, room: int) -> list[Action]:
    script: list[Action] = []
    while room > 0:
        block = _block(rng, flavour if flavour != "mixed" else rng.choice(_FLAVOURS), cpus, room)
        script += block
        room -= max(1, len(block))
    return script


_FLAVOURS = ("cells", "mutex", "rwsem", "rcu", "irq", "free", "wait")


def _plain(rng: random.Random) -> Action:
    word = rng.randrange(2)
    kind = rng.choice(("read", "write", "write", "add", "swap", "if"))
    if kind == "write":
        return ("write", word, rng.randrange(2))
    if kind == "if":
        return ("if", word, [("write", rng.randrange(3), rng.randrange(2))])
    return (kind, word)


def _block(rng: random.Random, flavour: str, cpus: int, room: int) -> list[Action]:
    inside = [_plain(rng) for _ in range(rng.randint(0, max(0, min(2, room - 2))))]
    match flavour:
        case "mutex":
            lock = rng.randrange(2)
            match rng.randrange(8):
                case 0:
                    return [("trylock", lock, inside)]
                case 1:  # the other one inside: two orders of locking can deadlock
                    other = 1 - lock
                    return [("lock", lock), ("lock", other), ("unlock", other), ("unlock", lock)]
                case 2 if rng.randrange(3) == 0:
                    return [("lock", lock)]
                case 3 if rng.randrange(3) == 0:
                    return [("unlock", lock)]
            return [("lock", lock), *inside, ("unlock", lock)]
        case "rwsem":
            match rng.randrange(3):
                case 0:
                    return [("sem", "down_read"), *inside, ("sem", "up_read")]
                case 1:
                    return [("sem", "down_write"), *inside, ("sem", "up_write")]
            return [
                ("sem", "down_write"),
                *inside[:1],
                ("sem", "downgrade_write"),
                *inside[1:],
                ("sem", "up_read"),
            ]
        case "rcu":
            if rng.randrange(2):
                return [("rcu", "read_lock"), *inside, ("rcu", "read_unlock")]
            return [_plain(rng), ("rcu", "synchronize"), *inside]
        case "irq":
            if rng.randrange(2):
                return [("irq", "disable"), *inside, ("irq", "enable")]
            return [("ipi", rng.randrange(cpus)), *inside]
        case "free":
            if rng.randrange(3) == 0:
                return [("free",)]
            return [("field", rng.randrange(2)), *inside[:1]]
        case "wait":
            words = tuple(sorted(rng.sample(range(3), rng.choice((1, 2, 2, 3)))))
            return [("wait", words)] if rng.randrange(3) == 0 else [_plain(rng)]
    return [_plain(rng), *inside]
