"""What a partner told, as a lead to be accepted.

A form of ours is refused with its bad fields named, and mended by whoever filled it in. Nobody mends a partner's: it
gives up, or tries the same again for days. So everything is kept that can be. A number that cannot be dialled becomes
a field; a lead whom nobody can reach is kept in quarantine, where somebody sees it.
"""

import hashlib
import itertools
import re
from collections.abc import Mapping

from relance.events import CallDetails, Contact
from relance_ingest.acceptance import NewLead
from relance_ingest.domain.contact_details import NotReachable, known_country, normal_email, normal_phone, phone_country
from relance_ingest.domain.suspicion import Suspicion
from relance_ingest.partners.partner import PartnerCall, PartnerLead
from relance_ingest.sources import Source

_MOST_FIELDS = 200
_LINE, _TEXT, _NAME, _KEY = 200, 5_000, 64, 255
_NOT_IN_A_NAME = re.compile(r"[\s=&]+")


def new_lead(source: Source, lead: PartnerLead) -> NewLead:
    """A person, normalised; `suspicions` say when nobody could reach them."""
    country = known_country(lead.country or "")
    dialled_in = country or source.default_country
    email, phone = _email(lead.email), _phone(lead.phone, dialled_in)
    kept = {
        "email_as_given": lead.email if email is None else None,
        "phone_as_given": lead.phone if phone is None else None,
    }
    return NewLead(
        source=source.id,
        channel="partner",
        campaign=_line(lead.campaign) or source.campaign,
        contact=Contact(
            name=_line(lead.name),
            email=email,
            phone=phone,
            company=_line(lead.company),
            country=country or (phone_country(phone) if phone else None),
        ),
        fields=_fields({**lead.fields, **{name: value for name, value in kept.items() if value}}),
        idempotency_key=_key(lead.key),
        suspicions=() if email or phone else (Suspicion.UNREACHABLE,),
        revisable=lead.revisable,
    )


def new_call(source: Source, call: PartnerCall) -> NewLead:
    """A call, normalised; a caller who withheld their number cannot be called back, which `suspicions` say."""
    phone = _phone(call.caller, source.default_country)
    called = _phone(call.called_number, source.default_country)
    fields = {**call.fields, **({"phone_as_given": call.caller} if phone is None else {})}
    return NewLead(
        source=source.id,
        channel="call",
        campaign=_line(call.campaign) or source.campaign,
        contact=Contact(name=_line(call.name), phone=phone, country=phone_country(phone) if phone else None),
        fields=_fields(fields),
        call=CallDetails(
            call_id=_clean(call.call_id, _KEY),
            status=call.status,
            called_number=called or _clean(call.called_number, _LINE),
            started_at=call.started_at,
            duration=call.duration,
            recording_url=_link(call.recording_url),
        ),
        idempotency_key=_key(f"call:{call.call_id}"),
        suspicions=() if phone else (Suspicion.UNREACHABLE,),
        revisable=call.conclusive,
    )


def _email(value: str | None) -> str | None:
    try:
        return normal_email(_clean(value, _LINE)) if value else None
    except NotReachable:
        return None


def _phone(value: str | None, country: str | None) -> str | None:
    try:
        return normal_phone(_clean(value, _LINE), country) if value else None
    except NotReachable:
        return None


def _line(value: str | None) -> str | None:
    return _clean(value, _LINE).strip() or None if value else None


def _link(value: str | None) -> str | None:
    """Reps will open it."""
    return _clean(value, _TEXT) if value and value.startswith(("https://", "http://")) else None


def _fields(given: Mapping[str, str]) -> dict[str, str]:
    """Names as rules can ask for them (`fields.name`), of as many fields as a row should hold."""
    fields: dict[str, str] = {}
    for name, value in itertools.islice(given.items(), _MOST_FIELDS):
        kept = _NOT_IN_A_NAME.sub("_", _clean(name, _NAME).strip()) or "field"
        cleaned = _clean(value, _TEXT)
        fields[kept] = f"{fields[kept]}, {cleaned}" if kept in fields else cleaned
    return fields


def _key(value: str) -> str:
    """Two ids stay two, however long they are and wherever they differ."""
    kept = _clean(value, _KEY)
    if kept == value:
        return kept
    digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
    return f"{kept[: _KEY - len(digest) - 1]}:{digest}"


def _clean(value: str, most: int) -> str:
    """What PostgreSQL can keep, and no more than is sensible."""
    return value.replace("\x00", "")[:most].encode(errors="replace").decode()
