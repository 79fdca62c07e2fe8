"""An escalation as a team lives it: reminders, the manager, the director again and again, until an answer."""

from typing import Any

import yaml
from tests.system import System, routing


async def test_a_director_is_told_again_until_somebody_answers(system: System) -> None:
    """Each time says which it is; an answer stops what would have come."""
    steps: list[dict[str, Any]] = [
        {"name": "remind", "action": "remind_rep", "at": "30%", "repeat": {"every": "1s", "times": 1}},
        {"name": "manager", "action": "notify_manager", "at": "100%", "via": ["webhook"]},
        {
            "name": "director",
            "action": "notify",
            "to": ["director"],
            "at": "100%",
            "after": "1s",
            "repeat": {"every": "1s", "times": 20},
        },
    ]
    document = yaml.safe_load(routing(system.endpoints, {"sales": ["anna"]}, window="5s", steps=steps))
    document["contacts"] = [{"id": "director", "webhook": system.endpoints.url("contact:director")}]
    await system.apply_routing(yaml.safe_dump(document))
    told = await system.told(await system.post_lead(fields={"team": "sales"}))

    def heard(endpoint: str, event_type: str = "lead.escalated") -> set[int]:
        """Which times: they may overtake each other, and come twice."""
        said = [each for each in system.endpoints.of_type(event_type) if each.endpoint == endpoint]
        assert {each.data["rep"] for each in said} <= {"anna"}
        return {each.data.get("occurrence", 1) for each in said}

    await system.until(lambda: heard("contact:director") >= {1, 2, 3}, "the director to be told three times")
    await system.until(lambda: heard("manager:sales") == {1}, "the manager to be told")
    await system.until(lambda: heard("rep:anna", "lead.reminder") == {1, 2}, "anna to be reminded twice")
    assert (await system.answer(told, "acknowledge"))[0] == 200
    escalated = "SELECT 1 FROM reporting.clocks WHERE lead_id = $1 AND stopped_at IS NOT NULL"
    await system.wait_for_rows(escalated, told.data["lead"]["lead_id"])
