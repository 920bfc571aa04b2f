"""Shared memory for plain programs: named variables, locks and objects with a lifetime.

Room: machine.  Knows cells, operations, programs and the plain locks.  `Shared` is the short way to a program that
the explorer can search: make the variables, write one `async def` for each CPU, call `program`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.machine.cells import Cells
from ptwalk.machine.operation import Footprint, Memory, Operation
from ptwalk.machine.program import CpuProgram, Program
from ptwalk.machine.sync import Interrupts, Mutex, Rcu, RwSem, make_rwsem, make_sections

# What a CPU runs: an async function without arguments.
Function = Callable[[], Coroutine[Any, Any, Any]]
# The last check: gets the contents of all variables by name, returns what is wrong, or None.
Check = Callable[[Mapping[str, Any]], str | None]

LIVE, FREED = "live", "freed"


@dataclass(frozen=True, slots=True)
class VariableStep(Operation):
    """A step on one variable; `life` is the cell of the object it belongs to, if any."""

    does: str  # "read", "write", "add", "swap"
    name: str
    cell: int
    life: int | None = None
    operand: Hashable = None
    expected: Hashable = None

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What the step does, in one word."""
        return self.does

    def footprint(self, cpu: int) -> Footprint:
        """The variable, and the lifetime of the object around it."""
        reads = () if self.life is None else (self.life,)
        if self.does != "write":
            reads = (*reads, self.cell)
        return reads, (() if self.does == "read" else (self.cell,))

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        """Do the access; what it answers is said at the method of `Variable` that makes it."""
        if self.does == "write":
            memory[self.cell] = self.operand
            return None
        old: Hashable = memory[self.cell]
        if self.does == "add":
            memory[self.cell] = old + self.operand  # type: ignore[operator]
        elif self.does == "swap":
            if old == self.expected:
                memory[self.cell] = self.operand
            return old == self.expected
        return old

    def text(self) -> str:
        """Such as "writes 1 to x"."""
        match self.does:
            case "write":
                return f"writes {self.operand!r} to {self.name}"
            case "add":
                return f"adds {self.operand!r} to {self.name}"
            case "swap":
                return f"changes {self.name} from {self.expected!r} to {self.operand!r} if it can"
        return f"reads {self.name}"


@dataclass(frozen=True, slots=True)
class WaitStep(Operation):
    """Wait until a condition on some variables holds: what a loop that reads them again and again would do."""

    kind = "wait"
    names: tuple[str, ...]
    cells: tuple[int, ...]
    lives: tuple[int, ...]
    condition: Callable[..., Any] = field(compare=False)
    words: str

    @property
    def life(self) -> int | None:
        """The lifetime of an object whose variable is waited for, or None."""
        return self.lives[0] if self.lives else None

    def footprint(self, cpu: int) -> Footprint:
        """The variables and the lifetimes of their objects, read only."""
        return (*self.lives, *self.cells), ()

    def enabled(self, memory: Memory, cpu: int) -> bool:
        """Waits until the condition holds."""
        return bool(self.condition(*(memory[cell] for cell in self.cells)))

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        """The values seen: one, or a tuple."""
        seen = tuple(memory[cell] for cell in self.cells)
        return seen[0] if len(seen) == 1 else seen

    def text(self) -> str:
        """Such as "waits until turn is 1"."""
        return f"waits until {self.words}"


@dataclass(frozen=True, slots=True)
class Variable:
    """One shared word."""

    name: str
    cell: int
    life: int | None = None

    def read(self) -> VariableStep:
        """Read it once."""
        return VariableStep("read", self.name, self.cell, self.life)

    def write(self, value: Hashable) -> VariableStep:
        """Write `value` (hashable)."""
        return VariableStep("write", self.name, self.cell, self.life, self._value(value))

    def add(self, amount: int) -> VariableStep:
        """Add in one atomic step; answers the value before."""
        return VariableStep("add", self.name, self.cell, self.life, self._value(amount))

    def compare_and_swap(self, expected: Hashable, value: Hashable) -> VariableStep:
        """Write `value` if the variable holds `expected`, in one step; answers whether it did."""
        new, old = self._value(value), self._value(expected)
        return VariableStep("swap", self.name, self.cell, self.life, new, old)

    def _value(self, value: Hashable) -> Hashable:
        if inspect.isawaitable(value):
            raise TypeError(f"{self.name} was given a step where its result is meant; await that step")
        return value

    def wait_for(self, *values: Hashable) -> WaitStep:
        """Wait until the variable holds one of `values`, which is answered: a blocked step, never a spin."""
        words = f"{self.name} is {' or '.join(map(repr, values))}"
        lives = () if self.life is None else (self.life,)
        return WaitStep((self.name,), (self.cell,), lives, lambda value: value in values, words)


@dataclass(frozen=True, slots=True)
class LifeStep(Operation):
    """The end of an object."""

    kind = "free"
    name: str
    life: int

    def footprint(self, cpu: int) -> Footprint:
        """The lifetime: it conflicts with every access to the object."""
        return (self.life,), (self.life,)

    def execute(self, memory: Memory, cpu: int) -> Hashable:
        """The object is free from now on."""
        memory[self.life] = FREED
        return None

    def text(self) -> str:
        """Such as "frees table"."""
        return f"frees {self.name}"


@dataclass(frozen=True, slots=True)
class SharedObject:
    """Something with a lifetime; a step on one of its variables after `free` is a violation."""

    name: str
    life: int
    cells: Cells

    def variable(self, name: str, initial: Hashable = 0) -> Variable:
        """A variable inside the object."""
        full = f"{self.name}.{name}"
        return Variable(full, self.cells.add(full, initial), self.life)

    def free(self) -> LifeStep:
        """End its life; a second free is a violation."""
        return LifeStep(self.name, self.life)


def use_after_free(
    before: Memory, cpu: int, operation: Operation, result: Hashable, after: Memory
) -> str | None:
    """Observer: a step on a variable of a freed object, or freeing it twice."""
    life = getattr(operation, "life", None)
    if life is None or before[life] == LIVE:
        return None
    if isinstance(operation, LifeStep):
        return f"CPU {cpu} frees {operation.name} a second time"
    return f"use after free: CPU {cpu} {operation.text()} after it was freed"


class Shared:
    """A place for shared variables and locks, and the way from async functions to a program.

    `cpus` is the number of CPUs the program will have (for locks that keep a cell for each).
    """

    def __init__(self, cpus: int = 2) -> None:
        if not isinstance(cpus, int) or not 1 <= cpus <= 16:
            raise PtwalkError(f"a program has 1 to 16 CPUs, not {cpus!r}: give a whole number")
        self.cpus = cpus
        self.cells = Cells()
        self._mutexes: list[Mutex] = []
        self._rwsems: list[RwSem] = []
        self._sections: list[tuple[str, tuple[int, ...]]] = []

    def variable(self, name: str, initial: Hashable = 0) -> Variable:
        """A shared word."""
        return Variable(name, self.cells.add(name, initial))

    def object(self, name: str) -> SharedObject:
        """Something that can be freed."""
        return SharedObject(name, self.cells.add(f"{name}.life", LIVE), self.cells)

    def mutex(self, name: str) -> Mutex:
        """A mutex."""
        self._mutexes.append(Mutex(name, self.cells.add(name, holds_cpu=True)))
        return self._mutexes[-1]

    def rwsem(self, name: str) -> RwSem:
        """A reader/writer semaphore."""
        self._rwsems.append(make_rwsem(self.cells, name, self.cpus))
        return self._rwsems[-1]

    def rcu(self, name: str = "rcu") -> Rcu:
        """RCU read sections and grace periods."""
        sections = make_sections(self.cells, name, self.cpus)
        self._sections.append((name, sections))
        return Rcu(name, sections)

    def interrupts(self) -> Interrupts:
        """The interrupt flags of the CPUs."""
        sections = make_sections(self.cells, "interrupts", self.cpus)
        self._sections.append(("interrupts", sections))
        return Interrupts(sections)

    def wait(self, condition: Callable[..., Any], *variables: Variable, words: str = "") -> WaitStep:
        """Wait until `condition(values...)` of the variables holds; answers the value, or a tuple of them.

        All of them are looked at in one step, again each time that one is written.  `condition` must depend on nothing
        else; `words` say it for reports.
        """
        lives = tuple(dict.fromkeys(v.life for v in variables if v.life is not None))
        names = tuple(variable.name for variable in variables)
        said = words or f"{', '.join(names)} allow it"
        return WaitStep(names, tuple(variable.cell for variable in variables), lives, condition, said)

    def program(self, *functions: Function, name: str = "", check: Check | None = None) -> Program:
        """The program in which CPU i runs `functions[i]()`.

        `check` is called with all contents by name when every CPU has finished.  A lock that is still held then
        is a violation too.  A function may be given more than once.
        Raises `PtwalkError` if there are more functions than CPUs.
        """
        if not functions:
            raise PtwalkError("the program has no CPU: give an async function for each")
        if len(functions) > self.cpus:
            raise PtwalkError(
                f"{len(functions)} functions for {self.cpus} CPUs: say Shared(cpus={len(functions)}) at the start"
            )
        given: tuple[Any, ...] = functions
        for number, function in enumerate(given):
            if inspect.iscoroutine(function):
                function.close()
                raise PtwalkError(
                    f"CPU {number} was given a call, {function.__name__}(): hand in the function, "
                    f"{function.__name__}, as each execution calls it afresh"
                )
            if not callable(function):
                raise PtwalkError(
                    f"CPU {number} was given {function!r}, which is no function: give an async function for each CPU"
                )
        if check is not None and not callable(check):
            raise PtwalkError(f"check={check!r} is no function: give one that takes the contents by name")
        names = [
            getattr(getattr(function, "func", function), "__name__", f"cpu{number}")
            for number, function in enumerate(functions)
        ]
        cpus = tuple(
            CpuProgram(
                title if names.count(title) == 1 else f"{title}{names[:number].count(title)}",
                function,
            )
            for number, (title, function) in enumerate(zip(names, functions, strict=True))
        )

        def at_end(memory: Memory) -> str | None:
            return self._held(memory) or (check(self._by_name(memory)) if check is not None else None)

        return Program(name or " | ".join(names), self.cells, cpus, (use_after_free,), at_end)

    def _by_name(self, memory: Memory) -> dict[str, Any]:
        return {cell.name: memory[number] for number, cell in enumerate(self.cells)}

    def _held(self, memory: Memory) -> str | None:
        for mutex in self._mutexes:
            if memory[mutex.cell]:
                return f"CPU {memory[mutex.cell] - 1} ends and still holds {mutex.name}"
        for sem in self._rwsems:
            if memory[sem.writer]:
                return f"CPU {memory[sem.writer] - 1} ends and still holds {sem.name} for writing"
            for cpu, reader in enumerate(sem.readers):
                if memory[reader]:
                    return f"CPU {cpu} ends and still holds {sem.name} for reading"
        for name, sections in self._sections:
            for cpu, cell in enumerate(sections):
                if memory[cell][1]:
                    return f"CPU {cpu} ends inside a section of {name}"
        return None
