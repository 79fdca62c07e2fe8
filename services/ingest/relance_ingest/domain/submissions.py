"""What may be submitted, in which shape, and what is wrong with what is not."""

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from relance.events import CallDetails, Contact
from relance.moments import Moment
from relance.storable import IN_WORDS, STORABLE
from relance_ingest.domain.campaign_fields import CAMPAIGN_FIELDS
from relance_ingest.domain.contact_details import (
    NotReachable,
    known_country,
    normal_email,
    normal_phone,
    number_and_extension,
    phone_and_country,
    phone_country,
)

MOST_FIELDS = 50
"""Fields of a submission besides those of its campaign."""
MOST_FIELDS_IN_ALL = MOST_FIELDS + len(CAMPAIGN_FIELDS)
LONGEST_LINE = 200
LONGEST_NAME = 64

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_LINE), IN_WORDS]
Text = Annotated[str, StringConstraints(max_length=5_000), STORABLE]
FieldName = Annotated[str, StringConstraints(pattern=rf"^[^\s=&\x00]{{1,{LONGEST_NAME}}}$")]
Country = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{2}$"),
    AfterValidator(lambda code: known_country(code) or code),
    WithJsonSchema({"type": "string", "pattern": r"^\s*[A-Za-z]{2}\s*$"}),
]


class _Submission(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line | None = None
    company: Line | None = None
    country: Country | None = Field(None, description="ISO 3166-1 alpha-2.")
    campaign: Line | None = None
    fields: Annotated[dict[FieldName, Text], Field(max_length=MOST_FIELDS_IN_ALL)] = Field(
        default_factory=dict, description="Whatever else the form asked."
    )


class LeadSubmission(_Submission):
    """A lead: somebody who wants to hear from sales, and can be reached by e-mail or phone."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [way], "properties": {way: {"type": "string"}}} for way in ("email", "phone")]
        }
    )

    email: Line | None = None
    phone: Line | None = Field(None, description="With country code, or as dialled in `country`.")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.email is None and self.phone is None:
            raise PydanticCustomError("unreachable", "Give an email or a phone: nobody can answer this lead.")
        return self


class CallSubmission(_Submission):
    """An inbound call, answered or not."""

    call_id: Line = Field(
        description="The phone system's own id of the call: the same call sent again is the same lead."
    )
    caller: Line | None = Field(
        description="The caller's number. Null, or a word without digits (`anonymous`): it was withheld, so the call "
        "waits in quarantine until it is sent again with the number, or somebody releases it."
    )
    called_number: Line
    status: Literal["answered", "missed", "voicemail"]
    started_at: Moment = Field(description="With its offset from UTC.")
    duration_seconds: float = Field(ge=0, le=86_400)
    recording_url: AnyHttpUrl | None = None


class FieldError(ValueError):
    """One or more fields are wrong: field name to what is wrong with it."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in faults.items()))


def lead_contact(lead: LeadSubmission, default_country: str | None) -> Contact:
    """The person, normalised.

    Raises:
        FieldError: names each field that is wrong.
    """
    faults: dict[str, str] = {}
    country = _dialled_in(lead, default_country)
    email = phone = dialled_in = None
    if lead.email is not None:
        try:
            email = normal_email(lead.email)
        except NotReachable as error:
            faults["email"] = str(error)
    if lead.phone is not None:
        try:
            phone, dialled_in = phone_and_country(lead.phone, country)
        except NotReachable as error:
            faults["phone"] = str(error)
    if faults:
        raise FieldError(faults)
    return Contact(
        name=lead.name,
        email=email,
        phone=phone,
        company=lead.company,
        country=lead.country or dialled_in,
    )


def _dialled_in(given: _Submission, default_country: str | None) -> str | None:
    """A form may name a country by letters that are none; whoever fills it in cannot mend that."""
    return known_country(given.country or "") or default_country


def call_contact(call: CallSubmission, default_country: str | None) -> tuple[Contact, CallDetails]:
    """The caller, who has no phone when it was withheld, and the call, normalised.

    Raises:
        FieldError: names each field that is wrong.
    """
    faults: dict[str, str] = {}
    numbers: dict[str, str] = {}
    given = {"caller": call.caller, "called_number": call.called_number}
    if not any(map(str.isdigit, call.caller or "")):
        del given["caller"]  # withheld
    for name, number in given.items():
        try:
            normal = normal_phone(number or "", _dialled_in(call, default_country))
            numbers[name] = number_and_extension(normal)[0]
        except NotReachable as error:
            faults[name] = str(error)
    if faults:
        raise FieldError(faults)
    caller = numbers.get("caller")
    contact = Contact(
        name=call.name,
        phone=caller,
        company=call.company,
        country=call.country or (phone_country(caller) if caller else None),
    )
    details = CallDetails(
        call_id=call.call_id,
        status=call.status,
        called_number=numbers["called_number"],
        started_at=call.started_at.astimezone(UTC),
        duration=timedelta(seconds=call.duration_seconds),
        recording_url=str(call.recording_url) if call.recording_url else None,
    )
    return contact, details
