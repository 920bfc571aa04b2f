"""Trace: how a timeline is written down while something runs.

A writer holds the state as it is now. Whoever watches a run puts the new values and says that a step is
done; the writer keeps only what differs, and adds to the step's sentence what follows from it: a table that
was unlinked, freed or reused, and which CPU still points into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ptwalk.trace.event import Event, Said
from ptwalk.trace.snapshot import Changes, Frame, Held, Json, Local, Slot, Snapshot, apply
from ptwalk.trace.timeline import Header, Timeline

Value = Frame | Slot | Held


class TimelineWriter:
    """Writes one timeline: put the base state, call `begin`, then put changes and call `step` for each step."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self._before: dict[str, Json] = {}
        self._touched: dict[str, Json] = {}
        self._cleared: set[str] = set()
        self._base: dict[str, Json] | None = None
        self._events: list[Event] = []
        self._sources: dict[tuple[str, str, int], int] = {}
        self._source_list: list[dict[str, Json]] = list(header.sources)
        self._locks: dict[str, dict[str, Json]] = {str(lock["id"]): lock for lock in header.locks}
        for number, source in enumerate(header.sources):
            key = (str(source.get("file", "")), str(source["name"]), int(str(source.get("first", 1))))
            self._sources[key] = number

    def source(self, name: str, file: str, first: int, text: str) -> int:
        """The number of a source text in the header; it is added the first time it is seen."""
        key = (file, name, first)
        if key not in self._sources:
            self._sources[key] = len(self._source_list)
            self._source_list.append({"name": name, "file": file, "first": first, "text": text})
        return self._sources[key]

    def lock(self, id: str, name: str, kind: str = "spin", frame: int | None = None, absent: str = "") -> str:
        """Make a lock known; returns its id."""
        if id not in self._locks:
            fields: dict[str, Json] = {"id": id, "name": name, "kind": kind}
            if frame is not None:
                fields["frame"] = frame
            if absent:
                fields["absent"] = absent
            self._locks[id] = fields
        return id

    def put(self, *values: Value) -> None:
        """Set frames, entries and locks to what they are now."""
        for value in values:
            self._touched[value.key] = value.to_json()

    def set(self, key: str, value: Json) -> None:
        """Set any key of the state; None takes it away."""
        self._touched[key] = value

    def fact(self, name: str, text: str | None) -> None:
        """Set a fact that is shown by its name, such as whether a VMA is attached."""
        self._touched[f"x:{name}"] = text

    def cpu(
        self,
        cpu: int,
        *,
        stack: Sequence[tuple[int, int]] = (),
        values: Iterable[Local] = (),
        next: str | None = None,
        label: str = "",
        state: str = "ready",
        blocked: Mapping[str, Json] | None = None,
        irq: bool = True,
        rcu: int = 0,
        tlb: Sequence[Json] = (),
    ) -> None:
        """Set all that is shown of a CPU; local values that are gone are taken away."""
        head = f"c{cpu}."
        for depth, (source, line) in enumerate(stack):
            self._touched[f"{head}s.{depth}"] = [source, line]
        depth = len(stack)
        while f"{head}s.{depth}" in self._before:
            self._touched[f"{head}s.{depth}"] = None
            depth += 1
        short: Json = next if not label or label == next else {"op": next, "label": label}
        self._touched[head + "next"] = short
        self._touched[head + "state"] = state
        self._touched[head + "blocked"] = None if blocked is None else dict(blocked)
        self._touched[head + "irq"] = None if irq else False
        self._touched[head + "rcu"] = rcu or None
        self._touched[head + "tlb"] = list(tlb) or None
        wanted = {f"{head}v.{local.depth}.{local.name}": local.to_json() for local in values}
        self._take_away(head + "v.", wanted)
        self._touched.update(wanted)

    def _take_away(self, prefix: str, wanted: Mapping[str, Json]) -> None:
        """Locals that are gone: one by one, or all of a call depth at once when several went."""
        gone: dict[str, list[str]] = {}
        for key in self._before:
            if key.startswith(prefix) and key not in wanted:
                gone.setdefault(key[: key.index(".", len(prefix)) + 1], []).append(key)
        for depth, keys in gone.items():
            stays = [key for key in wanted if key.startswith(depth)]
            if len(keys) > 1 + 3 * len(stays):
                self._touched[depth + "*"] = None
                self._cleared.add(depth)
            else:
                self._touched.update(dict.fromkeys(keys))

    def begin(self) -> None:
        """Take what was put so far as the state before the first step."""
        apply(self._before, self._touched)
        self._touched = {}
        self._base = dict(self._before)

    def step(
        self,
        cpu: int,
        kind: str,
        label: str,
        say: Sequence[Said],
        *,
        operation: str = "",
        ipi: Sequence[int] = (),
        after: Sequence[int] = (),
        word: str = "",
        consequences: bool = True,
    ) -> Event:
        """Close a step: keep what differs from before, and add what follows to the sentence."""
        if self._base is None:
            self.begin()
        changes: Changes = {}
        for key, value in self._touched.items():
            again = any(key.startswith(depth) for depth in self._cleared)
            if again or self._before.get(key) != value:
                changes[key] = value
        self._touched = {}
        self._cleared = set()
        before = Snapshot(self._before) if not consequences else Snapshot(dict(self._before))
        expected = before.fields(f"c{cpu}.next").get("op") or before[f"c{cpu}.next"]
        apply(self._before, changes)
        said = list(say)
        if consequences:
            said += _consequences(before, Snapshot(self._before), changes, cpu, len(self.header.cpus))
        event = Event(
            cpu,
            kind,
            label,
            tuple(said),
            changes,
            "" if operation == expected else operation,
            tuple(ipi),
            tuple(after),
            word,
        )
        self._events.append(event)
        return event

    def pending(self, key: str) -> dict[str, Json]:
        """The value of `key` as a mapping, with what was put since the last step; empty if there is none."""
        value = self._touched[key] if key in self._touched else self._before.get(key)
        return value if isinstance(value, dict) else {}

    @property
    def now(self) -> Snapshot:
        """The state after the last step that was closed."""
        return Snapshot(self._before)

    def timeline(
        self, report: Mapping[str, Json] | None = None, verdict: Mapping[str, Json] | None = None
    ) -> Timeline:
        """The run so far, as a value; the writer can go on."""
        head = self.header
        header = Header(
            title=head.title,
            cpus=head.cpus,
            levels=head.levels,
            roots=head.roots,
            locks=tuple(self._locks.values()),
            sources=tuple(self._source_list),
            note=head.note,
            scenario=head.scenario,
            address=head.address,
            page_shift=head.page_shift,
            format=head.format,
            marks=head.marks,
        )
        return Timeline(
            header,
            dict(self._base or {}),
            tuple(self._events),
            None if report is None else dict(report),
            None if verdict is None else dict(verdict),
        )


def _consequences(before: Snapshot, after: Snapshot, changes: Changes, actor: int, cpus: int) -> list[Said]:
    """What a step's changes mean for frames, and for the CPUs that point into them."""
    said: list[Said] = []
    for key in changes:
        if not (key.startswith("f") and key[1:].isdigit()):
            continue
        frame = int(key[1:])
        was, now = before.frame_state(frame), after.frame_state(frame)
        if was in ("", now) or now == "live":
            continue
        params: dict[str, Json] = {"frame": frame}
        if now != "freed" and after.fields(key).get("kind", "table") == "table":
            said.append((f"frame.{now}", params))
        for cpu in range(cpus):
            if cpu != actor and now in ("unlinked", "freed", "deposited") and after.points_into(cpu, frame):
                said.append(("bad.stale" if now != "freed" else "bad.dangling", {"who": cpu, "frame": frame}))
    return said
