"""One event on the wire: CloudEvents 1.0 in Kafka's binary mode (`ce_*` headers, JSON data)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from relance import tracing
from relance.events.catalogue import EVENT_TYPES
from relance.events.data import EventData
from relance.ids import EventId, NewId
from relance.validation_text import validation_text

_REQUIRED = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time")


class MalformedEvent(ValueError):
    """The message is no event of ours and never will be: give up on it, keep it where it can be looked at."""


@dataclass(frozen=True)
class KafkaMessage:
    """A message: headers by name, the key, and the value."""

    headers: dict[str, bytes]
    key: str
    value: bytes


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

    def headers(self) -> dict[str, str]:
        """The attributes as Kafka's binary mode names them."""
        return {
            "ce_specversion": "1.0",
            "ce_id": str(self.id),
            "ce_source": self.source,
            "ce_type": self.data.TYPE,
            "ce_subject": self.subject,
            "ce_time": self.time.isoformat().replace("+00:00", "Z"),
            "ce_traceparent": self.traceparent,
            "content-type": "application/json",
        }

    def to_message(self) -> KafkaMessage:
        """Headers, key and value as they go to Kafka."""
        headers = {name: value.encode() for name, value in self.headers().items()}
        return KafkaMessage(headers, self.subject, self.data.model_dump_json().encode())

    @classmethod
    def from_message(cls, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> "Envelope":
        """Read a message from Kafka.

        Raises:
            MalformedEvent: headers or data are not those of an event that we know; says which.
        """
        try:
            given = {name: text.decode() for name, text in headers}
        except ValueError as error:
            raise MalformedEvent("unreadable header: no text in UTF-8") from error
        missing = [name for name in _REQUIRED if not given.get(name)]
        if missing or given["ce_specversion"] != "1.0":
            raise MalformedEvent(f"not a CloudEvent 1.0: {', '.join(missing) or 'ce_specversion'}")
        model = EVENT_TYPES.get(given["ce_type"])
        if model is None:
            raise MalformedEvent(f"unknown event type {given['ce_type']}")
        try:
            return cls(
                id=EventId(UUID(given["ce_id"])),
                source=given["ce_source"],
                subject=given.get("ce_subject", ""),
                time=_aware(datetime.fromisoformat(given["ce_time"])),
                traceparent=given.get("ce_traceparent", ""),
                data=model.model_validate_json(value or b""),
            )
        except ValidationError as error:
            raise MalformedEvent(f"{given['ce_type']}: {validation_text(error)}") from error
        except ValueError as error:
            raise MalformedEvent("unreadable header: ce_id is no UUID, or ce_time no time with its zone") from error


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("ce_time must be a time with its zone")
    return moment
