"""Changing routing.yaml while leads come in."""

from tests.system import System, routing


async def test_a_new_configuration_routes_what_stood_unrouted(system: System) -> None:
    """The file is watched; nobody restarts anything."""
    (lead_id,) = await system.post_leads("asia", 1)
    (unrouted,) = await system.wait_for_rows("SELECT * FROM reporting.unrouted WHERE lead_id = $1", lead_id)
    assert unrouted["reason"] == "no_rule_matches"
    await system.apply_routing(routing(system.endpoints, {"sales": ["anna"], "asia": ["mei"]}))
    told = await system.told(lead_id)
    assert told.endpoint == "rep:mei"
    assert await system.rows("SELECT 1 FROM reporting.unrouted") == []


async def test_a_wrong_configuration_is_refused_and_the_running_one_stays(system: System) -> None:
    """With file, line and reason in the log, and a metric to alert on."""
    right = system.routing_file.read_text()
    system.routing_file.write_text(right.replace("rep: anna", "rep: nobody"))

    async def refused() -> bool:
        return "relance_router_configuration_refused 1.0" in await system.metrics("router")

    await system.until(refused, "the configuration to be refused")
    (line,) = [number for number, text in enumerate(right.splitlines(), 1) if "rep: anna" in text]
    reasons = [entry["reason"] for entry in system.logs() if entry["event"].startswith("configuration refused")]
    assert reasons == [f"{system.routing_file}:{line}: there is no rep 'nobody'"]
    assert (await system.told(await system.post_lead(fields={"team": "sales"}))).data["rep"] in {"anna", "ben"}

    system.routing_file.write_text(right + "# mended\n")

    async def applied() -> bool:
        return "relance_router_configuration_refused 0.0" in await system.metrics("router")

    await system.until(applied, "the mended configuration to be applied")


async def test_no_personal_data_is_logged_measured_or_reported(system: System) -> None:
    """Invariant 7, with a lead, a refusal, an answer and a decline."""
    secret = {"name": "Zebulon Quux", "email": "zebulon@quux.example", "phone": "+493087654321"}
    lead_id = await system.post_lead(
        **secret, company="Quuxwerke", fields={"team": "sales", "note": "call at 9, plumbus"}
    )
    told = await system.told(lead_id)
    headers = {"X-API-Key": "key-of-website"}
    bad = {**secret, "phone": "12345", "plumbus": "x"}
    async with system.http.post(system.url("ingest", "/v1/leads"), json=bad, headers=headers) as answer:
        assert answer.status == 422
    await system.answer(told, "decline", "Zebulon is a friend")
    second = await system.told(lead_id, times=2)
    await system.answer(second, "acknowledge")
    await system.wait_for_rows("SELECT * FROM reporting.clocks WHERE stopped_by = 'acknowledged'")
    said = "\n".join(system.services.log(name).read_text() for name in system.services.running)
    said += "".join([await system.metrics(name) for name in system.services.running])
    for view in ("leads", "assignments", "answers", "unrouted", "notifications", "clocks", "steps"):
        said += str(await system.rows(f"SELECT * FROM reporting.{view}"))
    assert lead_id in said
    token = told.data["answer"]["token"]
    for word in ("zebulon", "quux", "87654321", "plumbus", "12345", token, "key-of-website"):
        assert word not in said.lower()
