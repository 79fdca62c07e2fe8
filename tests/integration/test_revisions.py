"""Promises about leads of which more becomes known, kept by the database."""

from datetime import timedelta

import pytest
import yaml
from tests.integration.conftest import OpenDatabase
from tests.integration.events import NOW, envelope, lead, revised
from tests.integration.router_harness import TEAM, Router, step
from tests.system import Endpoints, routing

from relance.events import AssignmentTermsChanged, CallDetails, Contact, LeadReceived
from relance_local.services import ROUTER
from relance_router.terms.interventions import Order

MINUTE = timedelta(minutes=1)
BEN = Contact(name="Ben", phone="+4930123456")


@pytest.fixture
async def router(open_database: OpenDatabase) -> Router:
    """A router with a team of three, and one of nobody but dan."""
    made = Router(open_database(ROUTER))
    await made.apply(routing(Endpoints(), {"sales": TEAM, "more": ["dan"]}))
    return made


async def known(router: Router, given: LeadReceived) -> LeadReceived:
    """What the router knows of a lead."""
    (row,) = await router.rows("SELECT data FROM leads WHERE id = :id", id=given.lead_id)
    return LeadReceived.model_validate(row["data"])


async def told(router: Router) -> list[str]:
    """Types of notifications, in the order in which they are sent."""
    return [row["type"] for row in await router.rows("SELECT type FROM notifications ORDER BY sequence")]


async def test_a_revision_is_stored_and_told_to_the_owner_who_keeps_the_lead(router: Router) -> None:
    """Also when the rules would give it to another team now."""
    (given,) = await router.leads(1)
    owner = await router.owner(given.lead_id)
    news = envelope(revised(given, contact=BEN, fields={"team": "more"}))
    for _ in range(2):
        await router.consume([news])
    assert await known(router, given) == given.model_copy(update={"contact": BEN, "fields": {"team": "more"}})
    assert await router.owner(given.lead_id) == owner
    assert await told(router) == ["lead.assigned", "lead.updated"]
    await router.books()


async def test_a_lead_and_its_revision_in_one_batch_are_routed_by_what_is_known_last(router: Router) -> None:
    """The owner hears of one lead, not of two."""
    given = lead()
    news = [
        envelope(revised(given, minutes=minutes, fields={"team": team})) for minutes, team in ((2, "more"), (1, ""))
    ]
    await router.consume([envelope(given), *news])
    assert (await router.owner(given.lead_id))["rep"] == "dan"
    assert await told(router) == ["lead.assigned"]
    await router.books()


async def test_an_older_revision_never_overwrites_a_newer_one(router: Router) -> None:
    """Dead letters are sent again in any order."""
    (given,) = await router.leads(1)
    await router.consume([envelope(revised(given, minutes=2, contact=BEN))])
    await router.consume([envelope(revised(given, minutes=1))])
    assert (await known(router, given)).contact == BEN
    assert await told(router) == ["lead.assigned", "lead.updated"]


async def test_a_revision_that_comes_before_its_lead_is_the_lead(router: Router) -> None:
    """The lead itself was a dead letter; sent again, it changes nothing."""
    given = lead()
    await router.consume([envelope(revised(given, contact=BEN))])
    owner = await router.owner(given.lead_id)
    await router.consume([envelope(given)])
    assert (await known(router, given)).contact == BEN
    assert await router.owner(given.lead_id) == owner
    await router.books()


async def test_an_unrouted_lead_is_tried_again_at_once_by_what_is_known_now(router: Router) -> None:
    """Nobody waits for the next turn; and every decision is explained by what was known when it was made."""
    await router.people.pause("dan", because="off", by="a test")
    (given,) = await router.leads(1, "more")
    (standing,) = await router.explanations.of_lead(given.lead_id)
    assert standing.assignment_id is None
    await router.consume([envelope(revised(given, fields={"team": "sales"}))])
    assert (await router.owner(given.lead_id))["rep"] in TEAM
    await router.consume([envelope(revised(given, minutes=2, fields={"team": "more"}))])
    (decision,) = await router.explanations.of_lead(given.lead_id)
    assert decision.explanation.rule == "sales"
    await router.books()


MISSED = {"id": "missed", "when": {"call_status": "missed"}, "team": "more", "respond_within": "5m"}


def a_call(status: str) -> LeadReceived:
    """A call that ended so."""
    details = CallDetails(
        call_id="1", status=status, called_number="+493012345678", started_at=NOW, duration=timedelta()
    )
    return lead().model_copy(update={"channel": "call", "call": details})


async def window(router: Router, given: LeadReceived) -> tuple[str, str, timedelta]:
    """Team, rule and window of a lead."""
    owner = await router.owner(given.lead_id)
    return owner["team"], owner["rule"], owner["respond_by"] - owner["assigned_at"]


async def test_a_missed_call_has_its_own_rule_and_shorter_window_whenever_it_is_known_to_be_one(
    router: Router,
) -> None:
    """Told first as answered, it stays with its owner in the shorter window, unless somebody has answered already."""
    document = yaml.safe_load(routing(Endpoints(), {"sales": TEAM, "more": ["dan"]}, window="60m"))
    document["rules"].insert(0, {**document["rules"][0], **MISSED})
    await router.apply(yaml.safe_dump(document))
    missed, late, called_back, voicemail = await router.route(
        [a_call(status) for status in ("missed", "answered", "answered", "answered")]
    )
    assert await window(router, missed) == ("more", "missed", timedelta(minutes=5))
    assert await window(router, late) == ("sales", "sales", timedelta(minutes=60))
    await router.recorder.record((await router.owner(called_back.lead_id))["id"], "acknowledged", None)
    answered = await router.owner(called_back.lead_id)
    await router.consume(
        [
            envelope(revised(each, call=a_call(status).call))
            for each, status in ((late, "missed"), (called_back, "missed"), (voicemail, "voicemail"))
        ]
    )
    assert await window(router, late) == ("sales", "missed", timedelta(minutes=5))
    assert await window(router, voicemail) == ("sales", "sales", timedelta(minutes=60))
    assert await router.owner(called_back.lead_id) == answered
    # Known to be answered after all it keeps the window; and another configuration changes it as it does its rule's.
    await router.consume([envelope(revised(late, minutes=2, call=a_call("answered").call))])
    document["rules"][0]["respond_within"] = "7m"
    await router.apply(yaml.safe_dump(document))
    await router.bring()
    assert await window(router, late) == ("sales", "missed", timedelta(minutes=7))
    changes = await router.rows("""
        SELECT CAST(payload AS jsonb) ->> 'because' AS because, CAST(payload AS jsonb) ->> 'lead_id' AS lead FROM outbox
        WHERE type = 'relance.assignment.terms_changed.v1' ORDER BY id
    """)
    assert [row["because"] for row in changes if row["lead"] == str(late.lead_id)] == ["revised", "configuration"]
    await router.books()


def missed_rule(**windows: str) -> str:
    """Missed calls have these windows; other leads an hour to be answered, and two hours to be contacted."""
    document = yaml.safe_load(routing(Endpoints(), {"sales": TEAM, "more": ["dan"]}, window="60m"))
    document["rules"][0]["contact_within"] = "120m"
    document["rules"].insert(0, {**document["rules"][0], **MISSED, **windows})
    return yaml.safe_dump(document)


async def missed_after_all(router: Router, *, minutes: int = 0) -> LeadReceived:
    """A call that had been answered, assigned so many minutes ago."""
    (given,) = await router.route([a_call("answered")])
    await router.execute(f"""
        UPDATE assignments SET assigned_at = assigned_at - interval '{minutes} minutes',
            respond_by = respond_by - interval '{minutes} minutes'
    """)
    await router.consume([envelope(revised(given, call=a_call("missed").call))])
    return given


async def both_windows(router: Router, given: LeadReceived) -> tuple[int, int]:
    """Minutes to answer and to contact, as told to the SLA monitor last; the deadlines are as long."""
    owner = await router.owner(given.lead_id)
    event = (await router.rows("SELECT payload FROM outbox WHERE type LIKE '%terms_changed%' ORDER BY id"))[-1]
    said = AssignmentTermsChanged.model_validate_json(event["payload"])
    assert owner["respond_by"] - owner["assigned_at"] == said.response_window
    assert said.contact_window is not None
    assert owner["contact_by"] - owner["assigned_at"] == said.contact_window
    return round(said.response_window / MINUTE), round(said.contact_window / MINUTE)


@pytest.mark.parametrize(
    ("promised", "told"),
    [
        ({"respond_within": "10m", "contact_within": "600m"}, (10, 120)),
        ({"respond_within": "60m", "contact_within": "90m"}, (60, 90)),
        ({"respond_within": "90m", "contact_within": "100m"}, (60, 100)),
    ],
)
async def test_no_clock_has_more_time_because_another_has_less(
    router: Router, promised: dict[str, str], told: tuple[int, int]
) -> None:
    """Each keeps the shorter window, also when a manager or an edited configuration changes something else."""
    await router.apply(missed_rule(**promised))
    given = await missed_after_all(router)
    assert await both_windows(router, given) == told
    await router.by_hand.extend(Order(given.lead_id, "M", "a fair week"), "contact", MINUTE)
    owner = await router.owner(given.lead_id)
    minutes = [round((owner[due] - owner["assigned_at"]) / MINUTE) for due in ("respond_by", "contact_by")]
    assert minutes == [told[0], told[1] + 1]
    await router.books()


async def test_a_window_kept_holds_until_that_of_the_rule_is_edited(router: Router) -> None:
    """What else is edited of it leaves them."""
    await router.apply(missed_rule(respond_within="10m", contact_within="600m"))
    given = await missed_after_all(router)
    document = yaml.safe_load(missed_rule(respond_within="10m", contact_within="600m"))
    document["escalation_policies"][0]["steps"].pop()
    await router.apply(yaml.safe_dump(document))
    await router.bring()
    assert await both_windows(router, given) == (10, 120)
    await router.apply(missed_rule(respond_within="10m", contact_within="300m"))
    await router.bring()
    assert await both_windows(router, given) == (10, 300)


async def test_a_window_that_would_be_over_by_now_is_not_given(router: Router) -> None:
    """Nobody loses a lead in the second in which more becomes known; what still lies ahead is given."""
    await router.apply(missed_rule(respond_within="5m", contact_within="90m"))
    given = await missed_after_all(router, minutes=30)
    assert await both_windows(router, given) == (60, 90)
    await router.apply(missed_rule(respond_within="5m", contact_within="80m"))
    await router.bring()
    assert await both_windows(router, given) == (60, 80)
    await router.apply(missed_rule(respond_within="5m", contact_within="20m"))
    before = await missed_after_all(router, minutes=30)
    assert (await router.owner(before.lead_id))["revision"] == 0


async def test_an_offer_stands_although_more_becomes_known(router: Router) -> None:
    """Whoever claims it gets what was offered, by the rule by which it was offered."""
    document = yaml.safe_load(routing(Endpoints(), {"sales": TEAM, "more": ["dan"]}))
    document["teams"][0] |= {"choose": "broadcast", "claim_within": "60s"}
    await router.apply(yaml.safe_dump(document))
    (given,) = await router.leads(1)
    await router.consume([envelope(revised(given, contact=BEN, fields={"team": "more"}))])
    (offer,) = await router.rows("SELECT id FROM offers WHERE rep = 'ben' AND state = 'open'")
    await router.recorder.record(offer["id"], "acknowledged", None)
    owner = await router.owner(given.lead_id)
    assert (owner["rep"], owner["team"], owner["rule"]) == ("ben", "sales", "sales")
    assert (await known(router, given)).contact == BEN
    await router.books()


async def test_a_revised_lead_that_is_ignored_goes_on_by_what_is_known_now(router: Router) -> None:
    """Its revision and the step that takes it from its rep may come in one batch."""
    (given,) = await router.leads(1)
    owner = await router.owner(given.lead_id)
    await router.consume([envelope(revised(given, fields={"team": "more"})), step(owner, "reassign")])
    assert (await router.owner(given.lead_id))["rep"] == "dan"
    await router.books()
