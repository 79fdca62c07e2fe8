"""What a partner told, as a lead to be accepted.

A form of ours is refused with its bad fields named, and mended by whoever filled it in. Nobody mends a partner's: it
gives up, or tries the same again for days. So everything is kept that can be. A number that cannot be dialled becomes
a field, and the next is tried; a lead whom nobody can reach is kept in quarantine, where somebody sees it.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from relance.events import CallDetails, Contact
from relance_ingest.acceptance import NewLead
from relance_ingest.domain.contact_details import (
    NotReachable,
    known_country,
    normal_email,
    normal_phone,
    number_and_extension,
    phone_country,
)
from relance_ingest.domain.field_mapping import chosen, found
from relance_ingest.domain.suspicion import Suspicion
from relance_ingest.partners.documents import EMAIL, PHONE, plain
from relance_ingest.partners.partner import PartnerCall, PartnerLead
from relance_ingest.sources import Source

_MOST_FIELDS = 200
_LEFT_OUT = "fields_left_out"
"""The field that says how many there was no room for."""
_LINE, _TEXT, _NAME, _KEY = 200, 5_000, 64, 255
_NOT_IN_A_NAME = re.compile(r"[\s=&]+")


def new_lead(source: Source, lead: PartnerLead) -> NewLead:
    """A person, normalised; `suspicions` say when nobody could reach them.

    What the source's `forms.fields` names goes before what the partner's adapter found.
    """
    lead = _as_named(source, lead)
    country = known_country(lead.country or "")
    dialled_in = country or source.default_country
    email, fields = _first_usable(lead.email, lead.fields, "email", EMAIL, _email)
    phone, fields = _first_usable(lead.phone, fields, "phone", PHONE, lambda value: _phone(value, dialled_in))
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
        fields=_fields(fields),
        idempotency_key=_key(lead.key),
        suspicions=() if email or phone else (Suspicion.UNREACHABLE,),
        revisable=lead.revisable,
    )


def _as_named(source: Source, lead: PartnerLead) -> PartnerLead:
    """With what `forms` of the source says of its fields; what that displaces stays as a field."""
    ignored = {name.casefold() for name in source.forms.ignore}
    fields = {name: value for name, value in lead.fields.items() if name.strip().casefold() not in ignored}
    named: dict[str, Any] = {}
    displaced: dict[str, str] = {}
    for target, names in source.forms.fields.items():
        taken = chosen(fields, target, found({name: value for name, value in fields.items() if value.strip()}, names))
        if not taken:
            continue
        named[target] = " ".join(fields.pop(name).strip() for name in taken)
        if before := getattr(lead, target):
            displaced[f"other_{target}"] = before
    return replace(lead, **named, fields=displaced | fields)


def new_call(source: Source, call: PartnerCall) -> NewLead:
    """A call, normalised; a caller who withheld their number cannot be called back, which `suspicions` say."""
    phone, called = (
        number_and_extension(normal)[0] if (normal := _phone(number, source.default_country)) else None
        for number in (call.caller, call.called_number)
    )
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


def _first_usable(
    given: str | None,
    fields: Mapping[str, str],
    what: str,
    others: Collection[str],
    usable: Callable[[str], str | None],
) -> tuple[str | None, dict[str, str]]:
    """What was given, or else the first of the fields so called that is of use; and the fields without it."""
    if not given:
        return None, dict(fields)
    first = f"{what}_as_given"
    everything = {first: given, **fields}  # first, for there may be too many
    for name in (first, *(name for name in fields if plain(name) in others)):
        if found_usable := usable(everything[name]):
            del everything[name]
            return found_usable, everything
    return None, everything


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
    room = _MOST_FIELDS if len(given) <= _MOST_FIELDS else _MOST_FIELDS - 1
    fields = {_LEFT_OUT: str(len(given) - room)} if room < len(given) else {}
    for name, value in itertools.islice(given.items(), room):
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
