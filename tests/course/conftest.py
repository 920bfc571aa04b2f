"""Every test of the course has a record of its own, never the learner's."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Progress goes to a scratch folder."""
    monkeypatch.setenv("PTWALK_HOME", str(tmp_path))
    return tmp_path
