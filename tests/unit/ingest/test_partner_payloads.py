"""Promises of what partners' payloads become."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.partner_requests import PARTNERS as SAMPLES
from tests.partner_requests import SAMPLES as FOLDER

from relance_ingest.acceptance import NewLead
from relance_ingest.partners import PARTNERS, meta
from relance_ingest.partners.documents import person
from relance_ingest.partners.new_leads import new_call, new_lead
from relance_ingest.partners.partner import (
    Ignored,
    LeadReference,
    PartnerCall,
    PartnerLead,
    ReceivedRequest,
    Told,
    Unreadable,
)
from relance_ingest.sources import Source
from relance_ingest.sources.forms import Forms
from relance_ingest.sources.partners import SignedPartner

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
SOURCE = Source(
    id="it",
    default_country="DE",
    campaign="the source's",
    partner=SignedPartner(kind="typeform", secret_from=("RELANCE_IT",)),
)
RECORDING = "https://api.twilio.com/recording"
UNREACHABLE = ("unreachable",)
MARIA = {
    "name": "Maria Huber",
    "email": "maria@example.org",
    "phone": "+491711234567",
    "company": "Huber GmbH",
    "country": "DE",
}
"""Who stands in the samples."""


def read(kind: str, body: bytes) -> Sequence[Told]:
    headers = {"webhook-id": "msg_1"}
    return PARTNERS[kind].read(ReceivedRequest("POST", "https://leads.example.com/", headers, body, NOW))


def accepted(told: Told) -> NewLead:
    return new_call(SOURCE, told) if isinstance(told, PartnerCall) else new_lead(SOURCE, lead_of(told))


def lead_of(told: Told) -> PartnerLead:
    assert isinstance(told, PartnerLead), told
    return told


def sample_lead(kind: str, **changes: Any) -> NewLead:
    (told,) = read(kind, SAMPLES[kind].changed(**changes))
    return accepted(told)


def meta_with_fields() -> dict[str, Any]:
    """A webhook of Meta's that tells the whole lead."""
    document: dict[str, Any] = SAMPLES["meta"].document()
    told = document["entry"][0]["changes"][0]["value"]
    told["field_data"] = json.loads((FOLDER / "meta_lead.json").read_text())["field_data"]
    return document


def ignored(kind: str, body: bytes) -> str:
    (told,) = read(kind, body)
    assert isinstance(told, Ignored), told
    return told.reason


def test_calendly() -> None:
    """Name, both addresses, answers by question, and where the visitor came from."""
    lead = sample_lead("calendly")
    assert lead.contact.model_dump() == MARIA
    assert (lead.campaign, lead.channel) == ("spring", "partner")
    assert lead.fields == {
        "What_is_it_about?": "New windows",
        "utm_campaign": "spring",
        "utm_source": "google",
        "meeting": "Intro call",
        "meeting_at": "2026-11-26T09:00:00.000000Z",
        "timezone": "Europe/Berlin",
    }


def test_callrail() -> None:
    """A voicemail, with what CallRail knows of the visit before it."""
    lead = sample_lead("callrail")
    assert lead.call is not None
    assert (lead.channel, lead.campaign, lead.idempotency_key) == (
        "call",
        "spring",
        "call:CAL8154748ae6bd4e278a7cddd38a662f4f",
    )
    assert (lead.contact.name, lead.contact.phone, lead.contact.country) == ("Maria Huber", "+491711234567", "DE")
    assert (lead.call.status, lead.call.called_number) == ("voicemail", "+493012345678")
    assert (lead.call.started_at.isoformat(), lead.call.duration) == (
        "2026-11-24T10:27:48.119000+00:00",
        timedelta(seconds=27),
    )
    assert lead.call.recording_url == SAMPLES["callrail"].document()["recording_player"]
    assert (lead.fields["gclid"], lead.fields["utm_source"], lead.fields["first_call"]) == (
        "EAIaIQobChMI",
        "google",
        "true",
    )


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"voicemail": False, "answered": True, "duration": None}, "answered"),
        ({"voicemail": False, "answered": False, "call_type": "abandoned"}, "missed"),
    ],
)
def test_callrail_says_how_a_call_ended(changes: Mapping[str, Any], status: str) -> None:
    """Also when there is no duration."""
    call = sample_lead("callrail", **changes).call
    assert call
    assert call.status == status


def test_google_ads() -> None:
    """Columns by their ids; the click and the campaign by theirs."""
    lead = sample_lead("google_ads")
    assert lead.contact.model_dump() == MARIA
    assert lead.campaign == "123456789"
    assert lead.fields == {
        "postal_code": "80331",
        "how_many_employees?": "50",
        "gclid": "EAIaIQobChMI",
        "form_id": "40000000000",
        "campaign_id": "123456789",
        "adgroup_id": "20000000000",
        "creative_id": "30000000000",
    }
    columns = [
        {"column_name": "First Name", "column_id": "FIRST_NAME", "string_value": "Maria"},
        {"column_name": "Last Name", "column_id": "LAST_NAME", "string_value": "Huber"},
        {"column_name": "Work Email", "column_id": "WORK_EMAIL", "string_value": "maria@example.net"},
    ]
    lead = sample_lead("google_ads", user_column_data=columns)
    assert (lead.contact.name, lead.contact.email) == ("Maria Huber", "maria@example.net")


def test_hubspot() -> None:
    """A contact with the history of its properties, or bare, or a customised body."""
    lead = sample_lead("hubspot")
    assert lead.contact.model_dump() == MARIA
    assert (lead.campaign, lead.revisable) == ("spring", True)
    assert lead.idempotency_key == "hubspot:3234574:c7f0b2e0-0000-4000-8000-000000000001"
    assert lead.fields == {"country": "DE", "utm_campaign": "spring", "hs_google_click_id": "EAIaIQobChMI"}
    flat = {"hs_object_id": 3234574, "email": "maria@example.org", "budget": "20k"}
    bare = {"id": "3234574", "properties": {"email": "maria@example.org", "budget": "20k"}}
    for body in (flat, bare):
        (told,) = read("hubspot", json.dumps(body).encode())
        lead = accepted(told)
        assert (lead.contact.email, lead.fields["budget"], lead.idempotency_key) == (
            "maria@example.org",
            "20k",
            "hubspot:3234574:",
        )


def test_a_contact_of_hubspot_with_an_odd_phone_is_reached_on_the_mobile_phone() -> None:
    """Of several numbers the first that can be dialled counts, and the others stay; so do addresses."""
    properties = {"phone": "ask at reception", "mobilephone": "+49 171 1234567", "work_phone": "+49 30 901820"}
    (told,) = read("hubspot", json.dumps({"vid": 7, "properties": properties}).encode())
    lead = accepted(told)
    assert (lead.contact.phone, lead.suspicions) == ("+491711234567", ())
    assert lead.fields == {"phone_as_given": "ask at reception", "work_phone": "+49 30 901820"}
    (told,) = read(
        "hubspot", b'{"vid": 7, "properties": {"email": "at work", "phone": "?", "work_email": "maria@example.org"}}'
    )
    lead = accepted(told)
    assert (lead.contact.email, lead.fields) == (
        "maria@example.org",
        {"email_as_given": "at work", "phone_as_given": "?"},
    )


def test_no_property_of_a_contact_is_dropped_in_silence() -> None:
    """A row holds 200: the customer's own go before HubSpot's, and a field says how many had no room."""
    own = {"region": "south", "email": "maria@example.org", "phone": "none"}
    properties = {f"hs_{n}": "v" for n in range(250)} | own
    (told,) = read("hubspot", json.dumps({"vid": 51, "properties": properties}).encode())
    lead = accepted(told)
    assert (lead.contact.email, lead.fields["region"], lead.fields["fields_left_out"]) == (
        "maria@example.org",
        "south",
        "53",
    )
    assert lead.fields["phone_as_given"] == "none"
    assert len(lead.fields) == 200


def test_meta() -> None:
    """The webhook tells an id; the Graph API, or a webhook with the fields in it, the lead."""
    document = json.loads((FOLDER / "meta_lead.json").read_text())
    assert list(read("meta", SAMPLES["meta"].body)) == [LeadReference("123123123123")]
    lead = accepted(meta.lead(document))
    assert lead.contact.model_dump() == MARIA
    assert (lead.campaign, lead.idempotency_key) == ("spring", "meta:123123123123")
    assert (lead.fields["how_many_employees?"], lead.fields["platform"]) == ("10-50, more soon", "ig")
    (told,) = read("meta", json.dumps(meta_with_fields()).encode())
    assert (accepted(told).contact, accepted(told).idempotency_key) == (lead.contact, lead.idempotency_key)


def meta_answers(answers: Mapping[str, str]) -> PartnerLead:
    return lead_of(
        meta.lead({"id": "1", "field_data": [{"name": name, "values": [value]} for name, value in answers.items()]})
    )


@pytest.mark.parametrize(
    "names",
    [
        ("vollständiger_name", "e-mail-adresse", "telefonnummer", "name_des_unternehmens"),
        ("nome_e_cognome", "e-mail", "numero_di_telefono", "nome_dell\u2019azienda"),
        ("prénom_et_nom", "e-mail", "numéro_de_téléphone", "nom_de_l'entreprise"),
        ("nombre_completo", "correo_electrónico", "número_de_teléfono", "nombre_de_la_empresa"),
        ("volledige_naam", "e-mailadres", "telefoonnummer", "bedrijfsnaam"),
        ("nome_completo", "email", "número_de_telefone", "nome_da_empresa"),
    ],
    ids=["German", "Italian", "French", "Spanish", "Dutch", "Portuguese"],
)
def test_a_lead_form_of_meta_in_another_language_is_a_lead_whom_somebody_can_reach(names: Sequence[str]) -> None:
    """Meta names the standard questions of a form in the form's language."""
    values = ("Maria Huber", "maria@example.org", "030 901820", "Huber GmbH")
    lead = accepted(meta_answers(dict(zip(names, values, strict=True))))
    assert (lead.contact.name, lead.contact.email, lead.contact.phone, lead.contact.company) == (
        "Maria Huber",
        "maria@example.org",
        "+4930901820",
        "Huber GmbH",
    )
    assert (lead.suspicions, lead.fields) == ((), {})


def test_sources_yaml_says_what_a_partners_form_calls_a_field() -> None:
    """It goes before what the adapter knows, and what it displaces stays; a blank answer and a word that is no
    country displace nothing.
    """
    forms = Forms(
        fields={
            "name": ("Imię", "Nazwisko"),
            "email": ("adres_email",),
            "phone": ("adres",),
            "country": ("kraj",),
        },
        ignore=frozenset({"Zgoda"}),
    )
    answers = {"imię": "Maria", "nazwisko": "Nowak", "adres_email": "maria@example.org", "adres": " "}
    told = meta_answers({**answers, "kraj": "Polska", "country": "PL", "zgoda": "tak"})
    told = replace(told, email="office@example.org", fields={**told.fields, "adres": " "})
    lead = new_lead(SOURCE.model_copy(update={"forms": forms}), told)
    assert (lead.contact.name, lead.contact.email, lead.contact.country) == ("Maria Nowak", "maria@example.org", "PL")
    assert lead.fields == {"adres": " ", "kraj": "Polska", "country": "PL", "other_email": "office@example.org"}


@pytest.mark.parametrize(("values", "field"), [(5, "5"), ("10-50", "10-50"), (None, None), ({}, None)])
def test_an_answer_of_metas_that_is_no_list_is_read_as_one(values: object, field: str | None) -> None:
    """As documented it is a list, and what is not must not stop the rest."""
    lead = accepted(meta.lead({"id": "1", "field_data": [{"name": "size", "values": values}]}))
    assert lead.fields.get("size") == field


def test_meta_tells_of_several_leads_at_once() -> None:
    """Each change is a lead of its own; what is no leadgen, or no id, is none."""
    changes: list[dict[str, Any]] = [
        {"field": "leadgen", "value": {"leadgen_id": "1"}},
        {"field": "feed", "value": {"leadgen_id": "2"}},
        {"field": "leadgen", "value": {"leadgen_id": "../me"}},
        {"field": "leadgen", "value": {"leadgen_id": "3" * 3000}},
        {"field": "leadgen", "value": {"leadgen_id": 3}},
    ]
    told = read("meta", json.dumps({"entry": [{"changes": changes[:2]}, {"changes": changes[2:]}]}).encode())
    assert list(told) == [LeadReference("1"), *[Ignored("other_event")] * 3, LeadReference("3")]


def test_standard_webhooks() -> None:
    """The lead as `POST /v1/leads` takes it; what is wrong with it is told by field."""
    lead = sample_lead("standard_webhooks")
    assert (lead.contact.name, lead.contact.email, lead.campaign) == ("Maria Huber", "maria@example.org", "spring")
    assert (lead.idempotency_key, lead.fields) == ("msg_1", {"budget": "20k", "gclid": "EAIaIQobChMI"})
    with pytest.raises(Unreadable, match="/emial"):
        read("standard_webhooks", b'{"email": "maria@example.org", "emial": "x"}')


def test_twilio() -> None:
    """A call that nobody took."""
    lead = sample_lead("twilio")
    assert lead.call is not None
    assert (lead.channel, lead.idempotency_key) == ("call", "call:CA00000000000000000000000000000001")
    assert (lead.contact.name, lead.contact.phone, lead.campaign) == ("MARIA HUBER", "+491711234567", "the source's")
    assert (lead.call.status, lead.call.called_number) == ("missed", "+493012345678")
    assert lead.call.started_at == datetime(2026, 11, 24, 10, 0, 20, tzinfo=UTC)
    assert lead.fields == {"from_country": "DE"}


@pytest.mark.parametrize(
    ("changes", "status", "corrects"),
    [
        ({"CallStatus": "completed", "CallDuration": "20"}, "answered", False),
        ({"CallStatus": "busy"}, "missed", True),
        ({"CallStatus": "failed"}, "missed", True),
        ({"CallStatus": "canceled"}, "missed", True),
        ({"CallStatus": "in-progress", "DialCallStatus": "completed", "DialCallDuration": "9"}, "answered", True),
        ({"CallStatus": "in-progress", "DialCallStatus": "completed", "DialBridged": "true"}, "answered", True),
        ({"CallStatus": "in-progress", "DialCallStatus": "completed", "DialBridged": "false"}, "missed", True),
        ({"CallStatus": "in-progress", "DialCallStatus": "no-answer"}, "missed", True),
        ({"CallStatus": "completed", "RecordingUrl": RECORDING, "RecordingDuration": "9"}, "voicemail", True),
        ({"CallStatus": "completed", "DialCallStatus": "answered", "RecordingUrl": RECORDING}, "answered", True),
        ({"CallStatus": "completed", "AnsweredBy": "machine_end_beep"}, "voicemail", True),
        ({"CallStatus": "completed", "AnsweredBy": "human"}, "answered", False),
    ],
)  # fmt: skip
def test_twilio_says_how_a_call_ended(changes: Mapping[str, str], status: str, corrects: bool) -> None:
    """That it was `completed` says only that Twilio took it: it corrects nothing that is known better."""
    lead = sample_lead("twilio", **changes)
    assert lead.call
    assert (lead.call.status, lead.revisable) == (status, corrects)
    seconds = int(changes.get("DialCallDuration") or changes.get("CallDuration") or 0)
    assert lead.call.started_at == datetime(2026, 11, 24, 10, 0, 20, tzinfo=UTC) - timedelta(seconds=seconds)


def test_typeform() -> None:
    """Contact by the type of the question, the rest by reference, hidden fields by name."""
    lead = sample_lead("typeform")
    assert (lead.contact.name, lead.contact.email, lead.contact.phone) == (
        "Maria Huber",
        "maria@example.org",
        "+491711234567",
    )
    assert (lead.campaign, lead.idempotency_key) == ("spring", "typeform:a3a12ec67a1365927098a606107fac15")
    assert lead.fields == {
        "utm_campaign": "spring",
        "utm_source": "google",
        "gclid": "EAIaIQobChMI",
        "budget": "20k",
        "products": "doors, windows, gates",
        "employees": "50",
        "newsletter": "false",
        "form_id": "lT4Z3j",
        "form_title": "Ask for an offer",
    }


def typeform(questions: Sequence[Mapping[str, Any]], hidden: Mapping[str, str] | None = None) -> NewLead:
    """A response; each question has its answer's type and value in it."""
    answers = [
        {"type": each["answer"], each["answer"]: each["value"], "field": {"id": each["id"], "ref": each.get("ref", "")}}
        for each in questions
    ]
    response = {"token": "t", "hidden": hidden or {}, "answers": answers, "definition": {"fields": questions}}
    (told,) = read("typeform", json.dumps({"event_type": "form_response", "form_response": response}).encode())
    return accepted(told)


@pytest.mark.parametrize("made_up", ["01b7d6a5-3c5e-4ef4-9d0a-8f6c5d3b2a10", "01JDCXJ8Q6W0T2V5N7ZBMK3RHE"])
def test_an_answer_of_typeform_says_what_was_asked(made_up: str) -> None:
    """Typeform makes references up unless the form's maker chooses one: a rep reads the question's title."""
    lead = typeform(
        [
            {"id": "n", "ref": made_up, "title": "What's your name?", "answer": "text", "value": "Maria Huber"},
            {"id": "p", "ref": made_up, "title": "Which product?", "answer": "text", "value": "doors"},
            {"id": "b", "ref": "budget", "title": "Your budget?", "answer": "text", "value": "20k"},
            {"id": "u", "ref": made_up, "title": " ", "answer": "text", "value": "untitled"},
        ]
    )
    assert (lead.contact.name, lead.fields) == (
        "Maria Huber",
        {"Which_product?": "doors", "budget": "20k", made_up: "untitled"},
    )


def test_nothing_that_typeform_sends_takes_anothers_place() -> None:
    """A hidden address beside another that was typed, a hidden field and an answer of one name, and two questions of
    one title: each stays in the fields.
    """
    lead = typeform(
        [
            {"id": "m", "title": "E-mail", "answer": "email", "value": "typed@example.org"},
            {"id": "a", "title": "Size", "answer": "number", "value": "5"},
            {"id": "b", "title": "Size", "answer": "number", "value": "7"},
        ],
        hidden={"email": "known@example.org", "Size": "large"},
    )
    assert lead.contact.email == "typed@example.org"
    assert lead.fields == {"email": "known@example.org", "Size": "5, 7", "hidden_Size": "large"}


def test_a_payment_of_typeform_is_kept() -> None:
    """Its answer is an object of amount, last4, name and success."""
    payment = {"amount": "49.00", "last4": "1234", "name": "Maria Huber", "success": True}
    lead = typeform([{"id": "p", "title": "Deposit", "answer": "payment", "value": payment}])
    assert lead.fields == {"Deposit": "amount: 49.00, last4: 1234, name: Maria Huber, success: true"}


NO_LEAD: list[tuple[str, str, bytes]] = [
    ("calendly", "other_event", SAMPLES["calendly"].changed(event="invitee.canceled")),
    (
        "calendly",
        "rescheduled",
        SAMPLES["calendly"].changed(payload={"uri": "u", "email": "a@b.de", "old_invitee": "https://api.calendly.com/x"}),
    ),
    ("callrail", "outbound", SAMPLES["callrail"].changed(direction="outbound")),
    ("callrail", "not_a_call", b'{"resource_id": "MSG1", "content": "a text message"}'),
    ("google_ads", "test", SAMPLES["google_ads"].changed(is_test=True)),
    ("hubspot", "without_properties", b'[{"subscriptionType": "contact.creation", "objectId": 1, "eventId": 2}]'),
    ("hubspot", "empty", b"[]"),
    ("meta", "other_event", b'{"object": "page", "entry": []}'),
    ("meta", "test", SAMPLES["meta"].body.replace(b"123123123123", b"444444444444")),
    (
        "typeform",
        "test",
        SAMPLES["typeform"].body.replace(b"maria@example.org", b"an_account@example.com"),
    ),
    ("typeform", "other_event", SAMPLES["typeform"].changed(event_type="form_response_partial")),
    ("twilio", "outbound", SAMPLES["twilio"].changed(Direction="outbound-dial")),
    ("twilio", "not_ended", SAMPLES["twilio"].changed(CallStatus="ringing")),
    ("twilio", "not_ended", SAMPLES["twilio"].changed(CallStatus="in-progress")),
    ("twilio", "without_numbers", SAMPLES["twilio"].changed(From=None, To=None, RecordingUrl=RECORDING)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "reason", "body"), NO_LEAD, ids=[f"{kind} {why}" for kind, why, _ in NO_LEAD])
def test_what_is_no_lead_is_ignored_with_a_reason(kind: str, reason: str, body: bytes) -> None:
    """Tests of the partner's, and calls that are ours or may still be answered."""
    assert ignored(kind, body) == reason


def test_only_an_email_question_answered_with_the_sample_is_a_test_of_typeform() -> None:
    """Whoever writes that address elsewhere, as an example, say, is a lead."""
    document = SAMPLES["typeform"].document()
    for answer in document["form_response"]["answers"]:
        if answer["type"] == "text":
            answer["text"] = "an_account@example.com"
    assert isinstance(read("typeform", json.dumps(document).encode())[0], PartnerLead)


def test_names_that_did_not_become_the_contact_stay() -> None:
    """A whole name makes its parts answers like any other."""
    found = person({"name": "Mimi", "first_name": "Maria", "last_name": "Huber"})
    assert (found["name"], found["fields"]) == ("Mimi", {"first_name": "Maria", "last_name": "Huber"})


def test_a_contact_without_an_id_takes_no_other_of_hubspots_with_it() -> None:
    """HubSpot gives up after a refusal."""
    nobody = {"properties": {"firstname": "M"}}
    told = read("hubspot", json.dumps([SAMPLES["hubspot"].document(), nobody]).encode())
    assert isinstance(told[0], PartnerLead)
    assert told[1] == Ignored("without_id")
    with pytest.raises(Unreadable, match="no id"):
        read("hubspot", json.dumps([nobody, nobody]).encode())


def test_a_time_that_no_calendar_has_is_no_failure_of_ours() -> None:
    """Callrail must say when a call began; of Twilio's it is otherwise known."""
    with pytest.raises(Unreadable):
        read("callrail", SAMPLES["callrail"].changed(start_time="0001-01-01T00:00:00+14:00"))
    call = sample_lead("twilio", Timestamp="Fri, 31 Dec 9999 23:59:59 -1200", CallDuration="60").call
    assert call
    assert call.started_at == NOW - timedelta(seconds=60)


def test_metas_testing_tool_makes_no_lead() -> None:
    """It fills in what it has nothing better for."""
    document = json.loads((FOLDER / "meta_lead.json").read_text())
    document["field_data"][0]["values"] = ["<test lead: dummy data for full_name>"]
    assert meta.lead(document) == Ignored("test")


@pytest.mark.parametrize("kind", sorted(set(PARTNERS) - {"twilio"}))
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"text"', b"[" * 100_000], ids=["empty", "{", "ff", "text", "["])
def test_what_nobody_can_read_is_told_so(kind: str, body: bytes) -> None:
    """As their fault, whatever was sent."""
    with pytest.raises(Unreadable, match=r"\w"):
        read(kind, body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(set(PARTNERS) - {"twilio", "standard_webhooks"})), st.data())
def test_any_value_anywhere_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    """What partners document is not what they always send: nothing of it may be our failure."""
    document = meta_with_fields() if kind == "meta" else SAMPLES[kind].document()
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place)) if isinstance(place, dict) else st.integers(0, len(place) - 1))
        if not (isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = data.draw(json_values)
    try:
        told = read(kind, json.dumps(document).encode())
    except Unreadable:
        return
    for each in told:
        if not isinstance(each, Ignored | LeadReference):
            accepted(each)


@given(
    st.dictionaries(st.sampled_from(["CallDuration", "Timestamp", "From", "To", "CallStatus", "CallerName"]), st.text())
)
def test_any_parameter_of_twilios_is_read_or_refused(changes: dict[str, str]) -> None:
    """The same of forms."""
    for told in read("twilio", SAMPLES["twilio"].changed(**changes)):
        if not isinstance(told, Ignored):
            accepted(told)


def test_a_number_that_cannot_be_dialled_is_kept_as_a_field() -> None:
    """The address may do: nobody mends what a partner sent."""
    lead = new_lead(
        SOURCE, PartnerLead("k", email="maria@example.org", phone="call me", fields={"a b": "1", "a_b": "2"})
    )
    assert (lead.contact.email, lead.contact.phone, lead.suspicions) == ("maria@example.org", None, ())
    assert lead.fields == {"a_b": "1, 2", "phone_as_given": "call me"}


def test_a_lead_whom_nobody_can_reach_is_kept_for_somebody_to_look_at() -> None:
    """In quarantine: told to nobody until it is released, and not lost."""
    lead = new_lead(SOURCE, PartnerLead("k", name="Maria", email="maria@", phone="12"))
    assert (lead.contact.email, lead.contact.phone, lead.suspicions) == (None, None, UNREACHABLE)
    assert lead.fields == {"email_as_given": "maria@", "phone_as_given": "12"}
    call = sample_lead("twilio", From="anonymous")
    assert (call.contact.phone, call.suspicions, call.fields["phone_as_given"]) == (None, UNREACHABLE, "anonymous")


@pytest.mark.parametrize("other", ["x" * 255, "x" * 300 + "1", "x" * 10_000, "\x00" + "x" * 254])
def test_different_ids_are_different_leads(other: str) -> None:
    """However long they are, wherever they differ, and whatever of them cannot be stored."""
    one, another = (new_lead(SOURCE, PartnerLead(key)).idempotency_key for key in ("x" * 300 + "2", other))
    assert one != another
    assert one == new_lead(SOURCE, PartnerLead("x" * 300 + "2")).idempotency_key
    assert all(key and len(key) <= 255 for key in (one, another))


def test_what_cannot_be_stored_is_left_out() -> None:
    """PostgreSQL keeps no NUL, and no text is endless."""
    odd = "a\x00b\ud800" + "c" * 10_000
    lead = new_lead(
        SOURCE, PartnerLead("k", name=odd, email="a@b.de", fields={odd: odd} | dict.fromkeys(map(str, range(300)), ""))
    )
    assert lead.contact.name
    assert lead.contact.name.startswith("ab?cc")
    assert len(lead.contact.name) == 200
    assert len(lead.fields) == 200
    assert max(map(len, lead.fields.values())) == 5_000
