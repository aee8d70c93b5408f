"""People and machines of every kind, in noise of 0 to 20 dB: who they are taken for. A part of `bench detection`."""

from __future__ import annotations

import importlib.util

import pytest

from tests.support.answers.calls import answers
from tests.support.answers.judged import judged
from tests.support.peers import missing, need

COUNT = 600


@pytest.mark.peer
@pytest.mark.parametrize("held_out", [False, True])
def test_people_and_machines_are_told_apart(held_out):
    """The floors are below those of the benchmark, which hears more of them."""
    need("espeak-ng")
    if importlib.util.find_spec("ttspico") is None:
        missing("ttspico", "a C compiler and `make setup`")
    calls, _ = judged(answers(COUNT, 11, held_out=held_out))
    people = [call for call in calls if call.answer.who == "person"]
    machines = [call for call in calls if call.answer.who == "machine"]
    wrong_people = [call.answer.label for call in people if call.at_last != "person"]
    wrong_machines = [call.answer.label for call in machines if call.at_last != "machine"]
    assert len(wrong_people) <= 0.02 * len(people), wrong_people
    assert len(wrong_people) + len(wrong_machines) <= 0.08 * COUNT, wrong_machines
    right_first = [call for call in calls if call.first == call.answer.who]
    assert len(right_first) >= 0.88 * COUNT
    told = [call for call in machines if call.at_last == "machine"]
    early = [call.answer.label for call in told if call.ready == "early"]
    assert len(early) <= 0.03 * len(told), early


def test_answers_are_the_same_for_the_same_seed():
    need("espeak-ng")
    assert answers(4, 5, held_out=False)[1::2] == answers(4, 5, held_out=False)[1::2]
