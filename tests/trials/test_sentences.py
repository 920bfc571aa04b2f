"""The sentences of the steps: each scenario tells its runs from the catalogue alone, so that they can be translated."""

import json

import pytest

from ptwalk.machine.recorder_session import PlaySession
from ptwalk.scenarios import SCENARIOS
from ptwalk.trials.playing import subject_of
from ptwalk.views.stepper_page import catalogue
from ptwalk.views.text_run import sentences


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_step_has_its_sentence_in_the_catalogue(name):
    """No key is missing, and no gap of a sentence stays open."""
    known = json.loads(catalogue())["say"]
    run = PlaySession(subject_of(name)).in_turn()
    assert {key for event in run.events for key, _ in event.say} <= set(known)
    assert not [line for line in sentences(run) if "{" in line or not line.strip()]
