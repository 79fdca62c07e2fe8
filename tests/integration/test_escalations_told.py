"""Promises of steps that tell people: each arrives in each of its ways, once for each occurrence."""

from typing import Any

import pytest
import yaml
from aiohttp import web
from tests.integration.conftest import OpenDatabase
from tests.integration.delivering import Tool, delivering, listening
from tests.integration.router_harness import Router, step
from tests.integration.test_deliveries_by_email import Mailbox, taking_mail
from tests.system import Endpoints, routing

from relance_local.conditions import wait_until
from relance_local.services import ROUTER

PENDING = "SELECT 1 FROM notifications WHERE state = 'pending'"
TOLD = "SELECT endpoint, key, type, details FROM notifications WHERE type <> 'lead.assigned' ORDER BY sequence"


def configured(tool: Tool) -> str:
    """One rep with a webhook and e-mail; a manager, a director and a channel who have several tools."""
    document = yaml.safe_load(
        routing(Endpoints(tool.port), {"sales": ["anna"]}, reps={"anna": {"email": "anna@example.com"}})
    )
    document["teams"][0]["manager"] = {"slack": tool.url("manager-slack"), "email": "manager@example.com"}
    document["contacts"] = [
        {"id": "director", "webhook": tool.url("director-webhook"), "teams": tool.url("director-teams")},
        {"id": "on-call", "email": "on-call@example.com"},
    ]
    return yaml.safe_dump(document)


@pytest.fixture
def tool() -> Tool:
    """Everybody's tools."""
    return Tool()


@pytest.fixture
async def router(open_database: OpenDatabase, tool: Tool) -> Router:
    """A router."""
    made = Router(open_database(ROUTER))
    await made.apply(configured(tool))
    return made


async def assignment(router: Router) -> dict[str, Any]:
    (lead,) = await router.leads(1)
    return await router.owner(lead.lead_id)


async def delivered(router: Router) -> None:
    async def nothing_waits() -> bool:
        return not await router.rows(PENDING)

    await wait_until(nothing_waits, what="everything to be delivered")


async def test_each_is_told_in_each_of_the_step_s_ways(router: Router, tool: Tool) -> None:
    """The manager in Slack and by e-mail, the director in Teams beside a webhook, the channel as it usually is."""
    owned, mailbox = await assignment(router), Mailbox()
    await router.handle(
        [
            step(owned, "notify_manager", via=("slack", "email")),
            step(owned, "notify", "director", to=("director",), via=("teams", "webhook")),
            step(owned, "notify", "channel", to=("director", "on-call")),
        ]
    )
    async with listening(tool), taking_mail(mailbox), delivering(router.database, mail_server=mailbox.server):
        await delivered(router)
    arrived = sorted(path for path, _ in tool.received) if tool.received else []
    assert arrived == ["director-teams", "director-webhook", "director-webhook", "manager-slack", "rep:anna"]
    assert sorted(recipient for recipient, _ in mailbox.received) == ["manager@example.com", "on-call@example.com"]
    (_, mail), *_ = [each for each in mailbox.received if each[0] == "on-call@example.com"]
    words = mail.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    assert "anna has not answered a lead" in words
    for fact in ("Rep: anna", "Team: sales", "Theirs since: 20"):
        assert fact in words
    await router.books()


async def test_a_repeated_step_is_told_each_time_and_a_redelivered_one_never_again(router: Router) -> None:
    """Also one that was told by the release before, under the key of then."""
    owned = await assignment(router)
    steps = [step(owned, "remind_rep", "remind", occurrence=occurrence) for occurrence in (1, 2, 3)]
    steps += [step(owned, "notify_manager", "manager", via=("email", "slack"), occurrence=n) for n in (1, 2)]
    steps += [step(owned, "notify", "director", to=("director", "on-call"), occurrence=n) for n in (1, 2)]
    for _ in range(2):
        await router.handle(steps)
    told = await router.rows(TOLD)
    assert len(told) == len({row["key"] for row in told}) == 3 + 2 * 2 + 2 * 2
    assert told[0]["key"] == f"{owned['id']}:step:remind"
    assert [row["details"].get("occurrence") for row in told[:3]] == [None, 2, 3]
    assert {row["endpoint"] for row in told} == {
        "rep:anna", "manager:sales:email", "manager:sales:slack", "contact:director", "contact:on-call",
    }  # fmt: skip


async def test_steps_of_two_clocks_are_told_apart_also_where_they_have_one_name(router: Router) -> None:
    """Within a policy names are different, but another policy may have been applied meanwhile."""
    owned = await assignment(router)
    remind = step(owned, "remind_rep", "remind")
    contact = step(owned, "remind_rep", "remind", clock="contact")
    for _ in range(2):
        await router.handle([remind])
        await router.handle([contact])
    assert len(await router.rows(TOLD)) == 2


async def test_who_has_none_of_the_ways_any_more_is_told_as_usually(router: Router) -> None:
    """A configuration applied meanwhile has taken them away: the step is still heard, once."""
    owned = await assignment(router)
    await router.handle([step(owned, "notify", "director", to=("director",), via=("slack", "email"))])
    assert [row["endpoint"] for row in await router.rows(TOLD)] == ["contact:director"]


async def test_nobody_is_told_of_what_was_answered_and_a_rep_not_of_what_they_no_longer_have(router: Router) -> None:
    """Repeats that fire late tell nobody, and those that still wait to be sent to the rep are cancelled."""
    owned = await assignment(router)
    await router.handle([step(owned, "remind_rep", "remind", occurrence=2, via=("email",))])
    await router.recorder.record(owned["id"], "declined", None)
    await router.handle([step(owned, "remind_rep", "remind", occurrence=3), step(owned, "notify", to=("director",))])
    told = await router.rows("SELECT endpoint, state FROM notifications WHERE type <> 'lead.assigned'")
    assert told == [{"endpoint": "rep:anna:email", "state": "cancelled"}]


async def test_one_way_that_fails_holds_up_no_other(router: Router, tool: Tool) -> None:
    """Each way is an endpoint of its own, with its own health."""
    tool.answers["manager-slack"] = web.Response(status=410)
    owned, mailbox = await assignment(router), Mailbox()
    await router.handle([step(owned, "notify_manager", via=("slack", "email"))])
    async with listening(tool), taking_mail(mailbox), delivering(router.database, mail_server=mailbox.server):
        await delivered(router)
    states = await router.rows("SELECT endpoint, state FROM notifications WHERE type = 'lead.escalated' ORDER BY 1")
    assert states == [
        {"endpoint": "manager:sales:email", "state": "delivered"},
        {"endpoint": "manager:sales:slack", "state": "failed"},
    ]
    assert [recipient for recipient, _ in mailbox.received] == ["manager@example.com"]
