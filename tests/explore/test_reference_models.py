"""The eight reference races: executions, verdicts, states, interleavings and minimal schedules, all exact.

The numbers were found by other checkers (SPIN, TLC, an exact counter) on the same step models.
"""

import pytest

from ptwalk.explore import explore

from .models import model

# variant, entries K, walkers W: executions, with a violation, states, interleavings
COUNTS = {
    ("R1", 1, 1): (12, 9, 109, 10211),
    ("R1", 2, 1): (17, 14, 139, 35625),
    ("R1", 4, 1): (30, 27, 211, 289092),
    ("R1", 8, 1): (68, 65, 403, None),
    ("R1", 1, 2): (101, 90, 886, 122323272),
    ("R1", 2, 2): (155, 144, 1258, 804818640),
    ("R1", 4, 2): (299, 288, 2218, 17138726272),
    ("R1", 8, 2): (731, 720, 5002, None),
    ("R1", 1, 3): (832, 783, 7201, None),
    ("R1", 2, 3): (1327, 1278, 11192, None),
    ("R1f", 1, 1): (2, 0, 65, 221),
    ("R1f", 2, 1): (2, 0, 72, 287),
    ("R1f", 4, 1): (2, 0, 86, 456),
    ("R1f", 8, 1): (2, 0, 114, None),
    ("R1f", 1, 2): (5, 0, 386, 126566),
    ("R1f", 2, 2): (5, 0, 444, 234260),
    ("R1f", 4, 2): (5, 0, 560, 753976),
    ("R1f", 8, 2): (5, 0, 792, None),
    ("R1f", 2, 3): (16, 0, 3175, None),
    ("R1r", 1, 1): (13, 9, 133, 13682),
    ("R1r", 2, 1): (18, 14, 163, 51595),
    ("R1r", 4, 1): (31, 27, 235, 518050),
    ("R1r", 8, 1): (69, 65, 427, None),
    ("R1r", 1, 2): (127, 108, 1601, None),
    ("R1r", 2, 2): (191, 172, 2192, None),
    ("R1r", 4, 2): (361, 342, 3734, None),
    ("R1r", 8, 2): (869, 850, 8258, None),
    ("R1r", 1, 3): (1213, 1107, None, None),
    ("R2", 1, 1): (13, 9, 134, 1835),
    ("R2", 2, 1): (18, 14, 173, 3959),
    ("R2", 4, 1): (31, 27, 263, 15346),
    ("R2", 8, 1): (69, 65, 491, None),
    ("R2", 1, 2): (126, 108, 1176, 12437340),
    ("R2", 2, 2): (190, 172, 1658, 77671620),
    ("R2", 4, 2): (360, 342, 2862, None),
    ("R2", 8, 2): (868, 850, 6230, None),
    ("R2", 1, 3): (1172, 1080, None, None),
    ("R2f", 1, 1): (2, 0, 43, 2),
    ("R2f", 8, 1): (2, 0, 85, None),
    ("R2f", 1, 2): (5, 0, 210, 6634),
    ("R2f", 2, 2): (5, 0, 248, 16998),
    ("R2f", 4, 2): (5, 0, 324, 75326),
    ("R2f", 8, 2): (5, 0, 476, None),
    ("R2f", 2, 3): (16, 0, 1772, None),
    ("R3a", 1, 1): (11, 4, 224, 273646),
    ("R3a", 2, 1): (20, 8, 399, 4736286),
    ("R3a", 4, 1): (38, 16, 848, None),
    ("R3a", 8, 1): (74, 32, 2142, None),
    ("R3a", 1, 2): (257, 157, 3788, None),
    ("R3a", 2, 2): (1103, 731, 10473, None),
    ("R3b", 1, 1): (8, 0, 202, 80997),
    ("R3b", 2, 1): (13, 0, 351, 1532777),
    ("R3b", 4, 1): (23, 0, 748, 439859968),
    ("R3b", 8, 1): (43, 0, 1938, None),
    ("R3b", 1, 2): (115, 0, 3118, None),
    ("R3b", 2, 2): (397, 0, 8251, None),
    ("R3b", 4, 2): (2369, 0, 29610, None),
    ("R3c", 1, 1): (15, 0, 251, 128309),
    ("R3c", 2, 1): (25, 0, 430, 2335131),
    ("R3c", 4, 1): (45, 0, 887, 632953102),
    ("R3c", 8, 1): (85, 0, 2197, None),
    ("R3c", 1, 2): (429, 0, 5389, None),
    ("R3c", 2, 2): (1537, 0, 13580, None),
}
LARGE = {
    ("R3a", 4, 2): (7331, 5007, 37402, None),
    ("R3c", 4, 2): (9385, 0, 44745, None),
    ("R3b", 1, 3): (3456, 0, 51006, None),
    ("R1r", 2, 3): (1900, 1794, 31139, None),
    ("R3b", 8, 2): (44329, 0, 138764, None),
    ("R3c", 1, 3): (26315, 0, 133703, None),
}

# For one entry; each further one costs so many steps more.
MINIMAL = {"R1": (2, 14, 1), "R1r": (3, 15, 1), "R2": (2, 16, 2), "R3a": (2, 16, 2)}


def _check(row: tuple[str, int, int], counts: tuple[int, int, int | None, int | None]) -> None:
    variant, entries, _ = row
    executions, violations, states, interleavings = counts
    dpor = explore(model(*row), "dpor", stop_at_first=False, count=False)
    assert (dpor.executions, dpor.violations, dpor.blocked) == (executions, violations, 0)
    stateful = explore(model(*row), "states", stop_at_first=False)
    if states is not None:
        assert stateful.states == states
    if interleavings is not None:
        assert stateful.interleavings == interleavings
    assert dpor.outcome == stateful.outcome == ("bug" if variant in MINIMAL else "safe")
    assert explore(model(*row), "states").outcome == stateful.outcome
    if variant in MINIMAL:
        switches, steps, further = MINIMAL[variant]
        expected = (switches, steps + further * (entries - 1))
        assert (dpor.switches, dpor.steps) == expected
        assert (stateful.switches, stateful.steps) == expected


@pytest.mark.parametrize("row", COUNTS, ids=lambda row: "-".join(map(str, row)))
def test_both_engines_give_the_known_numbers(row: tuple[str, int, int]) -> None:
    """Both engines reproduce the table, and no execution is begun in vain."""
    _check(row, COUNTS[row])


@pytest.mark.slow
@pytest.mark.parametrize("row", LARGE, ids=lambda row: "-".join(map(str, row)))
def test_the_large_rows_too(row: tuple[str, int, int]) -> None:
    """The same for the rows with thousands of executions."""
    _check(row, LARGE[row])


@pytest.mark.slow
def test_three_walkers_and_four_entries_are_searched_to_the_end() -> None:
    """A row that needs millions of states elsewhere: safe, and under 500 bytes for a state."""
    verdict = explore(model("R3b", 4, 3), "states")
    assert verdict.outcome == "safe"
    assert verdict.states == 1_268_940
    assert 0 < verdict.state_bytes < 500


def test_the_order_of_the_cpus_changes_nothing() -> None:
    """Listing the mutator first gives the same counts: where others miss a race, the order must not matter."""
    from dataclasses import replace

    for variant in ("R1", "R2", "R3a", "R3b"):
        program = model(variant, 1, 1)
        # The lock's reader cells are per CPU number, so only models without it as a reader can be turned around.
        turned = replace(program, cpus=program.cpus[::-1])
        one, other = (explore(p, "dpor", stop_at_first=False) for p in (program, turned))
        assert (one.executions, one.violations, one.switches, one.steps) == (
            other.executions,
            other.violations,
            other.switches,
            other.steps,
        )
