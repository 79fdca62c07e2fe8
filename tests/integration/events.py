"""Events for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.topics import message_on

from relance import tracing
from relance.events import Contact, Envelope, LeadReceived, LeadRevised, Topic
from relance.events.envelope import KafkaMessage
from relance.ids import EventId, LeadId, new_id
from relance.kafka.publisher import KafkaPublisher
from relance.settings import ServiceSettings

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def lead(
    *,
    source: str = "website",
    team: str = "sales",
    lead_id: UUID | None = None,
    identity: str = "somebody",
    email: str | None = "maria@example.com",
    phone: str | None = None,
) -> LeadReceived:
    """A lead."""
    return LeadReceived(
        lead_id=LeadId(lead_id or new_id()),
        source=source,
        channel="form",
        received_at=NOW,
        identity_key=identity,
        person_keys=tuple(f"pseudonym-of-{known}" for known in (email, phone) if known),
        contact=Contact(email=email, phone=phone),
        fields={"team": team},
    )


def revised(given: LeadReceived, *, minutes: float = 1, **changed: object) -> LeadRevised:
    """More is known of a lead, so many minutes after `NOW`."""
    return LeadRevised.model_validate({**given.model_dump(), **changed, "revised_at": NOW + timedelta(minutes=minutes)})


def envelope(data: LeadReceived | LeadRevised | None = None) -> Envelope:
    """An event about it, keyed by lead."""
    received = data or lead()
    return Envelope(EventId(new_id()), "relance/tests", str(received.lead_id), NOW, tracing.child_of(None), received)


async def publish(
    settings: ServiceSettings, publisher: KafkaPublisher, events: Sequence[Envelope | KafkaMessage]
) -> None:
    """Put events on the topic of leads."""
    topic = settings.topic_prefix + Topic.RECEIVED
    made = [each.to_message() if isinstance(each, Envelope) else each for each in events]
    assert await publisher.publish([message_on(topic, each) for each in made]) == (len(made), None)
