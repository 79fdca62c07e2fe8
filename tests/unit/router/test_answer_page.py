"""Promises of what the answer page says and offers."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.events import NOW, lead

from relance.events import CallDetails
from relance.events.response import Disposition
from relance_router.answers.api import WORDS
from relance_router.answers.assignments import OnHold, SeenAssignment
from relance_router.answers.page_view import choices, in_words, shown, whats_next
from relance_router.domain.answers import AssignmentState, Recorded, answer, is_answer
from relance_router.domain.dispositions import Judgement, dispose
from relance_router.domain.time_left import time_left

S = AssignmentState
MINUTE = timedelta(minutes=1)
SEEN = SeenAssignment(S.OPEN, None, "anna", "", NOW + 5 * MINUTE, NOW, lead())


def judgement(said: Disposition) -> Judgement:
    return Judgement(said, "other" if said == "rejected" else None)


seen = st.builds(
    lambda state, said: replace(SEEN, state=state, judgement=said and judgement(said)),
    st.sampled_from([S.OPEN, S.ACKNOWLEDGED, S.CONTACTED]),
    st.sampled_from([None, *get_args(Disposition)]),
).filter(lambda each: each.state is not S.OPEN or each.judgement is None)


@given(seen)
def test_every_button_would_be_recorded(seen: SeenAssignment) -> None:
    """The page never offers what is then refused."""
    for choice in choices(seen):
        said = WORDS[choice.word]
        verdict = (
            answer(seen.state, said, seen.disposition)
            if is_answer(said)
            else dispose(seen.state, seen.judgement, judgement(said))
        )
        assert isinstance(verdict, Recorded), choice


@given(seen)
def test_whatever_has_been_said_the_page_says_what_happens_next(seen: SeenAssignment) -> None:
    """And a lead that is neither won nor lost has a next button."""
    assert (whats_next(seen) is None) is (seen.state is S.OPEN)
    assert bool(choices(seen)) is (seen.disposition not in {"won", "lost"})


@pytest.mark.parametrize("word", [*WORDS, "nonsense", None])
def test_a_link_that_came_with_an_answer_shows_that_button_alone(word: str | None) -> None:
    """If it can be given; else everything that can."""
    offered = [choice.word for choice in choices(SEEN)]
    page = shown(SEEN, word)["choices"]
    assert isinstance(page, tuple)
    assert [choice.word for choice in page] == ([word] if word in offered else offered)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=3, hours=4), "3 d 4 h left to respond"),
        (timedelta(days=1, minutes=5), "1 d left to respond"),
        (timedelta(hours=2, minutes=5), "2 h 5 min left to respond"),
        (timedelta(minutes=3, seconds=59), "3 min left to respond"),
        (timedelta(seconds=40), "40 s left to respond"),
        (timedelta(0), "window passed 0 s ago"),
        (-2 * MINUTE, "window passed 2 min ago"),
    ],
)
def test_the_time_left_is_told_in_few_words(left: timedelta, words: str) -> None:
    """Rounded down: nobody is promised time that there is not."""
    assert time_left(NOW + left, NOW) == words


@pytest.mark.parametrize(("url", "link"), [("https://calls.example.com/1", True), ("javascript:alert(1)", False)])
def test_a_recording_is_a_link_only_when_a_browser_fetches_it(url: str, *, link: bool) -> None:
    """Its address comes from outside."""
    call = CallDetails(
        call_id="1", status="missed", called_number="+493012345678", started_at=NOW, duration=MINUTE, recording_url=url
    )
    page = shown(replace(SEEN, lead=lead().model_copy(update={"call": call})), None)
    assert page["recording"] == (url if link else None)


@pytest.mark.parametrize("until", [None, NOW + 90 * MINUTE])
def test_a_lead_on_hold_shows_why_and_until_when_and_no_clock(until: datetime | None) -> None:
    """It may still be answered; once it is, nobody cares any more that it was on hold."""
    held = replace(SEEN, respond_by=until, on_hold=OnHold("M", "a fair week", until))
    page = shown(held, None)
    assert page["clock"] is None
    assert page["on_hold"] == (
        "On hold until 2026-11-24 10:30 UTC." if until else "On hold for now.",
        "M: a fair week. No clock runs; you may answer all the same.",
    )
    assert page["choices"] == choices(SEEN)
    answered = shown(replace(held, state=S.ACKNOWLEDGED), None)
    assert (answered["clock"], answered["on_hold"]) == (None, None)
    assert shown(SEEN, None)["on_hold"] is None


def test_names_are_written_as_people_write_them() -> None:
    """Reasons and form fields."""
    assert [in_words(name) for name in ("no_budget", "Budget", "_")] == ["No budget", "Budget", ""]
