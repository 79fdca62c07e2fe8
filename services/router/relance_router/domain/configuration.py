"""The routing configuration: who works where, which lead goes to which team, and what is promised for it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from relance.events.assignment import StepAction

Entry = TypeVar("Entry")

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def _duration(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("write a duration such as 5m, 90s or 1h30m")
    parts = _DURATION.fullmatch(value)
    if not value or parts is None:
        raise ValueError(f"{value!r} is no duration: write it such as 5m, 90s or 1h30m")
    days, hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _fraction(value: object) -> object:
    if isinstance(value, str) and value.endswith("%") and value[:-1].replace(".", "", 1).isdigit():
        return float(value[:-1]) / 100
    raise ValueError("write a share of the response window such as 50%")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Fraction = Annotated[float, BeforeValidator(_fraction), Field(gt=0, le=10)]


def _filled(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    # Not `min_length`: pydantic then calls a tuple too short in which one entry is wrong.
    if not entries:
        raise ValueError("must not be empty")
    return entries


Filled = Annotated[tuple[Entry, ...], AfterValidator(_filled)]
"""A list with at least one entry."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Appears in metrics and addresses: lower case letters, digits, `-` and `_`."""
Path = tuple[str | int, ...]
"""Where in the document: keys and list positions."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rep(_Entry):
    """Somebody who answers leads."""

    id: Name
    webhook: AnyHttpUrl = Field(description="Where assignments and reminders are posted.")
    available: bool = True
    capacity: int | None = Field(None, ge=1, description="Leads at once that are not yet contacted; none: no limit.")


class Member(_Entry):
    """A rep's part in a team."""

    rep: Name
    weight: int = Field(1, ge=1, le=10_000, description="Share of the team's leads, relative to the others'.")


class Team(_Entry):
    """Reps who share leads."""

    id: Name
    manager: AnyHttpUrl = Field(description="Webhook of the team's manager, for escalations.")
    members: Filled[Member]


class PolicyStep(_Entry):
    """One step: falls due when `at` of the response window has passed, and `after` on top."""

    name: Name
    action: StepAction
    at: Fraction
    after: Duration = timedelta()


class EscalationPolicy(_Entry):
    """What happens, in order, while a rep does not answer."""

    id: Name
    steps: Filled[PolicyStep]


class Promise(_Entry):
    """Where leads go, and how soon they are answered there."""

    team: Name
    respond_within: Duration
    escalation: Name

    @field_validator("respond_within")
    @classmethod
    def _positive(cls, window: timedelta) -> timedelta:
        if window <= timedelta():
            raise ValueError("a response window must be longer than nothing")
        return window


class Rule(Promise):
    """The first rule whose every condition holds decides the team."""

    id: Name
    when: Mapping[str, str | tuple[str, ...]] = Field(
        description="Field of the lead to the value, or the values of which one, it must have. Without regard to case."
    )

    @field_validator("when")
    @classmethod
    def _known_fields(cls, when: Mapping[str, str | tuple[str, ...]]) -> Mapping[str, str | tuple[str, ...]]:
        for name in when:
            if name not in LEAD_FIELDS and not name.startswith("fields."):
                raise ValueError(f"{name!r} is no field of a lead: use {', '.join(LEAD_FIELDS)} or fields.<name>")
        return when


LEAD_FIELDS = ("source", "channel", "campaign", "country", "company", "email_domain", "call_status", "called_number")


class Configuration(_Entry):
    """The whole of routing.yaml."""

    reps: Filled[Rep]
    teams: Filled[Team]
    escalation_policies: Filled[EscalationPolicy]
    rules: tuple[Rule, ...] = ()
    fallback: Promise | None = Field(None, description="For leads that no rule matches; none: they stand unrouted.")

    @cached_property
    def reps_by_id(self) -> Mapping[str, Rep]:
        """Every rep; looked up for each member of a team, for each lead."""
        return {rep.id: rep for rep in self.reps}

    @cached_property
    def teams_by_id(self) -> Mapping[str, Team]:
        """Every team."""
        return {team.id: team for team in self.teams}

    def rep(self, rep: str) -> Rep | None:
        """The rep of that id."""
        return self.reps_by_id.get(rep)

    def team(self, team: str) -> Team | None:
        """The team of that id."""
        return self.teams_by_id.get(team)

    def policy(self, policy: str) -> EscalationPolicy:
        """The policy of that id; `faults` has seen that it exists."""
        return next(each for each in self.escalation_policies if each.id == policy)


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where in the document."""

    path: Path
    reason: str


def faults(configuration: Configuration) -> list[Fault]:
    """What a configuration of the right shape may still have wrong: double ids and names that nobody bears."""
    return [*_doubles(configuration), *_dangling(configuration)]


def _doubles(configuration: Configuration) -> Iterator[Fault]:
    for section in ("reps", "teams", "escalation_policies", "rules"):
        ids = [entry.id for entry in getattr(configuration, section)]
        for place, name in enumerate(ids):
            if name in ids[:place]:
                yield Fault((section, place, "id"), f"{name!r} is defined twice in {section}")
    for place, team in enumerate(configuration.teams):
        for rep, count in Counter(member.rep for member in team.members).items():
            if count > 1:
                yield Fault(("teams", place, "members"), f"{rep!r} is in team {team.id!r} {count} times")
    for place, policy in enumerate(configuration.escalation_policies):
        for name, count in Counter(step.name for step in policy.steps).items():
            if count > 1:
                yield Fault(("escalation_policies", place, "steps"), f"step {name!r} is there {count} times")


def _dangling(configuration: Configuration) -> Iterator[Fault]:
    reps = {rep.id for rep in configuration.reps}
    for place, team in enumerate(configuration.teams):
        for member_place, member in enumerate(team.members):
            if member.rep not in reps:
                yield Fault(("teams", place, "members", member_place, "rep"), f"there is no rep {member.rep!r}")
    promises: list[tuple[Path, Promise]] = [(("rules", place), rule) for place, rule in enumerate(configuration.rules)]
    if configuration.fallback:
        promises.append((("fallback",), configuration.fallback))
    teams = {team.id for team in configuration.teams}
    policies = {policy.id for policy in configuration.escalation_policies}
    for path, promise in promises:
        if promise.team not in teams:
            yield Fault((*path, "team"), f"there is no team {promise.team!r}")
        if promise.escalation not in policies:
            yield Fault((*path, "escalation"), f"there is no escalation policy {promise.escalation!r}")
