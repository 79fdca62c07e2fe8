"""A lead that is offered to everybody, end to end: asked by webhook, claimed on the phone, exactly one owner."""

import yaml
from playwright.async_api import Browser, expect
from tests.e2e.browsing import PHONE, opened
from tests.e2e.test_answer_page import tap
from tests.system import System, routing


async def test_the_first_to_claim_on_the_phone_gets_the_lead_and_the_other_is_told(
    system: System, browser: Browser
) -> None:
    """Both are asked, neither is told the person; the winner's clock begins and stops with the claim."""
    document = yaml.safe_load(routing(system.endpoints, {"sales": ["anna", "ben"]}))
    document["teams"][0] |= {"choose": "broadcast", "claim_within": "10m"}
    await system.apply_routing(yaml.safe_dump(document))
    lead_id = await system.post_lead(name="Maria Huber", phone="030 12345678", fields={"team": "sales"})
    await system.until(lambda: len(system.endpoints.of_type("lead.offered")) == 2, "both to be asked")
    offered = {each.endpoint: each for each in system.endpoints.of_type("lead.offered")}
    assert set(offered) == {"rep:anna", "rep:ben"}
    assert all("lead" not in each.data for each in offered.values())
    standing = await system.rows("SELECT reason, teams FROM reporting.unrouted")
    assert standing == [{"reason": "offered", "teams": ["sales"]}]

    async with opened(browser, **PHONE) as anna, opened(browser, **PHONE) as ben:
        for page, rep in ((anna, "rep:anna"), (ben, "rep:ben")):
            await page.goto(offered[rep].data["answer"]["page"])
            await expect(page.get_by_role("button", name="I take it", exact=True)).to_be_visible()
        await tap(ben, "I take it")
        await expect(ben.get_by_text("You have it.")).to_be_visible()
        await tap(anna, "I take it")
        await expect(anna.get_by_role("heading", name="Somebody was faster")).to_be_visible()
        assert "Maria Huber" not in await anna.content()

    assert await system.rows("SELECT rep, state FROM reporting.assignments") == [
        {"rep": "ben", "state": "acknowledged"}
    ]
    assert await system.rows("SELECT 1 FROM reporting.unrouted") == []
    await system.until(lambda: bool(system.endpoints.of_type("lead.taken")), "anna to be told")
    (taken,) = system.endpoints.of_type("lead.taken")
    assert taken.endpoint == "rep:anna"
    (clock,) = await system.wait_for_rows(
        "SELECT rep, stopped_by, breached FROM reporting.clocks WHERE stopped_at IS NOT NULL"
    )
    assert clock == {"rep": "ben", "stopped_by": "acknowledged", "breached": False}
    _, explained = await system.operate("GET", f"/v1/leads/{lead_id}/explanation")
    assert explained["decisions"][0]["words"][-1] == "ben was the first to claim it."
    assert explained["decisions"][0]["same_when_made_again"]
