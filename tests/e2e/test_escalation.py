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

    def director() -> list[int]:
        heard = [each for each in system.endpoints.of_type("lead.escalated") if each.endpoint == "contact:director"]
        return [each.data.get("occurrence", 1) for each in heard]

    await system.until(lambda: len(director()) >= 3, "the director to be told three times")
    assert (await system.answer(told, "acknowledge"))[0] == 200
    heard = director()
    assert heard == list(range(1, len(heard) + 1))
    reminders = [each.data.get("occurrence", 1) for each in system.endpoints.of_type("lead.reminder")]
    assert reminders == [1, 2]
    (manager,) = [each for each in system.endpoints.of_type("lead.escalated") if each.endpoint == "manager:sales"]
    assert manager.data["rep"] == "anna"
    escalated = "SELECT 1 FROM reporting.clocks WHERE lead_id = $1 AND stopped_at IS NOT NULL"
    await system.wait_for_rows(escalated, told.data["lead"]["lead_id"])
