"""Promises of events on the wire."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage as CloudEventsMessage
from cloudevents.core.bindings.kafka import from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
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


@given(words.filter(str.strip), words)
def test_any_cloudevents_reader_understands_what_is_sent(subject: str, name: str) -> None:
    """The CloudEvents project's own library, as the oracle of binary mode."""
    sent = replace(envelope({}, name), subject=subject)
    message = sent.to_message()
    read = from_binary(
        CloudEventsMessage(dict(message.headers), message.key.encode(), message.value), JSONFormat(), CloudEvent
    )
    assert read.get_id() == str(sent.id)
    assert (read.get_source(), read.get_subject(), read.get_type()) == (sent.source, subject, sent.data.TYPE)
    assert (read.get_time(), read.get_extension("traceparent")) == (NOW, sent.traceparent)
    assert read.get_data() == sent.data.model_dump(mode="json")


@given(words, words.filter(str.strip))
def test_what_another_cloudevents_writer_sends_is_understood(name: str, subject: str) -> None:
    """Whoever produces for us may use the library."""
    expected = replace(envelope({}, name), subject=subject)
    event = CloudEvent(
        {
            "id": str(expected.id),
            "source": expected.source,
            "type": expected.data.TYPE,
            "subject": subject,
            "time": expected.time,
            "datacontenttype": "application/json",
            "traceparent": expected.traceparent,
        },
        expected.data.model_dump(mode="json"),
    )
    message = to_binary(event, JSONFormat())
    assert Envelope.from_message(message.headers.items(), message.value) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ce_type": b"relance.unknown.v1"}, "unknown event type"),
        ({"ce_type": None}, "not a CloudEvent 1.0: ce_type"),
        ({"ce_id": b"not-a-uuid"}, "ce_id is no UUID"),
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
