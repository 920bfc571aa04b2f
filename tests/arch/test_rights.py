"""Rights are combined down the path: every level can only take away."""

from itertools import product

import pytest

from ptwalk.arch import EVERYTHING, NOTHING, Rights, format_named


def test_x86_rights_are_and_of_rw_and_us_and_or_of_nx() -> None:
    """All 64 combinations of two levels, against the rule of the manual."""
    fmt = format_named("x86-64-4level")
    for rw, us, nx, rw2, us2, nx2 in product((0, 1), repeat=6):
        table = fmt.decode(0x5001 | rw << 1 | us << 2 | nx << 63, "pmd")
        leaf = fmt.decode(0x6001 | rw2 << 1 | us2 << 2 | nx2 << 63, "pte")
        rights = fmt.combine(fmt.combine(None, table), leaf)
        user, write, execute = us and us2, rw and rw2, not nx and not nx2
        assert (rights.user, rights.write, rights.execute) == (bool(user), bool(write), execute)
        assert rights.user_write == bool(user and write) and rights.kernel_write == bool(write)
        assert rights.kernel_read and rights.read


def test_text() -> None:
    """Whose rights, then r, w and x."""
    assert str(EVERYTHING) == "u rwx" and str(NOTHING) == "k ---"
    assert str(Rights(False, False, False, True, True, False)) == "k rw-"
    assert EVERYTHING & NOTHING == NOTHING and EVERYTHING & EVERYTHING == EVERYTHING
    assert EVERYTHING.to_json() == {"read": True, "write": True, "execute": True, "user": True}


@pytest.mark.parametrize("kind", ["read", "write", "execute"])
def test_allows(kind: str) -> None:
    """Each kind of access asks its own right."""
    only = Rights(
        **{f"user_{name}": name == kind for name in ("read", "write", "execute")}, kernel_read=False
    )
    assert only.allows(kind, True)
    assert NOTHING.allows(kind, False) is False
