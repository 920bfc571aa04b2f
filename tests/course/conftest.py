"""Every test of the course has a record of its own, never the learner's."""

import sys
from pathlib import Path

import pytest

# `authoring` is no part of the installed package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Progress goes to a scratch folder."""
    monkeypatch.setenv("PTWALK_HOME", str(tmp_path))
    return tmp_path
