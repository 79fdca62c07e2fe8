"""Promises of escalation policies: who can be told how, what is refused with its place, and what the event says."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.router.configurations import document

from relance.events import EscalationStep
from relance_router.domain.configuration import Configuration, Fault, Reachable, Severity, faults

WARNING = Severity.WARNING
PATH = ("escalation_policies", 0)
URL = "https://tools.example/x"
DIRECTOR = {"id": "director", "slack": URL, "email": "director@example.com"}
WAKING = {"id": "waking", "zone": "UTC", "hours": {"mon": "07:00-22:00"}}


def step(action: str = "remind_rep", **more: Any) -> dict[str, Any]:
    return {"name": action.replace("_", "-"), "action": action, "at": "100%"} | more


def configured(*steps: dict[str, Any], quiet_outside: str | None = None, **sections: Any) -> Configuration:
    policy = {"id": "p", "steps": steps, "quiet_outside": quiet_outside}
    return Configuration.model_validate(document(escalation_policies=[policy], **sections))


def found(*steps: dict[str, Any], **sections: Any) -> list[Fault]:
    return faults(configured(*steps, **sections))


def test_the_event_tells_whom_how_and_how_often() -> None:
    """As configured; the quiet hours are those of the policy."""
    told = step("notify", to=["director"], via=["slack"], repeat={"every": "15m", "times": 3}, urgent=True)
    configuration = configured(step(), told, quiet_outside="waking", contacts=[DIRECTOR], calendars=[WAKING])
    assert faults(configuration) == []
    first, second = configuration.policies_by_id["p"].as_told
    assert first == EscalationStep(name="remind-rep", action="remind_rep", window_fraction=1, delay=timedelta())
    assert second == EscalationStep(
        name="notify",
        action="notify",
        window_fraction=1,
        delay=timedelta(),
        to=("director",),
        via=("slack",),
        repeat_every=timedelta(minutes=15),
        repeat_times=3,
        urgent=True,
    )
    assert configuration.quiet_outside("p") == configuration.calendars_by_id["waking"]
    assert configured(step()).quiet_outside("p") is None


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (step("notify"), "action notify wants `to`"),
        (step("notify_manager", to=["director"]), "action notify_manager takes no `to`"),
        (step("reassign", via=["email"]), "action reassign tells nobody, so it takes no `via`"),
        (step("at_risk", repeat={"every": "5m", "times": 1}), "action at_risk takes no `repeat`: once is enough"),
        (step("breach", urgent=True), "action breach tells nobody, so it takes no `urgent`"),
        (step(via=["pigeon"]), "'webhook', 'slack', 'teams' or 'email'"),
        (step(repeat={"every": "5m", "times": 0}), "greater than or equal to 1"),
        (step(repeat={"every": "5m", "times": 21}), "less than or equal to 20"),
        (step(repeat={"every": "0s", "times": 1}), "longer than nothing"),
        (step(repeat={"every": "5m"}), "times"),
    ],
)
def test_a_step_that_cannot_be_is_refused_with_its_reason(wrong: dict[str, Any], reason: str) -> None:
    """Whatever else is right."""
    with pytest.raises(ValidationError, match=reason) as refused:
        configured(wrong)
    assert refused.value.errors()[0]["loc"][:4] == ("escalation_policies", 0, "steps", 0)


@pytest.mark.parametrize(
    ("told", "whom", "way"),
    [
        (step("notify", to=["director"], via=["email", "teams"]), "contact 'director'", "teams"),
        (step("notify_manager", via=["webhook", "slack"]), "the manager of team 't'", "slack"),
        (step(via=["webhook", "email"]), "rep 'r'", "email"),
    ],
)
def test_a_way_that_somebody_does_not_have_is_told_with_its_place_and_who_it_is(
    told: dict[str, Any], whom: str, way: str
) -> None:
    """Of contacts, of the managers of the policy's teams, and of their members."""
    reason = f"step {told['name']!r} tells {whom} by {way}, which they do not have"
    contacts = {"contacts": [DIRECTOR]} if told["action"] == "notify" else {}
    assert found(told, **contacts) == [Fault((*PATH, "steps", 0, "via", 1), reason)]


def test_teams_that_leads_overflow_to_are_told_too() -> None:
    """Whoever may have such a lead needs the way; a team that never gets one does not."""
    teams = [
        {"id": name, "manager": {"slack": URL} if name == "other" else URL, "members": [{"rep": "r"}], "overflow": to}
        for name, to in (("t", "next"), ("next", None), ("other", None))
    ]
    wrong = [
        each.reason for each in found(step("notify_manager", via=["slack"]), teams=teams) if "by slack" in each.reason
    ]
    assert [reason.partition(" by ")[0].removeprefix("step 'notify-manager' tells ") for reason in wrong] == [
        "the manager of team 't'",
        "the manager of team 'next'",
    ]


def test_names_that_nobody_bears_and_what_stands_twice_are_told() -> None:
    """Contacts, the quiet calendar, and ways."""
    errors = [
        each
        for each in found(
            step("notify", to=["director", "nobody", "director"], via=["email", "email"]),
            quiet_outside="nowhere",
            contacts=[DIRECTOR, DIRECTOR],
        )
        if each.severity is Severity.ERROR
    ]
    assert [(each.path, each.reason) for each in errors] == [
        (("contacts", 1, "id"), "'director' is defined twice in contacts"),
        ((*PATH, "steps", 0, "to", 2), "'director' stands twice"),
        ((*PATH, "steps", 0, "via", 1), "'email' stands twice"),
        ((*PATH, "quiet_outside"), "there is no calendar 'nowhere'"),
        ((*PATH, "steps", 0, "to", 1), "there is no contact 'nobody'"),
    ]


def test_what_never_happens_is_warned_of() -> None:
    """A contact whom nobody tells, quiet hours that concern nothing, urgency without them, hours that never come."""
    assert found(step(urgent=True), contacts=[DIRECTOR]) == [
        Fault(("contacts", 0, "id"), "contact 'director' is never told: no step names it in `to`", WARNING),
        Fault(
            (*PATH, "steps", 0, "urgent"),
            "urgent changes nothing for step 'remind-rep': policy 'p' has no quiet hours",
            WARNING,
        ),
    ]
    reason = "quiet_outside changes nothing: no step of 'p' tells anybody who may wait"
    for only in (step(urgent=True), step("breach")):
        assert found(only, quiet_outside="waking", calendars=[WAKING]) == [
            Fault((*PATH, "quiet_outside"), reason, WARNING)
        ]
    never = {"id": "never", "zone": "UTC", "hours": {}}
    reason = "calendar 'never' has no hours: policy 'p' has no quiet hours, all is told at once"
    assert found(step(), quiet_outside="never", calendars=[never]) == [Fault((*PATH, "quiet_outside"), reason, WARNING)]


def test_windows_that_nothing_ends_are_warned_of_where_the_calendar_is_named() -> None:
    """Of a rep and of a team; one day with hours is enough."""
    never = {"id": "never", "zone": "UTC", "hours": {}, "holidays": {"country": "DE"}}
    once = {"id": "once", "zone": "UTC", "hours": {}, "overrides": {"2026-12-24": "09:00-12:00"}}
    reps = [{"id": name, "calendar": of, "webhook": URL} for name, of in (("r", "never"), ("other", "once"))]
    teams = [{"id": "t", "manager": URL, "calendar": "never", "members": [{"rep": "r"}, {"rep": "other"}]}]
    reason = "calendar 'never' has no hours: windows of {} are over in ten years"
    assert found(step(), calendars=[never, once], reps=reps, teams=teams) == [
        Fault(("reps", 0, "calendar"), reason.format("rep 'r'"), WARNING),
        Fault(("teams", 0, "calendar"), reason.format("team 't'"), WARNING),
    ]


def test_of_several_tools_the_first_is_the_usual_one() -> None:
    """Webhook, Slack, Teams in this order; e-mail is left for when it fails, and one way alone is that way."""
    told = Reachable.model_validate({"teams": f"{URL}/t", "slack": f"{URL}/s", "email": "a@example.com"})
    assert told.address == ("slack", f"{URL}/s")
    assert told.only("teams").address == ("teams", f"{URL}/t")
    assert (told.only("email").address, told.only("email").email) == (None, "a@example.com")
    assert [told.has(way) for way in ("webhook", "slack", "teams", "email")] == [False, True, True, True]
    with pytest.raises(ValidationError, match="give a way to tell them"):
        Reachable.model_validate({})
