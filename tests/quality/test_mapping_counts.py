"""Who clears an entry and forgets page_remove_rmap leaves a page that counts a mapping too many."""

import ptwalk
from ptwalk.kernel import memory


class _Nothing:
    # Stands for the step that is left out.
    def __init__(self, page):
        self.page = page

    def __await__(self):
        return
        yield


def test_a_mapping_that_is_not_struck_off_is_noticed(monkeypatch):
    """By munmap, whose page is freed all the same."""
    assert ptwalk.explore("munmap-vs-damon-merged").outcome == "safe"
    monkeypatch.setattr(memory, "RemoveRmap", _Nothing)
    found = ptwalk.explore("munmap-vs-damon-merged")
    assert found.outcome == "bug" and found.report.title == "mapping count is wrong"
