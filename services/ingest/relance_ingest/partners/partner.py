"""What a partner's adapter is: two functions, which say whether a request is the partner's and what it tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

CallStatus = Literal["answered", "missed", "voicemail"]


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as it arrived. Header names are lower case; `url` is the one that the partner was given, with query."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime


@dataclass(frozen=True)
class PartnerLead:
    """A person, as the partner wrote them: nothing is normalised yet, and nothing need be right.

    `key` is the partner's own id of the submission, the same whenever it is sent again. `revisable`: the same key with
    other content says more of the same lead.
    """

    key: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    company: str | None = None
    country: str | None = None
    campaign: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    revisable: bool = False


@dataclass(frozen=True)
class PartnerCall:
    """An inbound call, as the partner wrote it. `conclusive`: it may correct what was told of this call before."""

    call_id: str
    caller: str
    called_number: str
    status: CallStatus
    started_at: datetime
    duration: timedelta = timedelta()
    name: str | None = None
    recording_url: str | None = None
    campaign: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    conclusive: bool = True


@dataclass(frozen=True)
class LeadReference:
    """A lead of which only the id was told: it is kept, and fetched from the partner afterwards."""

    id: str


@dataclass(frozen=True)
class Ignored:
    """Properly signed, and no lead. `reason` is one of few words: it labels a metric."""

    reason: str


Told = PartnerLead | PartnerCall | LeadReference | Ignored


class WrongSignature(Exception):
    """Not the partner's request, or not of now."""

    def __init__(self, reason: Literal["missing", "wrong", "stale"]) -> None:
        self.reason = reason
        super().__init__(f"signature {reason}")


class Unreadable(ValueError):
    """Properly signed, and not of the shape that the partner documents; says what is wrong, without what was sent."""


class Partner(Protocol):
    """An adapter: a module with these two functions. They do no I/O, and read no clock."""

    def verify(self, request: ReceivedRequest, secrets: Sequence[str]) -> None:
        """Check that the partner signed this request with one of the secrets, in constant time.

        Raises:
            WrongSignature: it did not, or longer ago than five minutes, where the time is signed.
        """

    def read(self, request: ReceivedRequest) -> Sequence[Told]:
        """What a verified request tells.

        Raises:
            Unreadable: it is not what the partner documents.
        """
