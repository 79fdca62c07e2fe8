"""Promises of telling somebody by their tool, by e-mail, or by both."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance_router.domain.circuit_breaker import FAILURES_TO_OPEN, Circuit
from relance_router.domain.configuration import Reachable
from relance_router.domain.delivery_ways import (
    EmailState,
    EndpointHealth,
    Progress,
    State,
    Ways,
    after_email,
    after_tool,
    ways,
)
from relance_router.domain.retry_schedule import Delivered, Disable, GiveUp, Step, TryAgain

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
PATIENCE = timedelta(minutes=2)
TOOL = Reachable.model_validate({"webhook": "https://crm.example/anna"})
BOTH = Reachable.model_validate({"slack": "https://chat.example/anna", "email": "anna@example.com"})
MAIL = Reachable.model_validate({"email": "anna@example.com"})
WELL = EndpointHealth()
BROKEN = EndpointHealth(Circuit(FAILURES_TO_OPEN, 1, NOW + timedelta(seconds=5)))
PAUSED = EndpointHealth(Circuit(open_until=NOW + timedelta(seconds=5)))
DISABLED = EndpointHealth(disabled_because="the endpoint answered 410 Gone")

ALL_STATES: list[State] = ["pending", "delivered", "failed", "cancelled"]
ALL_EMAIL_STATES: list[EmailState] = ["unsent", "sent", "failed"]
progresses = st.builds(Progress, st.sampled_from(ALL_STATES), st.sampled_from(ALL_EMAIL_STATES))
steps = st.sampled_from([Delivered(), TryAgain(timedelta(seconds=1)), GiveUp("too old"), Disable("gone")])


@pytest.mark.parametrize(
    ("contact", "health", "expected"),
    [
        (TOOL, WELL, Ways(8, None)),
        (TOOL, BROKEN, Ways(0, None)),
        (TOOL, DISABLED, Ways(0, None)),
        (BOTH, WELL, Ways(8, PATIENCE)),
        (BOTH, PAUSED, Ways(0, PATIENCE)),
        (BOTH, BROKEN, Ways(0, timedelta())),
        (BOTH, DISABLED, Ways(0, timedelta())),
        (MAIL, WELL, Ways(0, timedelta())),
        (None, WELL, Ways(8, None)),
    ],
)
def test_email_is_for_whom_the_tool_does_not_reach(
    contact: Reachable | None, health: EndpointHealth, expected: Ways
) -> None:
    """At once where the tool is missing, disabled or broken; else for what stays undelivered."""
    assert ways(contact, health, NOW, at_most=8, after=PATIENCE) == expected


def test_an_email_does_not_end_the_tools_retries() -> None:
    """Unless there is no tool, or it is disabled."""
    start = Progress("pending", "unsent")
    assert after_email(start, Delivered(), tool_goes_on=True) == Progress("pending", "sent")
    assert after_email(start, Delivered(), tool_goes_on=False) == Progress("delivered", "sent")
    assert after_email(start, GiveUp("no"), tool_goes_on=True) == Progress("pending", "failed")
    assert after_email(start, GiveUp("no"), tool_goes_on=False) == Progress("failed", "failed")


def test_who_was_told_by_email_was_told_although_the_tool_gave_up() -> None:
    """And what a disabled tool did not take is left to e-mail."""
    assert after_tool(Progress("pending", "sent"), GiveUp("too old"), has_email=True).state == "delivered"
    assert after_tool(Progress("pending", "unsent"), Disable("gone"), has_email=True).state == "pending"
    assert after_tool(Progress("pending", "unsent"), Disable("gone"), has_email=False).state == "failed"
    assert after_tool(Progress("pending", "failed"), Disable("gone"), has_email=True).state == "failed"


@given(progresses, steps, st.booleans(), st.booleans())
def test_what_is_settled_stays_so_unless_it_arrives(progress: Progress, step: Step, by_email: bool, flag: bool) -> None:
    """A cancelled notification that was under way is cancelled, or it has arrived; a delivered one is delivered."""
    after = after_email(progress, step, tool_goes_on=flag) if by_email else after_tool(progress, step, has_email=flag)
    if progress.state == "delivered":
        assert after.state == "delivered"
    elif progress.state != "pending":
        assert after.state == ("delivered" if isinstance(step, Delivered) else progress.state)
