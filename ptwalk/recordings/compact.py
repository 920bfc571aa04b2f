"""Makes the compact copy of a folder of recordings: `python -m ptwalk.recordings.compact FOLDER TARGET`.

Room: recordings. Keeps of each recording what was asked, the layout at the start and the end, the normalized
steps, and for each step the one event behind it: which CPU and task, which word, old and new value, function,
line, callers. Addresses of instructions and registers are left out; the full recordings stay where they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_SETUP = (
    "region", "destination", "second_process", "cr3", "cpus_online", "vmas_near", "vma_above", "watched_vas", "tables",
    "entries_at_begin", "entries_at_end", "tables_freed", "result",
)  # fmt: skip
_EVENT = (
    "seq",
    "cpu",
    "pid",
    "comm",
    "kind",
    "what",
    "level",
    "index",
    "va",
    "old",
    "new",
    "access",
    "fn",
    "line",
)


def compact(recording: dict[str, Any], strings: dict[str, int]) -> dict[str, Any]:
    """One recording, its call chains replaced by numbers in `strings`, which grows."""
    by_number = {event["seq"]: event for event in recording["events"]}
    steps = []
    last: dict[str, Any] = {}
    for word, source in zip(recording["normalized"], recording["normalized_from"], strict=True):
        number = source[0] if isinstance(source, list) else source
        event = by_number.get(number, last) if number is not None else last
        last = event
        step = {name: event[name] for name in _EVENT if name in event}
        step["word"] = word
        step["callers"] = [strings.setdefault(name, len(strings)) for name in _chain(event)]
        steps.append(step)
    out = {name: recording[name] for name in ("kernel", "op", "what")}
    out["setup"] = {name: recording["setup"][name] for name in _SETUP if name in recording["setup"]}
    out["steps"] = steps
    if "normalized_without_lock_breaks" in recording:
        out["without_lock_breaks"] = recording["normalized_without_lock_breaks"]
    return out


def _chain(event: dict[str, Any]) -> list[str]:
    """The functions on the stack, outermost first, inlined ones too."""
    chain: list[str] = []
    for caller in reversed(event.get("callers", [])):
        chain += [name.lstrip("~") for name in reversed(caller.split(" < "))]
    if "fn" in event:
        chain.append(event["fn"])
        chain += [name.lstrip("~") for name in reversed(event.get("inlined", []))]
    return [name for i, name in enumerate(chain) if not i or name != chain[i - 1]]


def write(folder: Path, target: Path) -> None:
    """Write the compact copy of every recording in `folder` to `target`, one line each."""
    strings: dict[str, int] = {}
    lines = []
    for path in sorted(folder.glob("*.json")):
        data = compact(json.loads(path.read_text(encoding="utf-8")), strings)
        lines.append(json.dumps(path.stem) + ":" + json.dumps(data, separators=(",", ":")))
    functions = json.dumps(list(strings), separators=(",", ":"))
    target.write_text(
        '{"functions":' + functions + ',\n"recordings":{\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8"
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
