"""Trace: one step of a run, as a value: who did what, in which words, and what it changed.

An event carries no picture and no finished sentence: `say` names sentences of the catalogue with their
parameters, so that they can be translated; `changes` are the keys of `trace.snapshot` with new values.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ptwalk.trace.snapshot import Changes, Json

KINDS = frozenset(
    {
        "read", "write", "clear", "exchange", "lock", "unlock", "downgrade", "alloc", "free", "queue", "flush",
        "ipi", "irq", "rcu", "wait", "vma", "page", "call", "access", "other",
    }
)  # fmt: skip
"""What sort of step it is; pictures choose marks by it, sentences have their own keys."""

Said = tuple[str, dict[str, Json]]
"""A key of the catalogue and its parameters. Keys that begin with `bad.` tell of something now false."""


@dataclass(frozen=True, slots=True)
class Event:
    """One step of one CPU.

    `label` is one short word for the timeline; `operation` the text of what was done (empty: what the CPU's
    `next` said before). `ipi` lists the CPUs that took an interrupt in this step. `after` lists earlier steps,
    counted from 1, of other CPUs that had to come before this one. `word` is the step in the vocabulary of
    the recordings, so that a simulated and a real run can be laid side by side.
    """

    cpu: int
    kind: str
    label: str
    say: tuple[Said, ...] = ()
    changes: Changes = field(default_factory=dict)
    operation: str = ""
    ipi: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    word: str = ""

    def to_json(self) -> dict[str, Json]:
        """The event as JSON; what is empty is left out."""
        out: dict[str, Json] = {"cpu": self.cpu, "kind": self.kind, "label": self.label}
        out["say"] = [[key, params] if params else [key] for key, params in self.say]
        if self.changes:
            out["set"] = self.changes
        for name, value in (("op", self.operation), ("word", self.word)):
            if value:
                out[name] = value
        for name, numbers in (("ipi", self.ipi), ("after", self.after)):
            if numbers:
                out[name] = list(numbers)
        return out

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> Event:
        """Read an event back; the caller has checked the data against the schema."""
        said: list[Said] = []
        for item in _list(data.get("say")):
            parts = _list(item)
            params = parts[1] if len(parts) > 1 else {}
            said.append((str(parts[0]), params if isinstance(params, dict) else {}))
        changes = data.get("set")
        return cls(
            cpu=int(str(data["cpu"])),
            kind=str(data["kind"]),
            label=str(data["label"]),
            say=tuple(said),
            changes=changes if isinstance(changes, dict) else {},
            operation=str(data.get("op", "")),
            ipi=tuple(int(str(n)) for n in _list(data.get("ipi"))),
            after=tuple(int(str(n)) for n in _list(data.get("after"))),
            word=str(data.get("word", "")),
        )


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
