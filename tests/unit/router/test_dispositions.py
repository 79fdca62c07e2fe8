"""Promises of what may be said of a lead's worth."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.events.response import Disposition
from relance_router.domain.answers import AssignmentState, Recorded, Refused, Repeated
from relance_router.domain.dispositions import Judgement, dispose, in_hand
from relance_router.domain.reasons import REASONS, BadReason, check_reason

S = AssignmentState
SAID = get_args(Disposition)
MAY_FOLLOW: dict[Disposition | None, set[Disposition]] = {
    None: {"accepted", "rejected", "won"},
    "accepted": {"accepted", "rejected", "won", "lost"},
    "rejected": {"accepted", "rejected"},
    "won": set(),
    "lost": set(),
}
"""What changes something. What says no more than was said is a repeat; everything else is refused."""
SAYS_AS_MUCH: set[tuple[Disposition | None, Disposition]] = {("won", "accepted"), ("lost", "accepted")}


@st.composite
def judgements(draw: st.DrawFn) -> Judgement:
    """Everything that may be said."""
    said: Disposition = draw(st.sampled_from(SAID))
    reasons = st.sampled_from(REASONS.get(said, (None,)))
    reason = draw(reasons if said == "rejected" else st.none() | reasons)
    return Judgement(said, reason, draw(st.none() | st.sampled_from(["one", "two"])))


@given(st.sampled_from([S.ACKNOWLEDGED, S.CONTACTED]), st.lists(judgements(), max_size=12))
def test_what_may_follow_what_is_what_the_table_says(state: AssignmentState, saying: list[Judgement]) -> None:
    """After any history: recorded, repeated or refused."""
    current: Judgement | None = None
    for said in saying:
        before = current.disposition if current else None
        less = current is not None and (said.disposition, said.reason or current.reason, said.note or current.note) == (
            current.disposition, current.reason, current.note,
        )  # fmt: skip
        verdict = dispose(state, current, said)
        if less or (before, said.disposition) in SAYS_AS_MUCH:
            assert verdict == Repeated()
        elif said.disposition in MAY_FOLLOW[before]:
            assert verdict == Recorded(state)
            current = said
        else:
            assert isinstance(verdict, Refused)


@given(st.sampled_from([S.ACKNOWLEDGED, S.CONTACTED]), st.none() | judgements(), judgements())
def test_saying_the_same_again_never_changes_anything(
    state: AssignmentState, current: Judgement | None, said: Judgement
) -> None:
    """A double click, or a retry by a tool."""
    if dispose(state, current, said) == Recorded(state):
        assert dispose(state, said, said) == Repeated()


@given(st.sampled_from([S.OPEN, S.DECLINED, S.REASSIGNED]), st.none() | judgements(), judgements())
def test_nothing_is_said_of_a_lead_that_the_rep_does_not_have(
    state: AssignmentState, current: Judgement | None, said: Judgement
) -> None:
    """Not taken yet, or not theirs any more."""
    assert isinstance(dispose(state, current, said), Refused)


@given(st.sampled_from(S), st.sampled_from([None, *SAID]))
def test_a_lead_is_in_hand_until_it_is_reached_or_over(state: AssignmentState, said: Disposition | None) -> None:
    """A rejected lead makes room for another one as a contacted one does."""
    assert in_hand(state, said) is (state in {S.OPEN, S.ACKNOWLEDGED} and said not in {"rejected", "won", "lost"})


def test_reasons_come_from_their_list() -> None:
    """They are counted: a rejection needs one, and what is not on the list is refused with the list."""
    for said, reasons in REASONS.items():
        for reason in reasons:
            check_reason(said, reason)
    check_reason("declined", None)
    check_reason("lost", None)
    with pytest.raises(BadReason, match="Say why it is rejected: one of spam, wrong_contact,"):
        Judgement("rejected")
    with pytest.raises(BadReason, match="lost takes one of price, competitor"):
        Judgement("lost", "spam")
    with pytest.raises(BadReason, match="won takes no reason"):
        Judgement("won", "other")
