"""Trace: the form in which a timeline travels: each key and each value written once, steps as numbers.

The steps of a run repeat themselves: the same places in the source, the same locals, the same sentences. Packed,
`steps` becomes `packed`: `keys` and `values` are tables, and a step is

    [cpu, kind, label, say, [key, value, key, value, ...], rest]

where all but `cpu` and the keys are places in `values`; -1 stands for null; `rest` (`op`, `ipi`, `after`, `word`)
is left out if it is empty.
"""

from __future__ import annotations

import json
from typing import Any

_PLAIN = ("cpu", "kind", "label", "say", "set")


def pack(data: dict[str, Any]) -> dict[str, Any]:
    """The travelling form of a timeline's JSON."""
    keys: dict[str, int] = {}
    values: list[Any] = []
    places: dict[str, int] = {}

    def place(value: Any) -> int:
        if value is None:
            return -1
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        if text not in places:
            places[text] = len(values)
            values.append(value)
        return places[text]

    steps = []
    for step in data["steps"]:
        changes: list[int] = []
        for key, value in step.get("set", {}).items():
            changes += (keys.setdefault(key, len(keys)), place(value))
        packed = [step["cpu"], place(step["kind"]), place(step["label"]), place(step["say"]), changes]
        rest = {name: value for name, value in step.items() if name not in _PLAIN}
        if rest:
            packed.append(place(rest))
        steps.append(packed)
    out = {name: value for name, value in data.items() if name != "steps"}
    return out | {"packed": {"keys": list(keys), "values": values, "steps": steps}}


def unpack(data: dict[str, Any]) -> dict[str, Any]:
    """The plain form again; data that is not packed is given back as it is.

    Raises IndexError, KeyError, TypeError or ValueError if the tables do not fit the steps.
    """
    if "packed" not in data:
        return data
    packed = data["packed"]
    keys, values = packed["keys"], packed["values"]

    def value(place: int) -> Any:
        if place == -1:
            return None
        if place < 0:
            raise IndexError(f"there is no value {place}")
        return values[place]

    steps = []
    for item in packed["steps"]:
        cpu, kind, label, say, changes, *rest = item
        step = {"cpu": cpu, "kind": value(kind), "label": value(label), "say": value(say)}
        if changes:
            step["set"] = {keys[changes[i]]: value(changes[i + 1]) for i in range(0, len(changes), 2)}
        if rest:
            step |= value(rest[0])
        steps.append(step)
    return {name: part for name, part in data.items() if name != "packed"} | {"steps": steps}
