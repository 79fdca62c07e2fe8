"""What front doors make of a submission, and what they are told of it."""

from dataclasses import dataclass

from relance.events import CallDetails, Contact
from relance.events.data import Channel
from relance.ids import LeadId


@dataclass(frozen=True)
class NewLead:
    """A valid submission. Without an idempotency key every submission is a lead of its own.

    The phone has its extension with it (`normal_phone`), by which the person is known; what is told and stored of the
    lead has a number in E.164, and the extension as the field `phone_extension`.

    With `suspicions` (why) the lead is committed and visible, and not told until somebody releases it. `revisable`:
    the same key with other content says more of the same lead, told as `LeadRevised`, and is not refused.
    """

    source: str
    channel: Channel
    campaign: str | None
    contact: Contact
    fields: dict[str, str]
    call: CallDetails | None = None
    idempotency_key: str | None = None
    suspicions: tuple[str, ...] = ()
    revisable: bool = False


@dataclass(frozen=True)
class Accepted:
    """The lead is committed. `repeated` when it had been before; `revised` when this submission changed it."""

    lead_id: LeadId
    repeated: bool
    revised: bool = False


class KeyUsedTwice(ValueError):
    """The idempotency key came with another submission before. Nothing was stored."""
