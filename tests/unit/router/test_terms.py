"""Promises of the terms of assignments, and of what happens to deadlines when they change."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.router.company import MONDAY_NOON, configuration

from relance.calendars import Calendar, used
from relance.events import EscalationStep, Hold
from relance.events.assignment import ClockName
from relance_router.domain.configuration import Configuration
from relance_router.domain.interventions import (
    LONGEST,
    HoldOutOfReach,
    InterventionRefused,
    Situation,
    extend,
    hold,
    release,
)
from relance_router.domain.rules import FALLBACK
from relance_router.domain.terms import CLOCKS, Deadlines, PromisedBy, Terms, hold_at, moved, passed, terms_under

MINUTE = timedelta(minutes=1)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
OFFICE = Calendar.model_validate(
    {"id": "office", "zone": "Europe/Berlin", "hours": dict.fromkeys(WEEKDAYS, "09:00-12:00, 13:00-17:30")}
)
STEPS = (EscalationStep(name="breach", action="breach", window_fraction=1, delay=timedelta()),)

minutes = st.integers(1, 20_000).map(lambda count: count * MINUTE)
moments = st.integers(0, 40_000).map(lambda count: MONDAY_NOON + count * MINUTE)
clocks = st.sampled_from(CLOCKS)


@st.composite
def holds(draw: st.DrawFn) -> tuple[Hold, ...]:
    """Apart from each other; the last may have no end."""
    edges = sorted(draw(st.sets(moments, max_size=6)))
    made = [Hold(since=since, until=until) for since, until in zip(edges[::2], [*edges[1::2], None], strict=False)]
    return tuple(made)


@st.composite
def terms(draw: st.DrawFn, *, held: bool = True) -> Terms:
    """Any that could hold."""
    windows: dict[ClockName, timedelta] = {"response": draw(minutes)}
    for clock in ("contact", "disposition"):
        if draw(st.booleans()):
            windows[clock] = draw(minutes)
    return Terms(
        windows,
        draw(st.sampled_from([None, OFFICE])),
        STEPS,
        extended=draw(st.dictionaries(clocks, minutes)),
        holds=draw(holds()) if held else (),
    )


@given(terms(), terms(), moments, st.sets(clocks))
def test_what_is_past_stays_and_nothing_is_moved_into_the_past(
    before: Terms, after: Terms, now: datetime, running: set[ClockName]
) -> None:
    """A stopped clock, a passed deadline, one promised no longer: these stay; others are as promised, or over now."""
    was = before.deadlines(MONDAY_NOON)
    new = moved(was, after, MONDAY_NOON, now, running)
    wanted = after.deadlines(MONDAY_NOON)
    for clock in CLOCKS:
        if clock in was and (clock not in running or clock not in wanted or passed(was[clock], now)):
            assert new[clock] == was[clock]
        elif clock in running and clock in wanted:
            due = wanted[clock]
            assert new[clock] == (due and max(due, now))
        else:
            assert clock not in new


@given(terms(held=False), clocks, minutes)
def test_an_extension_is_exactly_so_much_more_working_time(terms: Terms, clock: ClockName, more: timedelta) -> None:
    """On that clock, and on no other; a clock that was not promised does not begin to run."""
    was, new = terms.deadlines(MONDAY_NOON), terms.more(clock, more).deadlines(MONDAY_NOON)
    assert {each for each in new if new[each] != was[each]} == {clock} & terms.windows.keys()
    assert new.keys() == was.keys()
    before, after = was.get(clock), new.get(clock)
    if before and after:
        assert used(terms.calendar, before, after) == more


@given(terms(held=False), moments, minutes, moments)
def test_a_hold_costs_nobody_any_of_the_window(
    terms: Terms, since: datetime, length: timedelta, looked_at: datetime
) -> None:
    """While it lasts the deadline is unknown unless it was before it; afterwards all of the window has been given."""
    until = since + length
    was, during = terms.deadlines(MONDAY_NOON), terms.held(since, None).deadlines(MONDAY_NOON)
    after = terms.held(since, None).released(until)
    assert after == terms.held(since, until)
    assert (hold_at(after.holds, looked_at) is not None) is (since <= looked_at < until)
    for clock, due in after.deadlines(MONDAY_NOON).items():
        due_before, window = was[clock], terms.whole_windows[clock]
        assert due_before
        assert due
        if due_before <= since:
            assert due == during[clock] == due_before
        else:
            assert during[clock] is None
            assert used(terms.calendar, MONDAY_NOON, due) - used(terms.calendar, since, min(until, due)) == window


@given(terms(), moments)
def test_who_is_released_at_once_was_never_on_hold(terms: Terms, now: datetime) -> None:
    """A hold of no length is none."""
    if hold_at(terms.holds, now) is None and not any(each.since >= now for each in terms.holds):
        assert terms.held(now, None).released(now) == terms


def company(**changes: Any) -> Configuration:
    """A rule without a split, one with two arms, and calendars."""
    sections: dict[str, Any] = {
        "calendars": [OFFICE.model_dump(mode="json")],
        "rules": [
            {"id": "one", "when": {}, "team": "t", "respond_within": "10m", "contact_within": "1h"},
            {
                "id": "split",
                "when": {},
                "respond_within": "20m",
                "split": [{"team": "t", "share": "50%"}, {"team": "t", "share": "50%", "respond_within": "30m"}],
            },
        ],
        "fallback": {"respond_within": "40m"},
        **changes,
    }
    return configuration({"anna": {"calendar": "office"}, "ben": {}}, **sections)


@pytest.mark.parametrize(
    ("rule", "arm", "window"), [("one", None, 10), ("split", 0, 20), ("split", 1, 30), (FALLBACK, None, 40)]
)
def test_the_promise_is_found_again_by_rule_and_arm(rule: str, arm: int | None, window: int) -> None:
    """With the windows, the rep's calendar and the steps of the configuration that is asked."""
    found = terms_under(company(), PromisedBy(rule, arm, "t", "anna"))
    assert found
    assert found.windows["response"] == window * MINUTE
    assert ("contact" in found.windows) is (rule == "one")
    assert found.calendar == OFFICE
    assert found.steps == company().policies_by_id["p"].as_told
    bens = terms_under(company(), PromisedBy(rule, arm, "t", "ben"))
    assert bens == replace(found, calendar=None)


@pytest.mark.parametrize(
    "by",
    [
        PromisedBy("gone", None, "t", "anna"),
        PromisedBy("one", None, "t", "gone"),
        PromisedBy("one", None, "gone", "anna"),
        PromisedBy("split", 2, "t", "anna"),
        PromisedBy("split", None, "t", "anna"),
        PromisedBy("one", 0, "t", "anna"),
    ],
)
def test_when_the_rule_or_the_rep_is_gone_there_are_no_terms(by: PromisedBy) -> None:
    """Then what was promised stands: an arm is of its split, and of no other."""
    assert terms_under(company(), by) is None


def situation(
    deadlines: Deadlines, *, running: frozenset[ClockName] = frozenset(CLOCKS), held: tuple[Hold, ...] = ()
) -> Situation:
    made = Terms({"response": MINUTE, "disposition": MINUTE}, None, STEPS, holds=held)
    return Situation("anna", made, deadlines, running, MONDAY_NOON)


def test_nobody_gets_more_time_when_it_is_too_late_or_nothing_waits() -> None:
    """Each refusal says which of these it is."""
    ahead, past = MONDAY_NOON + MINUTE, MONDAY_NOON - 5 * MINUTE
    assert extend(situation({"response": ahead}), "response", MINUTE).extended == {"response": MINUTE}
    assert extend(situation({"response": None}), "response", MINUTE).extended == {"response": MINUTE}
    with pytest.raises(InterventionRefused, match="response deadline passed 5 min ago, at 2026-11-23 11:55:00 UTC"):
        extend(situation({"response": past}), "response", MINUTE)
    with pytest.raises(InterventionRefused, match="response clock has stopped: anna"):
        extend(situation({"response": ahead}, running=frozenset({"disposition"})), "response", MINUTE)
    with pytest.raises(InterventionRefused, match="No contact clock runs"):
        extend(situation({"response": ahead}), "contact", MINUTE)


def test_a_lead_is_held_once_and_released_once() -> None:
    """And not into the past, nor for ever by mistake."""
    free, until = situation({"response": None}), MONDAY_NOON + MINUTE
    assert hold(free, until).holds == (Hold(since=MONDAY_NOON, until=until),)
    with pytest.raises(InterventionRefused, match="not on hold"):
        release(free)
    for end in (None, until):
        held = situation({}, held=(Hold(since=MONDAY_NOON - MINUTE, until=end),))
        with pytest.raises(InterventionRefused, match="on hold already, until"):
            hold(held, None)
        assert release(held).holds == (Hold(since=MONDAY_NOON - MINUTE, until=MONDAY_NOON),)
    with pytest.raises(InterventionRefused, match="No clock runs"):
        hold(situation({}, running=frozenset({"contact"})), None)
    for nonsense in (MONDAY_NOON, MONDAY_NOON + LONGEST + MINUTE):
        with pytest.raises(HoldOutOfReach):
            hold(free, nonsense)
