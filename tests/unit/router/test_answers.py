"""Promises of what answers do."""

from typing import get_args

import pytest

from relance.events.response import Answer, Disposition
from relance_router.domain.answers import ENDED, AssignmentState, Ending, Recorded, Refused, Repeated, answer

S = AssignmentState


@pytest.mark.parametrize(
    ("state", "given", "becomes"),
    [
        (S.OPEN, "acknowledged", S.ACKNOWLEDGED),
        (S.OPEN, "contacted", S.CONTACTED),
        (S.OPEN, "declined", S.DECLINED),
        (S.ACKNOWLEDGED, "contacted", S.CONTACTED),
        (S.ACKNOWLEDGED, "declined", S.DECLINED),
    ],
)
def test_an_answer_that_says_more_counts(state: AssignmentState, given: Answer, becomes: AssignmentState) -> None:
    """From open to acknowledged to contacted, or declined until contacted."""
    assert answer(state, given) == Recorded(becomes)


@pytest.mark.parametrize(
    ("state", "given"),
    [
        (S.ACKNOWLEDGED, "acknowledged"),
        (S.CONTACTED, "contacted"),
        (S.CONTACTED, "acknowledged"),
        (S.DECLINED, "declined"),
    ],
)
def test_an_answer_given_twice_changes_nothing_and_is_no_error(state: AssignmentState, given: Answer) -> None:
    """A double click, or a retry by a tool."""
    assert answer(state, given) == Repeated()


@pytest.mark.parametrize("given", get_args(Answer))
def test_a_lead_that_went_to_somebody_else_cannot_be_answered(given: Answer) -> None:
    """The rep is told so, in a sentence."""
    refused = answer(S.REASSIGNED, given)
    assert isinstance(refused, Refused)
    assert "somebody else" in refused.reason


def test_who_has_contacted_a_lead_cannot_decline_it() -> None:
    """It stays theirs."""
    assert isinstance(answer(S.CONTACTED, "declined"), Refused)


@pytest.mark.parametrize("disposition", get_args(Disposition))
def test_who_has_said_what_a_lead_was_worth_cannot_decline_it(disposition: Disposition) -> None:
    """Nobody passes on what they have judged; reaching it still counts."""
    assert isinstance(answer(S.ACKNOWLEDGED, "declined", disposition), Refused)
    assert answer(S.ACKNOWLEDGED, "contacted", disposition) == Recorded(S.CONTACTED)


def test_every_state_that_has_ended_has_its_words() -> None:
    """A link to it says why it is of no more use."""
    ended = {S.DECLINED, S.REASSIGNED, S.MOVED, S.TAKEN, S.EXPIRED, S.ERASED}
    assert {state for state in S if state.ended} == set(ENDED) == ended
    assert all(ending.title and ending.sentence for ending in Ending)
