"""The whole of routing.yaml."""

from collections.abc import Mapping
from functools import cached_property

from pydantic import Field

from relance.calendars import Calendar
from relance_router.domain.configuration.contacts import Contact
from relance_router.domain.configuration.escalation import EscalationPolicy
from relance_router.domain.configuration.field_types import Document, Filled, Name
from relance_router.domain.configuration.owners import Account, SamePerson, Stickiness
from relance_router.domain.configuration.people import Rep, Team
from relance_router.domain.configuration.promises import Promise, Rule
from relance_router.domain.configuration.territories import Territory


class Configuration(Document):
    """Who works where, which lead goes to which team, and what is promised for it."""

    calendars: tuple[Calendar, ...] = Field((), description="When people work.")
    reps: Filled[Rep]
    teams: Filled[Team]
    territories: tuple[Territory, ...] = ()
    sources: tuple[Name, ...] = Field(
        (), description="The sources that leads come from; when given, a rule that names another is a fault."
    )
    accounts: tuple[Account, ...] = ()
    stickiness: Stickiness | None = Field(None, description="Known people and companies stay with their rep.")
    same_person: SamePerson | None = Field(
        None, description="Who comes again while their lead is open joins it; none: every lead is routed."
    )
    contacts: tuple[Contact, ...] = Field((), description="Whom escalation steps tell beside reps and managers.")
    escalation_policies: Filled[EscalationPolicy]
    rules: tuple[Rule, ...] = ()
    fallback: Promise = Field(description="For leads that no rule matches.")

    @cached_property
    def calendars_by_id(self) -> Mapping[str, Calendar]:
        """Every calendar."""
        return {calendar.id: calendar for calendar in self.calendars}

    @cached_property
    def reps_by_id(self) -> Mapping[str, Rep]:
        """Every rep; looked up for each member of a team, for each lead."""
        return {rep.id: rep for rep in self.reps}

    @cached_property
    def teams_by_id(self) -> Mapping[str, Team]:
        """Every team."""
        return {team.id: team for team in self.teams}

    @cached_property
    def rules_by_id(self) -> Mapping[str, Rule]:
        """Every rule."""
        return {rule.id: rule for rule in self.rules}

    def window_calendar(self, team: str, rep: str) -> Calendar | None:
        """In whose working time windows count: the rep's calendar, else the team's; None when all time counts.

        When the rep takes leads is another question, of which a team's calendar says nothing: see
        `availability.presence_calendar`.
        """
        name = self.reps_by_id[rep].calendar or self.teams_by_id[team].calendar
        return self.calendars_by_id[name] if name else None

    @cached_property
    def contacts_by_id(self) -> Mapping[str, Contact]:
        """Every contact."""
        return {contact.id: contact for contact in self.contacts}

    def quiet_outside(self, policy: str) -> Calendar | None:
        """Outside of whose hours a policy tells nobody but of what is urgent; None: it has no quiet hours."""
        name = self.policies_by_id[policy].quiet_outside
        return self.calendars_by_id[name] if name else None

    @cached_property
    def policies_by_id(self) -> Mapping[str, EscalationPolicy]:
        """Every escalation policy."""
        return {policy.id: policy for policy in self.escalation_policies}

    @cached_property
    def teams_of(self) -> Mapping[str, frozenset[str]]:
        """The teams that each rep is in."""
        found: dict[str, set[str]] = {rep.id: set() for rep in self.reps}
        for team in self.teams:
            for member in team.members:
                found[member.rep].add(team.id)
        return {rep: frozenset(teams) for rep, teams in found.items()}

    def weight(self, team: str, rep: str) -> int:
        """A member's weight."""
        return self._weights[team, rep]

    @cached_property
    def _weights(self) -> Mapping[tuple[str, str], int]:
        return {(team.id, member.rep): member.weight for team in self.teams for member in team.members}

    def teams_after(self, team: str) -> tuple[str, ...]:
        """A team and those that its leads overflow to, in order."""
        chain = [team]
        while (following := self.teams_by_id[chain[-1]].overflow) and following not in chain:
            chain.append(following)
        return tuple(chain)

    def account_of(self, domain: str) -> Account | None:
        """The account that a mail domain, or a domain above it, belongs to."""
        labels = domain.split(".")
        return next((found for at in range(len(labels)) if (found := self._accounts.get(".".join(labels[at:])))), None)

    @cached_property
    def _accounts(self) -> Mapping[str, Account]:
        return {domain: account for account in self.accounts for domain in account.domains}
