"""Promises of endpoints: who is meant by a name, in which way, and which secret signs for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.router.configurations import document

from relance.events import StepFired
from relance.ids import AssignmentId, LeadId, new_id
from relance_router.deliveries.announcements import escalated
from relance_router.deliveries.endpoints import contact, signing_secret, told_by
from relance_router.domain.configuration import Configuration

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
COMPANY = Configuration.model_validate(
    document(
        contacts=[{"id": "director", "slack": "https://s.example/d", "email": "d@example.com"}],
        teams=[{"id": "t", "manager": {"teams": "https://t.example/m"}, "members": [{"rep": "r"}]}],
    )
)


@pytest.mark.parametrize(
    ("endpoint", "address", "email"),
    [
        ("rep:r", ("webhook", "https://reps.example/r"), None),
        ("manager:t", ("teams", "https://t.example/m"), None),
        ("manager:t:teams", ("teams", "https://t.example/m"), None),
        ("contact:director", ("slack", "https://s.example/d"), "d@example.com"),
        ("contact:director:slack", ("slack", "https://s.example/d"), None),
        ("contact:director:email", None, "d@example.com"),
    ],
)
def test_an_endpoint_with_a_way_is_told_in_it_alone(
    endpoint: str, address: tuple[str, str] | None, email: str | None
) -> None:
    """And without one by the usual tool, with e-mail for when that fails."""
    told = contact(COMPANY, endpoint)
    assert told
    assert (told.address, told.email) == (address, email)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "smtp",
        "rep",
        "rep:",
        "rep:x",
        "r:r",
        "team:t",
        "manager:r",
        "contact:r",
        "rep:r:email",
        "rep:r:id",
        "rep:r:slack:x",
    ],
)
def test_what_nobody_is_told_by_is_nobody(endpoint: str) -> None:
    """A name that is not configured, a way that they do not have, and what is no name at all."""
    assert contact(COMPANY, endpoint) is None


def test_the_secret_is_the_same_in_every_way_and_another_for_everybody_else() -> None:
    """Whoever receives need not know by which way."""
    secrets = {
        name: signing_secret("m" * 32, name) for name in ("contact:a", "contact:a:webhook", "contact:b", "rep:a")
    }
    assert secrets["contact:a"] == secrets["contact:a:webhook"]
    assert len(set(secrets.values())) == 3


def test_who_has_none_of_the_ways_is_told_as_usually() -> None:
    """The others in each of those that they have."""
    assert told_by(COMPANY, "contact:director", ("teams", "email")) == ["contact:director:email"]
    assert told_by(COMPANY, "contact:director", ("slack", "email")) == [
        "contact:director:slack",
        "contact:director:email",
    ]
    assert told_by(COMPANY, "manager:t", ("email",)) == ["manager:t"]
    assert told_by(COMPANY, "contact:gone", ("email",)) == ["contact:gone"]


def fired(action: Any, **more: Any) -> StepFired:
    return StepFired(
        assignment_id=AssignmentId(new_id()),
        lead_id=LeadId(new_id()),
        clock="response",
        step="s",
        action=action,
        rep="r",
        team="t",
        due_at=NOW,
        fired_at=NOW,
        deadline=NOW,
        response_window=timedelta(minutes=5),
        **more,
    )


@pytest.mark.parametrize(
    ("step", "keys"),
    [
        (fired("remind_rep"), ["s"]),
        (fired("notify_manager"), ["s"]),
        (fired("remind_rep", occurrence=2), ["s:2:rep:r"]),
        (fired("notify_manager", via=["teams"]), ["s:1:manager:t:teams"]),
        (fired("notify", to=["director"], via=["slack", "email"], occurrence=3),
         ["s:3:contact:director:slack", "s:3:contact:director:email"]),
        (fired("notify", to=["director"]), ["s:1:contact:director"]),
        (fired("breach"), []),
        (fired("reassign"), []),
    ],
)  # fmt: skip
def test_a_notification_has_a_key_of_its_step_occurrence_and_endpoint(step: StepFired, keys: list[str]) -> None:
    """Those that there were before keep the key of then, so that a redelivered step tells nobody twice."""
    told = escalated(COMPANY, step, NOW, "", new_id)
    assert [each.key for each in told] == [f"{step.assignment_id}:step:{key}" for key in keys]
