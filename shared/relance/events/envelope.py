"""One event on the wire: CloudEvents 1.0 in Kafka's binary mode (`ce_*` headers, JSON data)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.base import Format
from cloudevents.core.v1.event import CloudEvent
from pydantic import ValidationError
from typing_extensions import override

from relance import tracing
from relance.events.catalogue import EVENT_TYPES
from relance.events.data import EventData
from relance.ids import EventId, NewId


class MalformedEvent(ValueError):
    """The message is no event of ours and never will be: give up on it, keep it where it can be looked at."""


class _AlreadyJson(Format):
    """Leaves the data alone: pydantic writes and checks the JSON, once."""

    @override
    def write(self, event: BaseCloudEvent) -> bytes:
        raise NotImplementedError("structured mode is not used")

    @override
    def read(self, event_factory: object, data: str | bytes) -> BaseCloudEvent:
        raise NotImplementedError("structured mode is not used")

    @override
    def write_data(self, data: dict[str, Any] | str | bytes | None, datacontenttype: str | None) -> bytes:
        if not isinstance(data, bytes):
            raise TypeError("event data is written by pydantic before it comes here")
        return data

    @override
    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:
        return body

    @override
    def get_content_type(self) -> str:
        return "application/cloudevents+json"


_FORMAT = _AlreadyJson()


@dataclass(frozen=True)
class Envelope:
    """An event with what identifies it.

    `source` is the service that made it; `subject` is what it is about and becomes the Kafka key; `traceparent`
    is the W3C trace context (CloudEvents' distributed tracing extension); `time` is aware, in UTC.
    """

    id: EventId
    source: str
    subject: str
    time: datetime
    traceparent: str
    data: EventData

    @classmethod
    def caused_by(
        cls, traceparent: str, data: EventData, *, source: str, subject: str, time: datetime, new_id: NewId
    ) -> "Envelope":
        """A new event in the trace of what caused it."""
        return cls(EventId(new_id()), source, subject, time, tracing.child_of(traceparent), data)

    def to_message(self) -> KafkaMessage:
        """Headers, key and value as they go to Kafka."""
        event = CloudEvent(
            {
                "id": str(self.id),
                "source": self.source,
                "type": self.data.TYPE,
                "subject": self.subject,
                "time": self.time,
                "datacontenttype": "application/json",
                "traceparent": self.traceparent,
            },
            self.data.model_dump_json().encode(),
        )
        return to_binary(event, _FORMAT, key_mapper=lambda _: self.subject)

    @classmethod
    def from_message(cls, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> "Envelope":
        """Read a message from Kafka.

        Raises:
            MalformedEvent: headers or data are not those of an event that we know; says which.
        """
        try:
            event = from_binary(KafkaMessage(dict(headers), None, value or b""), _FORMAT)
        except CloudEventValidationError as error:
            raise MalformedEvent(f"not a CloudEvent: {sorted(error.errors)}") from error
        except ValueError as error:
            raise MalformedEvent(f"unreadable header: {error}") from error
        model = EVENT_TYPES.get(event.get_type())
        if model is None:
            raise MalformedEvent(f"unknown event type {event.get_type()}")
        try:
            return cls(
                id=EventId(UUID(event.get_id())),
                source=event.get_source(),
                subject=event.get_subject() or "",
                time=_required_time(event.get_time()),
                traceparent=str(event.get_extension("traceparent") or ""),
                data=model.model_validate_json(value or b""),
            )
        except ValidationError as error:
            faults = "; ".join(f"{_path(fault['loc'])}: {fault['msg']}" for fault in error.errors(include_input=False))
            raise MalformedEvent(f"{event.get_type()}: {faults}") from error
        except ValueError as error:
            raise MalformedEvent(f"unreadable header: {error}") from error


def _required_time(moment: datetime | None) -> datetime:
    if moment is None or moment.tzinfo is None:
        raise ValueError("ce_time must be a time with its zone")
    return moment


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "data"
