"""Opens a recording: one that ships, by its name, or a file that a recorder wrote, of whatever kernel.

Room: recordings. A file need not be of a kernel that this ptwalk knows; words it does not know stay as they are.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ptwalk.errors import PtwalkError
from ptwalk.recordings.recording import Recording, from_compact, load

_KINDS = {"kernel": str, "op": str, "what": str, "setup": dict, "events": list, "normalized": list}


class BrokenRecording(PtwalkError):
    """A file is no recording, or a part of one that is needed is missing or damaged."""


def open_recording(what: str | os.PathLike[str]) -> Recording:
    """The recording of that name, such as "munmap_tables", or in that file, such as "dump/munmap_tables.json".

    A name that ends in .json, or that is no plain string, is a file. Raises `NoSuchRecording` for a name that does not
    ship, `BrokenRecording` for a file that cannot be read as a recording.
    """
    path = Path(what)
    if isinstance(what, str) and path.suffix != ".json":
        return load(what)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BrokenRecording(
            f"{path} cannot be read ({error.strerror}); give the file of one recording"
        ) from None
    except ValueError as error:
        raise BrokenRecording(f"{path} is not JSON ({error}); give the file of one recording") from None
    return read_recording(data, path.stem)


def read_recording(data: Any, name: str = "") -> Recording:
    """A recording from the JSON that a recorder wrote: `events`, `normalized`, `normalized_from`, `setup`, `kernel`."""
    if not isinstance(data, dict):
        raise BrokenRecording("a recording is one JSON object; this is something else")
    missing = [
        key for key in ("kernel", "setup", "events", "normalized", "normalized_from") if key not in data
    ]
    if missing:
        raise BrokenRecording(f"this recording has no {', '.join(map(repr, missing))}; record it again")
    wrong = [key for key, kind in _KINDS.items() if not isinstance(data.get(key, kind()), kind)]
    if wrong:
        raise BrokenRecording(
            f"in this recording {', '.join(map(repr, wrong))} is not what it should be; record it again"
        )
    name = name or str(data.get("op", "a recording"))
    from ptwalk.recordings.compact import compact  # late: it is a program too, run as a module

    strings: dict[str, int] = {}
    try:
        small = compact({"op": name, "what": "", **data}, strings)
        return from_compact(name, small, list(strings))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BrokenRecording(
            f"the recording {name!r} is damaged ({type(error).__name__}: {error}); record it again"
        ) from None
