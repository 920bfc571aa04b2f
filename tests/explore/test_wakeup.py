"""Wakeup trees on their own: what is inserted, and what would only be done twice."""

from ptwalk.explore.wakeup import Branch, insert, weak_initial

X, Y = 1, 2  # cells as bits


def test_a_step_that_depends_on_an_earlier_one_is_no_initial() -> None:
    """CPU 1 reads what CPU 0 writes before it, so it cannot go first; CPU 2 can."""
    sequence = [(0, 0, X), (1, X, 0), (2, 0, Y)]
    assert weak_initial(0, 0, X, sequence) == 0
    assert weak_initial(1, X, 0, sequence) == -1
    assert weak_initial(2, 0, Y, sequence) == 2
    assert weak_initial(3, 0, 4, sequence) == 3


def test_the_same_sequence_is_inserted_once() -> None:
    """And one that differs by independent steps only is the same."""
    tree: list[Branch] = []
    assert insert(tree, [(0, 0, X), (1, 0, Y)])
    assert not insert(tree, [(0, 0, X), (1, 0, Y)])
    assert not insert(tree, [(1, 0, Y), (0, 0, X)])
    assert insert(tree, [(1, 0, X), (0, 0, X)])
    assert [branch.cpu for branch in tree] == [0, 1]


def test_a_leaf_covers_whatever_follows() -> None:
    """Below a leaf everything is explored anyway."""
    tree = [Branch(0, 0, X)]
    assert not insert(tree, [(0, 0, X), (1, 0, X)])
