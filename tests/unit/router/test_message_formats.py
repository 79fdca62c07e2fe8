"""Promises of what tools and mailboxes get to read."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from relance.clock import utc_now
from relance.events import Contact, LeadReceived
from relance.ids import AssignmentId, LeadId, NotificationId, new_id
from relance_router.answers.links import AnswerLinks
from relance_router.deliveries.delivery_log import LONGEST, loggable
from relance_router.deliveries.endpoints import signing_secret
from relance_router.deliveries.formats import Slack, StandardWebhook, Teams
from relance_router.deliveries.formats.mail import mail
from relance_router.deliveries.formats.slack import escaped
from relance_router.deliveries.notifications import Claimed

NOW = datetime.now(UTC)
LINKS = AnswerLinks(public_url="https://leads.example", secret="s" * 32, lifetime=timedelta(days=1))
PERSON = Contact(name="Zebulon Quux", email="zebulon@quux.example", phone="+493087654321", company="Quuxwerke")
DETAILS: dict[str, dict[str, Any]] = {
    "lead.assigned": {"rep": "anna", "team": "sales", "why": "rule 'x'", "ordinal": 1, "respond_by": NOW.isoformat()},
    "lead.reminder": {"rep": "anna", "team": "sales", "step": "remind", "respond_by": NOW.isoformat()},
    "lead.escalated": {"rep": "anna", "team": "sales", "step": "manager", "respond_by": NOW.isoformat()},
    "lead.offered": {"rep": "anna", "team": "sales", "why": "broadcast", "claim_by": NOW.isoformat()},
    "lead.taken_away": {"rep": "anna", "by": "maria", "why": "knows the customer"},
    "lead.updated": {"rep": "anna"},
    "lead.touched": {"rep": "anna", "touch": "unknown"},
    "lead.taken": {"rep": "anna", "team": "sales"},
    "lead.changed": {"rep": "anna", "change": "extended", "more": "30 min", "by": "M", "reason": "a fair week"},
    "rep.paused": {"rep": "anna", "team": "sales", "why": "ignored 3 leads in a row"},
    "rep.resumed": {"rep": "anna", "team": "sales"},
    "lead.joined": {"rep": "anna", "joined_by": "somebody"},
}
ANSWERS = {
    "lead.assigned": ["acknowledge", "contacted", "decline"],
    "lead.reminder": ["acknowledge", "contacted", "decline"],
    "lead.updated": ["acknowledge", "contacted", "decline"],
    "lead.touched": ["acknowledge", "contacted", "decline"],
    "lead.changed": ["acknowledge", "contacted", "decline"],
    "lead.offered": ["acknowledge"],
}
anything = st.text(max_size=4000)
hostile = st.sampled_from(
    ["<!channel>", "<@U1> & co", "*b* _i_ ~s~", "[x](http://evil)", "{{DATE(x)}}", "</td><script>"]
)


TO_THE_OWNER = ("lead.assigned", "lead.updated", "lead.touched")


def lead(fields: dict[str, str] | None = None, **contact: str) -> LeadReceived:
    """A lead of one person."""
    return LeadReceived(
        lead_id=LeadId(new_id()),
        source="website",
        channel="form",
        received_at=NOW,
        identity_key="k",
        contact=PERSON.model_copy(update=contact),
        fields=fields or {},
    )


def notification(type_: str, fields: dict[str, str] | None = None, **contact: str) -> Claimed:
    """One of this type, of a lead or of a rep."""
    about_lead = type_.startswith("lead.")
    return Claimed(
        id=NotificationId(new_id()),
        type=type_,
        endpoint="rep:anna",
        details={"at": NOW.isoformat(), **DETAILS[type_]},
        assignment_id=AssignmentId(new_id()) if about_lead else None,
        lead=lead(fields, **contact) if about_lead else None,
        touches=(),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        by_email=False,
        attempts=1,
        replays=0,
        age=timedelta(),
        claimed_at=NOW,
    )


def blocks(told: Claimed) -> list[dict[str, Any]]:
    """What Slack gets."""
    found: list[dict[str, Any]] = json.loads(Slack(LINKS).request(told).body)["blocks"]
    return found


def card(told: Claimed) -> dict[str, Any]:
    """What Teams gets, out of its envelope."""
    message = json.loads(Teams(LINKS).request(told).body)
    (attachment,) = message["attachments"]
    assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    found: dict[str, Any] = attachment["content"]
    return found


def everything_said(told: Claimed) -> list[str]:
    """The notification in each format."""
    webhook = StandardWebhook(LINKS, ["m" * 32], lambda: NOW)
    requests = [form.request(told).body.decode() for form in (webhook, Slack(LINKS), Teams(LINKS))]
    parsed = message_from_bytes(
        mail(told, LINKS, sender="a@b.example", recipient="c@d.example").as_bytes(), policy=default
    )
    return [*requests, *(part.get_content() for part in parsed.iter_parts())]


@pytest.mark.parametrize("type_", DETAILS)
def test_every_type_is_worded_with_its_answers_as_links_to_the_page(type_: str) -> None:
    """Also one that is not known here; opening a link answers nothing."""
    told = notification(type_)
    answers = ANSWERS.get(type_, [])
    elements = [element for block in blocks(told) if block["type"] == "actions" for element in block["elements"]]
    urls = [element["url"] for element in elements]
    assert [url.partition("?answer=")[2] for url in urls] == answers
    assert all(url.startswith("https://leads.example/a/") for url in urls)
    assert [action["url"] for action in card(told)["actions"]] == urls
    *_, text, html = everything_said(told)
    for url in urls:
        assert url in text
        assert url in html
    assert blocks(told)[0]["text"]["text"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("extended", ("More time for a lead of anna", "There are 30 min more.", "Answer by")),
        ("held", ("A lead of anna is on hold", "nothing to hurry for", "On hold until")),
        ("released", ("A lead of anna is on hold no longer", "run again", "Answer by")),
    ],
)
def test_whoever_has_more_time_hears_how_much_from_whom_and_why(change: str, words: tuple[str, ...]) -> None:
    """And when to answer, or until when nobody waits, in the reader's time where the tool can."""
    details = {
        **DETAILS["lead.changed"],
        "change": change,
        "hold_until" if change == "held" else "respond_by": NOW.isoformat(),
    }
    told = replace(notification("lead.changed"), details=details)
    for said in everything_said(told)[1:]:
        for word in (*words, "a fair week"):
            assert word in said


def test_whoever_hears_of_a_lead_that_was_passed_on_is_not_told_that_its_new_rep_is_late() -> None:
    """They may have time left; the team was late before."""
    details = {**DETAILS["lead.escalated"], "change": "passed_on", "occurrence": 2}
    for said in everything_said(replace(notification("lead.escalated"), details=details))[1:]:
        assert "Second notice: A lead was passed on: anna has it now" in said
        assert "has not answered" not in said


@pytest.mark.parametrize("type_", [type_ for type_ in DETAILS if type_ not in TO_THE_OWNER])
def test_only_who_gets_the_lead_hears_who_it_is(type_: str) -> None:
    """Managers, and reps who are asked to claim, hear what names the lead."""
    told = replace(notification(type_, fields={"note": "plumbus"}), touches=(lead({"note": "plumbus"}),))
    for said in everything_said(told):
        assert not any(word in said.lower() for word in ("zebulon", "quux", "87654321", "plumbus"))


@pytest.mark.parametrize("type_", TO_THE_OWNER)
def test_who_gets_the_lead_hears_who_it_is_in_every_format(type_: str) -> None:
    """Name, phone, and whatever else was submitted."""
    for said in everything_said(notification(type_, fields={"note": "plumbus"})):
        assert "Zebulon Quux" in said
        assert "87654321" in said
        assert "plumbus" in said


def test_who_gets_a_lead_hears_how_the_person_has_come_again_in_every_format() -> None:
    """Whoever gets it from somebody else has not heard of it before."""
    again = lead({"message": "call me, plumbus"})
    for said in everything_said(replace(notification("lead.assigned"), touches=(again,))):
        assert "call me, plumbus" in said


def test_the_owner_hears_what_the_touch_says_and_which_lead_it_has_joined() -> None:
    """Of several touches the one that has just come; a program gets both leads whole."""
    again = lead({"note": "plumbus"}, name="Zeb Q.")
    told = notification("lead.touched", name="Zebulon Quux")
    told = replace(told, details={"rep": "anna", "touch": str(again.lead_id)}, touches=(lead({"note": "old"}), again))
    webhook, *others = everything_said(told)
    assert told.lead
    data = json.loads(webhook)["data"]
    assert (data["touch"]["lead_id"], data["lead"]["lead_id"]) == (str(again.lead_id), str(told.lead.lead_id))
    for said in others:
        assert all(word in said for word in ("Zeb Q.", "plumbus", "come again", str(told.lead.lead_id)))
        assert "old" not in said.replace("Bolder", "").replace("bold", "")


@given(st.dictionaries(anything, anything | hostile, max_size=40), anything | hostile)
def test_slack_gets_what_it_takes_whatever_was_submitted(fields: dict[str, str], name: str) -> None:
    """Within its limits, and nothing that mentions, links or commands."""
    found = blocks(notification("lead.assigned", fields, name=name))
    assert len(found) <= 50
    for block in found:
        texts = block.get("fields", []) + ([block["text"]] if "text" in block else [])
        assert len(block.get("fields", [])) <= 10
        for text in texts:
            assert 1 <= len(text["text"]) <= {"header": 150}.get(block["type"], 2000 if "fields" in block else 3000)
            ours = text["text"].count("<!date^")
            if text["type"] == "mrkdwn":
                assert text["verbatim"]
                assert text["text"].count("<") == text["text"].count(">") == ours
        for button in block.get("elements", []):
            assert len(button["text"]["text"]) <= 75
            assert len(button["url"]) <= 3000


@given(anything, st.integers(10, 200))
def test_escaping_for_slack_loses_nothing_but_what_is_too_long(text: str, limit: int) -> None:
    """And never cuts inside an entity."""
    said = escaped(text, limit)
    assert len(said) <= limit
    back = said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert back == text or (back.endswith("…") and text.startswith(back[:-1]))


@given(st.dictionaries(anything, anything | hostile, max_size=40), anything | hostile)
def test_teams_gets_a_card_in_which_submitted_text_is_only_text(fields: dict[str, str], name: str) -> None:
    """In text runs, where no Markdown is read; within 28 kB."""
    told = notification("lead.assigned", fields, name=name)
    assert len(Teams(LINKS).request(told).body) <= 28_000
    found = card(told)
    assert (found["type"], found["version"]) == ("AdaptiveCard", "1.4")
    assert {element["type"] for element in found["body"]} <= {"RichTextBlock", "FactSet"}
    facts = [fact for element in found["body"] if element["type"] == "FactSet" for fact in element["facts"]]
    assert [fact["title"] for fact in facts] == ["Answer by"], "ours only"
    assert all(action["type"] == "Action.OpenUrl" for action in found["actions"])


@given(st.dictionaries(anything, anything | hostile, max_size=10), anything | hostile)
def test_a_mail_is_a_mail_whatever_was_submitted(fields: dict[str, str], name: str) -> None:
    """No header is injected, no markup gets through, and a repeat has the same Message-ID."""
    told = notification("lead.assigned", fields, name=name)
    sent = [mail(told, LINKS, sender="relance@b.example", recipient="c@d.example").as_bytes() for _ in range(2)]
    first, second = (message_from_bytes(each, policy=default) for each in sent)
    assert first["Message-ID"] == second["Message-ID"] == f"<{told.id}@b.example>"
    assert set(first.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type")
    }
    _, html = first.iter_parts()
    assert "<script" not in html.get_content()


def test_while_the_master_secret_is_changed_old_and_new_verify() -> None:
    """Two signatures, separated by a space, as Standard Webhooks allows; afterwards only the new one.

    Signed at the present time, by which the library judges: this file may have been loaded minutes before.
    """
    old, new = "o" * 32, "n" * 32
    told = notification("lead.assigned")
    both = StandardWebhook(LINKS, [new, old], utc_now).request(told)
    for master in (old, new):
        verified = Webhook(signing_secret(master, "rep:anna")).verify(both.body, dict(both.headers))
        assert verified["type"] == "lead.assigned"
    only = StandardWebhook(LINKS, [new], utc_now).request(told)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing_secret(old, "rep:anna")).verify(only.body, dict(only.headers))


@given(anything)
def test_what_a_tool_answers_is_kept_short_and_without_the_person(before: str) -> None:
    """Tools like to answer with what they were sent, also as JSON."""
    told = notification("lead.assigned")
    told = replace(told, touches=(lead({"note": "Größe 44"}),), lead=lead(name="Zeb"))
    assert told.lead
    said = told.lead.model_dump_json() + told.touches[0].model_dump_json()
    kept = loggable(f"{before}\x00 {said} {json.dumps('Größe 44')}", told)
    assert kept is not None
    assert len(kept) <= LONGEST
    assert "\x00" not in kept
    assert not any(
        word in kept for word in ("Zebulon Quux", "zebulon@quux.example", "+493087654321", "Größe", "\\u00f6")
    )


@pytest.mark.parametrize(
    ("type_", "occurrence", "title"),
    [
        ("lead.reminder", None, "Reminder: a lead waits for anna"),
        ("lead.reminder", 2, "Second reminder: a lead waits for anna"),
        ("lead.reminder", 3, "Third reminder: a lead waits for anna"),
        ("lead.reminder", 11, "11th reminder: a lead waits for anna"),
        ("lead.escalated", None, "anna has not answered a lead"),
        ("lead.escalated", 3, "Third notice: anna has not answered a lead"),
    ],
)
def test_a_repeated_step_says_how_often_it_was_told(type_: str, occurrence: int | None, title: str) -> None:
    """In its title; since when the rep has had the lead stands among the facts."""
    told = notification(type_)
    details = {**told.details, "since": NOW.isoformat()} | ({"occurrence": occurrence} if occurrence else {})
    *_, text, _ = everything_said(replace(told, details=details))
    assert text.splitlines()[0] == title
    assert f"Theirs since: {NOW:%Y-%m-%d %H:%M} UTC" in text
    assert "Occurrence" not in text
