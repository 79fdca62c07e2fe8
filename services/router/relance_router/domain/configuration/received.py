"""When a lead came in, as a rule may ask for it."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from relance.calendars import Hours
from relance.calendars.calendar import Weekday, Zone
from relance_router.domain.configuration.field_types import Document, Filled, Name, Stated, as_list, without_null

Days = Annotated[Filled[Weekday], BeforeValidator(as_list, json_schema_input_type=Weekday | Filled[Weekday])]


class Received(Document):
    """By the clock on the wall of a zone, or by a calendar; everything given must hold.

    A span over midnight belongs to the day on which it begins: `22:00-06:00` on `fri` lasts until Saturday morning.
    """

    time: Stated[Hours] = Field(None, description="Such as `18:00-08:00`.")
    days: Stated[Days] = None
    zone: Stated[Zone] = Field(None, description="Whose clock `time` and `days` are read by: `Europe/Berlin`.")
    during: Stated[Name] = Field(None, description="The calendar whose working hours it came in.")
    outside: Stated[Name] = Field(None, description="The calendar out of whose working hours it came in.")

    model_config = without_null

    @model_validator(mode="after")
    def _said_when(self) -> Self:
        if not self.model_fields_set - {"zone"}:
            raise ValueError("say when: time, days, during or outside")
        if bool(self.time or self.days) != bool(self.zone):
            raise ValueError("time and days want a zone, such as Europe/Berlin, and a zone wants time or days")
        return self
