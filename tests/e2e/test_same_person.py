"""One person, one conversation, and calls of which more becomes known: through ingest, Kafka and the router."""

from typing import Any

import yaml
from tests.e2e.test_configuration import document, relance
from tests.system import KEYS, System, routing

QUIET = [{"name": "at-risk", "action": "at_risk", "at": "90%"}]
CALL = {
    "call_id": "call-1",
    "caller": "+491711234567",
    "called_number": "+493012345678",
    "status": "missed",
    "started_at": "2026-11-24T10:00:00+01:00",
    "duration_seconds": 0,
}


async def call(system: System, **changes: Any) -> str:
    """What the telephone system says of a call; returns the lead's id."""
    headers = {"X-API-Key": KEYS["phone"]}
    async with system.http.post(system.url("ingest", "/v1/calls"), json={**CALL, **changes}, headers=headers) as answer:
        assert answer.status == 202, await answer.text()
        lead_id: str = (await answer.json())["lead_id"]
        return lead_id


async def test_the_owner_hears_how_a_call_went_on_and_keeps_it(system: System) -> None:
    """Missed at first, answered in the end."""
    await system.apply_routing(routing(system.endpoints, {"sales": ["anna", "ben"]}, window="2h", steps=QUIET))
    lead_id = await call(system)
    told = await system.told(lead_id)
    assert told.data["lead"]["call"]["status"] == "missed"
    assert await call(system, status="answered", duration_seconds=60) == lead_id
    await system.until(lambda: bool(system.endpoints.of_type("lead.updated")), "the owner to hear of it")
    (updated,) = system.endpoints.of_type("lead.updated")
    assert (updated.endpoint, updated.data["assignment_id"]) == (told.endpoint, told.data["assignment_id"])
    assert (updated.data["lead"]["call"]["status"], updated.data["lead"]["lead_id"]) == ("answered", lead_id)
    assert (await system.answer(updated, "acknowledge"))[0] == 200


async def test_who_calls_after_a_form_is_told_to_whoever_has_the_form_and_can_be_separated(system: System) -> None:
    """Another topic's partition, one telephone number; the page shows it, and operators see why."""
    content = yaml.safe_load(routing(system.endpoints, {"sales": ["anna", "ben"]}, window="2h", steps=QUIET))
    await system.apply_routing(yaml.safe_dump({**content, "same_person": {"within": "7d"}}))
    form = await system.post_lead(name="Maria Huber", phone=CALL["caller"])
    told = await system.told(form)
    called = await call(system)
    await system.until(lambda: bool(system.endpoints.of_type("lead.touched")), "the owner to hear of the call")
    (touched,) = system.endpoints.of_type("lead.touched")
    assert (touched.endpoint, touched.data["lead"]["lead_id"]) == (told.endpoint, form)
    assert (touched.data["touch"]["lead_id"], touched.data["touch"]["call"]["status"]) == (called, "missed")
    async with system.http.get(touched.data["answer"]["page"]) as page:
        assert "They came again" in await page.text()

    status, why = await system.operate("GET", f"/v1/leads/{called}/explanation")
    assert (status, why["decisions"], why["joined"]["lead_id"]) == (200, [], form)
    assert why["joined"]["recognised_by"] == ["phone"]
    explained = await relance(system, "explain", form)
    assert f"Lead {called} joined it: the same person, by phone number." in explained.stdout
    (touch,) = await system.rows("SELECT lead_id, joined, source FROM reporting.touches")
    assert {name: str(value) for name, value in touch.items()} == {
        "lead_id": called, "joined": form, "source": "phone"
    }  # fmt: skip

    separated = await document(system, "separate", called, "--because", "her brother", "--by", "maria")
    assert separated["joined"] == form
    assert (await system.told(called)).data["rep"] == separated["rep"]
    again = await relance(system, "separate", called, "--because", "her brother", "--by", "maria")
    assert (again.returncode, "nothing to separate" in again.stderr) == (1, True)
    status, done = await system.operate("GET", f"/v1/leads/{called}/interventions")
    assert (status, [each["what"] for each in done["interventions"]]) == (200, ["separated"])
