"""Promises of events on the wire."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relance import tracing
from relance.events import EVENT_TYPES, TOPICS, Contact, Envelope, LeadReceived, MalformedEvent, ResponseRecorded
from relance.events.schemas import FOLDER, schemas
from relance.ids import AssignmentId, EventId, LeadId

NOW = datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def envelope(fields: dict[str, str], name: str | None = None) -> Envelope:
    lead = LeadReceived(
        lead_id=LeadId(UUID(int=1)),
        source="website",
        channel="form",
        received_at=NOW,
        identity_key="k",
        contact=Contact(name=name, email="anna@example.com"),
        fields=fields,
    )
    return Envelope(EventId(UUID(int=2)), "relance/ingest", "k", NOW, tracing.child_of(None), lead)


@given(st.dictionaries(words, words, max_size=5), st.none() | words)
def test_an_event_comes_back_from_kafka_as_it_was_sent(fields: dict[str, str], name: str | None) -> None:
    """Whatever people write into forms."""
    sent = envelope(fields, name)
    message = sent.to_message()
    assert Envelope.from_message(message.headers.items(), message.value) == sent


def test_the_headers_are_those_of_cloudevents_binary_mode() -> None:
    """Any CloudEvents reader understands them."""
    headers = envelope({}).to_message().headers
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == b"relance.lead.received.v1"
    assert headers["ce_time"] == b"2026-11-24T09:00:00.123456Z"
    assert headers["content-type"] == b"application/json"
    assert headers["ce_traceparent"].startswith(b"00-")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ce_type": b"relance.unknown.v1"}, "unknown event type"),
        ({"ce_type": None}, "not a CloudEvent"),
        ({"ce_id": b"not-a-uuid"}, "badly formed"),
        ({"ce_time": b"yesterday"}, "unreadable header"),
        ({"ce_source": b"\xff"}, "unreadable header"),
    ],
)
def test_wrong_headers_are_malformed_with_the_reason(change: dict[str, bytes | None], reason: str) -> None:
    """The dead letter says what was wrong."""
    message = envelope({}).to_message()
    headers = {name: value for name, value in (message.headers | change).items() if value is not None}
    with pytest.raises(MalformedEvent, match=reason):
        Envelope.from_message(headers.items(), message.value)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"{}", b"\xff\xfe"])
def test_wrong_data_is_malformed(value: bytes | None) -> None:
    """Never another kind of exception: that would be tried again for ever."""
    message = envelope({}).to_message()
    with pytest.raises(MalformedEvent):
        Envelope.from_message(message.headers.items(), value)


def test_a_time_that_is_not_in_utc_is_refused() -> None:
    """Times are aware, in UTC."""
    with pytest.raises(ValidationError):
        ResponseRecorded(
            assignment_id=AssignmentId(UUID(int=1)),
            lead_id=LeadId(UUID(int=2)),
            rep="anna",
            answer="acknowledged",
            responded_at=datetime.fromisoformat("2026-11-24T10:00:00+01:00"),
        )


def test_a_field_that_a_newer_producer_adds_does_no_harm() -> None:
    """Producers may be deployed first."""
    message = envelope({}).to_message()
    newer = message.value[:-1] + b',"novelty":1}'
    assert Envelope.from_message(message.headers.items(), newer).data == envelope({}).data


def test_every_event_type_is_versioned_and_has_one_topic() -> None:
    """Consumers choose by type; producers by the catalogue."""
    assert all(name.endswith(".v1") for name in EVENT_TYPES)
    assert len(EVENT_TYPES) == len(TOPICS)


def test_the_published_schemas_are_those_of_the_code() -> None:
    """`python -m relance.events.schemas` writes them."""
    assert {file.name: file.read_text() for file in FOLDER.glob("*.json")} == schemas()
