"""What services say to each other when personal data is to be erased: ingest asks, whoever holds some proves it."""

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt

from relance.events.data import EventData, UtcDatetime
from relance.ids import ErasureId, LeadId


class ErasureRequested(EventData):
    """The personal data of these leads is to be erased: ingest has erased its own.

    It travels behind the leads of its person, on their topic and with their key. An erasure of many has several parts.
    """

    TYPE: ClassVar[str] = "relance.erasure.requested.v1"

    erasure_id: ErasureId
    part: NonNegativeInt
    lead_ids: tuple[LeadId, ...]
    because: Literal["request", "retention"]
    requested_at: UtcDatetime


class ErasureDone(EventData):
    """A service has erased what it held of one part of an erasure, and holds no more of it."""

    TYPE: ClassVar[str] = "relance.erasure.done.v1"

    erasure_id: ErasureId
    part: NonNegativeInt
    service: str
    rows: dict[str, NonNegativeInt] = Field(description="How many rows were blanked or deleted, by table.")
    erased_at: UtcDatetime
