"""Promises of what answers do."""

from typing import get_args

import pytest

from relance.events.response import Answer
from relance_router.domain.answers import AssignmentState, Recorded, Refused, Repeated, answer

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
