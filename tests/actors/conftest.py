"""The same races as in tests/walk: its fixture, loaded from there."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("race", Path(__file__).parent.parent / "walk" / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
race = _module.race
