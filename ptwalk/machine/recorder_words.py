"""What a step is called in a timeline: its kind, one short label, and keys of sentences with parameters.

Storey 2 (machine).  The sentences themselves are in a catalogue and belong to whoever shows them; here it is
only said which one it is.  A step without a sentence of its own tells its `text()`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptwalk.arch import Entry, EntryState
from ptwalk.machine.entries import ChangeEntry, CompareExchangeEntry, EntryOperation, ReadEntry, UpdateEntry
from ptwalk.machine.folio import PutPage
from ptwalk.machine.frames import AllocateFrame, Frame, FrameOperation, FreeFrame, QueueTable, ReuseFrame
from ptwalk.machine.locks import LockOperation
from ptwalk.machine.operation import Operation
from ptwalk.machine.tlb import FlushTlb
from ptwalk.trace.event import Said
from ptwalk.trace.snapshot import Json

Numbered = Callable[[Frame], int]
Words = tuple[str, str, list[Said]]

_SIMPLE = {
    "irq_disable": ("irq", "irq off", "irq.off"),
    "irq_enable": ("irq", "irq on", "irq.on"),
    "rcu_read_lock": ("rcu", "rcu", "rcu.enter"),
    "rcu_read_unlock": ("rcu", "rcu end", "rcu.leave"),
    "gp_wait": ("wait", "wait", "rcu.wait"),
}
_LOCK_KINDS = {
    "lock": ("lock", "lock"),
    "trylock": ("lock", "lock"),
    "folio_lock": ("lock", "lock"),
    "folio_trylock": ("lock", "lock"),
    "down_read": ("lock", "lock.read"),
    "down_read_trylock": ("lock", "lock.read"),
    "down_write": ("lock", "lock.write"),
    "down_write_slow": ("lock", "lock.write"),
    "down_write_trylock": ("lock", "lock.write"),
    "unlock": ("unlock", "unlock"),
    "folio_unlock": ("unlock", "unlock"),
    "up_read": ("unlock", "unlock"),
    "up_write": ("unlock", "unlock"),
    "downgrade_write": ("downgrade", "downgrade"),
}
_SHORT = {"unlock": "unlock", "downgrade": "to read", "lock": "lock"}


def words_of(
    operation: Operation,
    result: Any,
    held: tuple[str, ...],
    number: Numbered,
    frame_at: Callable[[Entry], Frame | None],
) -> Words:
    """(kind, label, sentences) of a step that gave `result`; `held` are the locks its CPU held before."""
    kind = operation.kind
    if isinstance(operation, EntryOperation):
        return _entry_words(operation, result, held, number, frame_at)
    if isinstance(operation, LockOperation):
        return _lock_words(operation, result, number)
    if isinstance(operation, AllocateFrame):
        table = operation.level not in ("anon", "file")
        return "alloc", "alloc", [("alloc.table" if table else "alloc", {"frame": int(result)})]
    if isinstance(operation, FreeFrame):
        return "free", f"free {number(operation.frame)}", [("free", {"frame": number(operation.frame)})]
    if isinstance(operation, PutPage):
        frame = number(operation.frame)
        if result:
            return "free", f"free {frame}", [("free.page", {"frame": frame})]
        return "page", f"put {frame}", [_told(operation, number)]
    if isinstance(operation, QueueTable):
        return "queue", "queue", [("queue", {"frame": number(operation.frame)}), ("lock.destroyed", {})]
    if isinstance(operation, ReuseFrame):
        return "alloc", "reuse", [_told(operation, number)]
    if isinstance(operation, FlushTlb):
        return "flush", "flush", [_told(operation, number)]
    if isinstance(operation, FrameOperation):
        return "page", kind.replace("_", " "), [_told(operation, number)]
    if kind in _SIMPLE:
        category, label, key = _SIMPLE[kind]
        return category, label, [(key, {})]
    if kind in ("lock", "unlock", "trylock", "read", "write"):
        return ("lock" if kind == "trylock" else kind), kind, [_told(operation, number)]
    return "other", kind.replace("_", " "), [_told(operation, number)]


def _told(operation: Operation, number: Numbered) -> Said:
    """The sentence of an operation of this kind and what it is about; a catalogue without one tells its text."""
    params: dict[str, Json] = {}
    for name in ("frame", "table", "to"):
        frame = getattr(operation, name, None)
        if isinstance(frame, Frame):
            params["to" if name == "to" else "frame"] = number(frame)
    frames = getattr(operation, "frames", ())
    if isinstance(frames, tuple) and frames and isinstance(frames[0], Frame):
        params["frame"] = number(frames[0])
    for name in ("addr", "va", "start", "end"):
        value = getattr(operation, name, None)
        if isinstance(value, int):
            params[name] = hex(value)
    other = getattr(operation, "other", None)
    if isinstance(other, int):
        params["who"] = other
    return f"op.{operation.kind}", params


def _entry_words(
    operation: EntryOperation,
    result: Any,
    held: tuple[str, ...],
    number: Numbered,
    frame_at: Callable[[Entry], Frame | None],
) -> Words:
    pointer = operation.pointer
    name = pointer.level.name
    params: dict[str, Json] = {"entry": f"{number(pointer.frame)}.{pointer.index}"}
    decode = pointer.machine.format.decode
    if isinstance(operation, ReadEntry) or operation.kind == "hardware":
        entry = decode(result, pointer.level)
        return "read", name, [_reading(entry, params, number, frame_at)]
    if isinstance(operation, UpdateEntry):
        return "write", f"{name} bits", [("mark", params)]
    if isinstance(operation, CompareExchangeEntry) and not result:
        return "exchange", f"{name} cas", [_told(operation, number)]
    new = getattr(operation, "new", 0)
    if isinstance(operation, ChangeEntry) and not new:
        own = f"ptl of {pointer.frame.name}:write"
        unlocked = (
            name != "pte"
            and own not in held
            and not any(token.startswith("page_table_lock") for token in held)
        )
        return "clear", f"{name}=0", [("clear.unlocked" if unlocked else "clear", params)]
    entry = decode(new, pointer.level)
    target = frame_at(entry)
    if target is None:
        return "write", f"{name}=", [("write", params)]
    params["to"] = number(target)
    return "write", f"{name}=", [("write.table" if entry.state is EntryState.TABLE else "write.leaf", params)]


def _reading(
    entry: Entry, params: dict[str, Json], number: Numbered, frame_at: Callable[[Entry], Frame | None]
) -> Said:
    if entry.state is EntryState.NONE:
        return "read.none", params
    target = frame_at(entry) if entry.address is not None else None
    if target is None:
        return "read", {**params, "word": entry.state.name.lower().replace("_", " ")}
    return ("read.table" if entry.state is EntryState.TABLE else "read.leaf"), {
        **params,
        "to": number(target),
    }


def _lock_words(operation: LockOperation, result: Any, number: Numbered) -> Words:
    params: dict[str, Json] = {"lock": operation.lock.name}
    category, key = _LOCK_KINDS.get(operation.kind, ("lock", "lock"))
    if result is False:
        return (
            category,
            "try",
            [_told(operation, number) if operation.kind == "down_write" else ("lock.failed", params)],
        )
    return category, _SHORT.get(category, operation.kind), [(key, params)]
