"""The base of every event's data, and the field types they share."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

Channel = Literal["form", "call", "partner"]

Seconds = Annotated[
    timedelta,
    PlainSerializer(lambda duration: duration.total_seconds(), return_type=float),
    WithJsonSchema({"type": "number", "description": "seconds"}),
]
"""A duration, written as a number of seconds."""


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() != timedelta():
        raise ValueError("give the time in UTC")
    return moment


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class EventData(BaseModel):
    """Data of one event. Unknown fields are ignored, so that a producer may add some before consumers know them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]
    """CloudEvents `type`; its last part is the version."""
