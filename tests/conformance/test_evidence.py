"""Breaking the simulated kernel is noticed: with another choice on an axis, a recording no longer agrees."""

import pytest

from ptwalk.conformance import compare
from ptwalk.conformance.evidence import ATTESTED, Attested, not_attested
from ptwalk.kernel.config import axes


@pytest.mark.parametrize("choice", ATTESTED, ids=lambda choice: f"{choice.axis}-{choice.instead}")
def test_the_other_choice_does_not_agree(choice: Attested) -> None:
    """The recording refutes it."""
    assert choice.chosen() != choice.instead
    assert compare(choice.recording).agrees
    assert not compare(choice.recording, **{choice.axis: choice.instead}).agrees


def test_every_axis_is_in_one_list() -> None:
    """An axis is settled by a recording or is listed as not settled; none is invented."""
    known = set(axes()) - {"release"}
    assert {choice.axis for choice in ATTESTED} | set(not_attested()) == known
