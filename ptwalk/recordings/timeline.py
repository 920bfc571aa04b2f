"""A recording as a timeline, so that the real kernel opens in the same picture as a simulated run.

Room: recordings. Follows the normalized words: entries, locks, tables and pages change as the words say; a word
that names nothing drawn is told as text. Source texts are the kernel's and do not ship: a step shows its functions
and its line.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from ptwalk.arch import EntryState, Format, format_named
from ptwalk.recordings.opening import BrokenRecording
from ptwalk.recordings.recording import Recording, Step, load
from ptwalk.trace.event import Said
from ptwalk.trace.recording import TimelineWriter
from ptwalk.trace.snapshot import Frame, Held, Json, Slot
from ptwalk.trace.timeline import Header, Timeline

_Told: TypeAlias = tuple[str, str, list[Said]]
_MODES = {"write_lock": "write", "read_lock": "read", "lock": "held"}
_TABLE = re.compile(r"^(B\.|dst\.)?(deposited-)?(pgd|p4d|pud|pmd|pte)-table(?:\[(\d+)\])?:(.+)$")
_PAGE = re.compile(r"^(page|hugepage)(?:\[(\d+)\])?:(.+)$")
_LOCK = re.compile(
    r"^(?:ptl\((.+)\)|(B\.)?(mmap_lock|anon_vma|i_mmap_rwsem|page_table_lock)(?:\(.*\))?):"
    r"(write_lock|read_lock|lock|write_unlock|read_unlock|unlock|downgrade)$"
)
_ENTRY = re.compile(r"^(?:B\.|dst\.)?(pgd|p4d|pud|pmd|pte)\[\d+\]:(.+)$")


def timeline(name: str | Recording) -> Timeline:
    """The timeline of a recording, by its name or itself; raises `BrokenRecording` if its setup cannot be drawn."""
    recording = load(name) if isinstance(name, str) else name
    try:
        return _Reader(recording).read()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BrokenRecording(
            f"the recording {recording.name!r} cannot be drawn ({type(error).__name__}: {error}); record it again"
        ) from None


class _Reader:
    """Follows one recording step by step."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.format: Format = format_named("x86-64-4level", release="6.1")
        self.tables: dict[int, Frame] = {}
        self.pages: dict[int, Frame] = {}
        self.held: dict[str, list[tuple[int, str]]] = {}
        self.lanes: list[tuple[int, int]] = []
        for step in recording.steps:
            if (step.cpu, step.pid) not in self.lanes:
                self.lanes.append((step.cpu, step.pid))
        region = int(recording.setup["region"][0], 16)
        self.writer = TimelineWriter(self._header(region))

    def _header(self, region: int) -> Header:
        tasks = {(step.cpu, step.pid): step.task for step in self.recording.steps}
        alone = len({cpu for cpu, _ in self.lanes}) == len(self.lanes)
        cpus: tuple[dict[str, Json], ...] = tuple(
            {"name": f"CPU {cpu}" if alone else f"{tasks[cpu, pid]} {pid}", "task": tasks[cpu, pid]}
            for cpu, pid in self.lanes
        )
        levels: tuple[dict[str, Json], ...] = tuple(
            {
                "name": level.name,
                "shift": level.shift,
                "bits": level.bits,
                "index": self.format.index(region, level),
            }
            for level in self.format.levels
        )
        return Header(
            title=f"Linux: {self.recording.name.replace('_', ' ')}",
            note=f"recorded from Linux {self.recording.kernel}, x86-64",
            cpus=cpus,
            levels=levels,
            roots=({"name": "mm", "frame": 1},),
            address=region,
            format=self.format.name,
            marks="P W U A D G PS NX",
        )

    def read(self) -> Timeline:
        self._begin()
        for number, step in enumerate(self.recording.steps):
            self._stand(step, number)
            kind, label, said = self._told(step)
            lane = self.lanes.index((step.cpu, step.pid))
            self.writer.step(lane, kind, label, said, operation=step.word, word=step.word)
        return self.writer.timeline()

    # ---- the layout at the start ----

    def _begin(self) -> None:
        setup = self.recording.setup
        for address, name in setup["tables"].items():
            level = name.split("-")[0].removeprefix("B.")
            if level in {known.name for known in self.format.levels}:
                self._table(int(address, 16), level)
        for name, raw in setup["entries_at_begin"].items():
            match = re.match(r"^(pgd|pud|pmd|pte)\[(0x[0-9a-f]+)\]$", name)
            if match:
                self._put(match[1], int(match[2], 16), int(raw, 16))
        for cpu, (_, _) in enumerate(self.lanes):
            self.writer.cpu(cpu, next="", state="ready")
        self.writer.put(Held("mmap_lock"))
        self.writer.lock("mmap_lock", "mmap_lock", "rwsem")
        self.writer.begin()

    def _table(self, pa: int, level: str, state: str = "live") -> Frame:
        known = self.tables.get(pa)
        number = known.id if known is not None else 1 + len(self.tables) + len(self.pages)
        lock = f"ptl{number}" if level in ("pte", "pmd") else ""
        if lock:
            self.writer.lock(lock, "ptl", "spin", number)
            if known is None:
                self.writer.put(Held(lock))
        frame = self.tables[pa] = Frame(number, level=level, state=state, lock=lock)
        self.writer.put(frame)
        return frame

    def _page(self, pa: int, note: str = "", state: str = "live") -> Frame:
        known = self.pages.get(pa)
        number = known.id if known is not None else 1 + len(self.tables) + len(self.pages)
        frame = self.pages[pa] = Frame(number, kind="page", state=state, note=note)
        self.writer.put(frame)
        return frame

    def _home(self, level: str, va: int) -> Frame | None:
        """The table of a level that translates an address: the one its parent's entry leads to now."""
        levels = self.format.levels
        table = next((frame for frame in self.tables.values() if frame.level == levels[0].name), None)
        for upper in levels:
            if table is None or upper.name == level:
                return table
            to = self.writer.pending(Slot(table.id, self.format.index(va, upper)).key).get("to")
            table = next((frame for frame in self.tables.values() if frame.id == to), None)
        return None

    def _put(self, level: str, va: int, raw: int) -> tuple[Frame, int, int | None] | None:
        """Set an entry; gives its table, its index and the frame it leads to."""
        home = self._home(level, va)
        if home is None:
            return None
        index = self.format.index(va, level)
        entry = self.format.decode(raw, level)
        if entry.state is EntryState.NONE or entry.address is None:
            self.writer.put(
                Slot(home.id, index, raw=raw or None, word="none" if not raw else entry.state.name.lower())
            )
            return home, index, None
        if entry.state is EntryState.TABLE:
            below = self.format.levels[entry.level.depth + 1].name
            target = self._table(entry.address, below)
        else:
            target = self._page(entry.address)
        self.writer.put(
            Slot(
                home.id,
                index,
                target.id,
                entry.marks,
                raw,
                leaf=level != "pte" and entry.state is not EntryState.TABLE,
            )
        )
        return home, index, target.id

    # ---- one step ----

    def _stand(self, step: Step, number: int) -> None:
        lane = self.lanes.index((step.cpu, step.pid))
        file, _, line = step.line.rpartition(":")
        chain = step.chain or (step.task or "kernel",)
        places = [(self.writer.source(name, "", 0, ""), 0) for name in chain[:-1]]
        places.append((self.writer.source(chain[-1], file, 0, ""), int(line or 0)))
        following = next(
            (s for s in self.recording.steps[number + 1 :] if (s.cpu, s.pid) == (step.cpu, step.pid)), None
        )
        self.writer.cpu(
            lane,
            stack=places,
            next=following.word if following else None,
            state="ready" if following else "finished",
        )

    def _told(self, step: Step) -> _Told:
        word = re.sub(r"^<[^>]*>", "", step.word)
        if (entry := _ENTRY.match(word)) and step.kind == "entry":
            return self._entry(step, entry[1], entry[2])
        if lock := _LOCK.match(word):
            return self._lock(step, lock[1] or "", (lock[2] or "") + (lock[3] or ""), lock[4])
        if table := _TABLE.match(word):
            told = self._table_word(step, table[3], table[5])
            if told is not None:
                return told
        if page := _PAGE.match(word):
            return "page", page[3].split()[0][:9], [("text", {"text": f"{word}."})]
        return _plain(word)

    def _entry(self, step: Step, level: str, verb: str) -> _Told:
        home = self._home(level, step.va)
        if home is None:
            return _plain(step.word)
        index = self.format.index(step.va, level)
        params: dict[str, Json] = {"entry": f"{home.id}.{index}"}
        if verb == "read":
            now = self.writer.pending(Slot(home.id, index).key)
            if (to := now.get("to")) is None:
                return "read", level, [("read.none", params)]
            return (
                "read",
                level,
                [("read.leaf" if level == "pte" or now.get("leaf") else "read.table", {**params, "to": to})],
            )
        before = self.writer.pending(Slot(home.id, index).key).get("to")
        put = self._put(level, step.va, step.new)
        target = put[2] if put is not None else None
        gone = next(
            (pa for pa, frame in self.tables.items() if frame.id == before and frame.id != target), None
        )
        if gone is not None:
            self._table(gone, self.tables[gone].level, "unlinked")
        if verb.startswith("clear"):
            return ("exchange" if "xchg" in verb else "clear"), f"{level}=0", [("clear", params)]
        if target is None:
            return "write", f"{level}=", [("write", params)]
        return (
            "write",
            f"{level}=",
            [("write.table" if "table" in verb else "write.leaf", {**params, "to": target})],
        )

    def _lock(self, step: Step, table: str, name: str, verb: str) -> _Told:
        lane = self.lanes.index((step.cpu, step.pid))
        lock = name
        if table:
            frame = self._named_table(step.what)
            lock = frame.lock if frame is not None and frame.lock else f"ptl({table})"
        self.writer.lock(lock, lock, "rwsem" if name and name != "page_table_lock" else "spin")
        holders = self.held.setdefault(lock, [])
        if verb == "downgrade":
            holders[:] = [(cpu, "read") for cpu, _ in holders]
        elif verb in _MODES:
            holders.append((lane, _MODES[verb]))
        elif holders:
            holders.remove(next((pair for pair in holders if pair[0] == lane), holders[0]))
        self.writer.put(Held(lock, tuple(holders)))
        key = {
            "write_lock": "lock.write",
            "read_lock": "lock.read",
            "lock": "lock",
            "downgrade": "downgrade",
        }.get(verb, "unlock")
        label = {"lock": "lock", "downgrade": "to read"}.get(verb, "unlock" if "unlock" in verb else "lock")
        return key.split(".")[0], label, [(key, {"lock": lock})]

    def _named_table(self, what: str) -> Frame | None:
        """The table a watched word belongs to: `ptl:pte-table[0x600000400000]`."""
        match = re.search(r"(pgd|pud|pmd|pte)-table\[(0x[0-9a-f]+)\]", what)
        if match is None:
            return None
        for address, name in self.recording.setup["tables"].items():
            if name == f"{match[1]}-table[{match[2]}]":
                return self.tables.get(int(address, 16))
        return self._home(match[1], int(match[2], 16))

    def _table_word(self, step: Step, level: str, verb: str) -> _Told | None:
        frame = self._named_table(step.what)
        if frame is None:
            gone = [f for f in self.tables.values() if f.level == level and f.state == "unlinked"]
            frame = gone[-1] if gone and verb == "queue_free" else None
        if frame is None:
            return None
        params: dict[str, Json] = {"frame": frame.id}
        pa = next(pa for pa, known in self.tables.items() if known.id == frame.id)
        if verb.startswith("free"):
            self._table(pa, level, "freed")
            return "free", f"free {frame.id}", [("free.rcu" if "rcu" in verb else "free", params)]
        if verb == "dtor":
            if frame.lock:
                self.writer.put(Held(frame.lock, destroyed=True))
            return "queue", "dtor", [("text", {"text": f"{step.word}."}), ("lock.destroyed", {})]
        if verb == "queue_free":
            return "queue", "queue", [("queue", params)]
        if verb in ("deposit", "withdraw"):
            self._table(pa, level, "deposited" if verb == "deposit" else "live")
            return "queue", verb[:8], [(verb, params)]
        return None


def _plain(word: str) -> _Told:
    """A step that changes nothing drawn, told by its own word."""
    keys = {
        "vma:detach": ("vma", "detach", "vma.detach"),
        "vma:gather": ("vma", "gather", "vma.gather"),
        "vma:insert": ("vma", "insert", "vma.insert"),
        "flush:begin": ("flush", "flush", "flush.begin"),
        "flush:send_ipi": ("ipi", "IPI", "ipi.sent"),
    }
    if word in keys:
        kind, label, key = keys[word]
        return kind, label, [(key, {})]
    if word.startswith("irq:"):
        off = word.startswith("irq:off")
        return "irq", "irq off" if off else "irq on", [("irq.off" if off else "irq.on", {})]
    if word.startswith("flush:cpu"):
        return "flush", "flush", [("flush.local" if "local" in word else "flush.ipi", {})]
    head = word.partition(":")[2] or word
    return "other", head.split("(")[0][:10], [("step", {"text": f"does {word}"})]
