"""Giving leads to reps: decide a batch, then write everything that follows from it, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import after_commit
from relance.ids import AssignmentId, NewId
from relance_router import metrics
from relance_router.configuration.versions import Running
from relance_router.domain import rules
from relance_router.domain.configuration import Configuration
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.owners import LastOwners, company_domain, known_owners
from relance_router.domain.routing import Assigned, By, Held, Offered, Question, decide
from relance_router.domain.rules import Match
from relance_router.routing.assignments import Ended, Made, end_assignments, make_assignments
from relance_router.routing.known_people import last_owners
from relance_router.routing.offers import Asked, Offer, offer_leads
from relance_router.routing.requests import Cause, Request
from relance_router.routing.routing_state import LockedState
from relance_router.routing.standing import Standing, stand_no_longer, stand_unrouted


@dataclass(frozen=True)
class Claim:
    """An offer that its rep claims, its lead, locked, and the configuration by which it was offered."""

    offer: Offer
    request: Request
    former: Running


class Assigner:
    """Assigns batches of leads. Needs the time and the running configuration; makes ids with `new_id`."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    async def assign(
        self,
        connection: AsyncConnection,
        running: Running,
        requests: Sequence[Request],
        now: datetime,
        *,
        freed: Sequence[str] = (),
    ) -> Sequence[Made | Offered | Held]:
        """Give each lead an owner, offer it, or let it stand in `unrouted`. `now` is the transaction's time.

        `freed` names a rep for each lead in hand that has just ended without going to anybody else.

        Returns what became of each. Held, a lead that somebody ignored or that a manager took stays with its rep.
        """
        if not requests and not freed:
            return []
        configuration = running.configuration
        leads = [request.facts for request in requests]
        found = [rules.match(configuration, lead) for lead in leads]
        last = await last_owners(connection, configuration, leads, now)
        known = {owner.rep for lead in leads for owner in known_owners(configuration, lead, last)}
        teams = {team for each in found for team in configuration.teams_after(each.promise.team)}
        known |= {request.hand.to for request in requests if request.hand and request.hand.to}
        teams |= {request.owner.team for request in requests if request.owner and _turn_returns(configuration, request)}
        locked = await LockedState.load(connection, configuration, teams, known, now)
        for rep in freed:
            locked.ended(rep)

        batch = _Batch(configuration, locked, last, now, self._new_id)
        for request, match in zip(requests, found, strict=True):
            batch.decide(request, match)
        after_commit(connection, batch.count_kept)
        await locked.store(connection)
        await end_assignments(connection, batch.ended, now, self._new_id)
        await make_assignments(connection, running, batch.made, now, self._new_id)
        await offer_leads(connection, running, batch.asked, now, self._new_id)
        await stand_unrouted(connection, running, batch.standing, now, self._new_id)
        await stand_no_longer(
            connection, [each.request.lead.lead_id for each in batch.made if each.request.cause.stood_unrouted]
        )
        return batch.outcomes

    async def claim(self, connection: AsyncConnection, running: Running, claim: Claim, now: datetime) -> None:
        """Make the assignment of a claimed offer, as the configuration promised by which it was offered."""
        configuration, offer, former = running.configuration, claim.offer, claim.former
        teams = [offer.team] if offer.team in configuration.teams_by_id else []
        locked = await LockedState.load(connection, configuration, teams, [offer.rep], now)
        weight = locked.state.turns[offer.team].present.get(offer.rep, 0) if teams else 0
        if weight:
            locked.state.turns[offer.team].charge(offer.rep)
        locked.given(offer.rep)
        await locked.store(connection)
        found = rules.match(former.configuration, claim.request.facts)
        assigned = Assigned(offer.rep, offer.team, weight, By.CLAIM, "you claimed it first")
        calendar = former.configuration.window_calendar(offer.team, offer.rep)
        made = Made(offer.id, claim.request, found, assigned, offer.record, calendar)
        await make_assignments(connection, former, [made], now, self._new_id)
        await stand_no_longer(connection, [claim.request.lead.lead_id])


class _Batch:
    """Decisions made one after the other, each seeing what those before it have changed."""

    def __init__(
        self, configuration: Configuration, locked: LockedState, last: LastOwners, now: datetime, new_id: NewId
    ) -> None:
        self._configuration = configuration
        self._locked = locked
        self._last = last
        self._now = now
        self._new_id = new_id
        self.outcomes: list[Made | Offered | Held] = []
        self.made: list[Made] = []
        self.asked: list[Asked] = []
        self.standing: list[Standing] = []
        self.ended: list[Ended] = []
        self.kept: list[Held] = []

    def decide(self, request: Request, found: Match) -> None:
        """Decide for one lead."""
        self._give_turn_back(request)
        lead = request.facts
        question = Question(
            lead,
            found,
            had_it=frozenset(request.had_it),
            known=known_owners(self._configuration, lead, self._last),
            unclaimed=request.cause is Cause.UNCLAIMED,
            declined=frozenset(request.declined),
            hand=request.hand,
        )
        decision = decide(question, self._configuration, self._locked.state, self._now)
        outcome = decision.outcome
        if isinstance(outcome, Assigned):
            self._locked.given(outcome.rep)
            calendar = self._configuration.window_calendar(outcome.team, outcome.rep)
            made = Made(AssignmentId(self._new_id()), request, found, outcome, decision.record, calendar)
            self.made.append(made)
            self.outcomes.append(made)
            self._remember(lead, outcome.rep)
        elif isinstance(outcome, Held) and request.cause in {Cause.IGNORED, Cause.MOVED}:
            # Nobody else can take it: better the rep who was reminded than nobody.
            self.kept.append(outcome)
            self.outcomes.append(outcome)
            return
        else:
            self.outcomes.append(outcome)
            teams = self._configuration.teams_after(found.promise.team)
            self.standing.append(Standing(request, outcome, teams, decision.record))
            if isinstance(outcome, Offered):
                self.asked.append(Asked(request, found, outcome))
        if request.owner:
            if request.owner.in_hand:
                self._locked.ended(request.owner.rep)
            self.ended.append(Ended(request.owner, request))

    def count_kept(self) -> None:
        """Count reassignments that were asked for and not made."""
        for held in self.kept:
            metrics.REASSIGNMENT_KEPT.labels(held.because.value).inc()

    def _give_turn_back(self, request: Request) -> None:
        if request.owner and _turn_returns(self._configuration, request):
            self._locked.state.turns[request.owner.team].give_back(request.owner.rep, request.owner.weight)

    def _remember(self, lead: LeadFacts, rep: str) -> None:
        """Within a batch, the second lead of a person follows the first."""
        if self._configuration.stickiness is None:
            return
        self._last.of_person[lead.identity] = rep
        if domain := company_domain(self._configuration, lead):
            self._last.of_company[domain] = rep


def _turn_returns(configuration: Configuration, request: Request) -> bool:
    """Whether a declined lead took a turn in a line that is still there."""
    owner = request.owner
    return (
        request.cause is Cause.DECLINED
        and owner is not None
        and owner.weight > 0
        and owner.team in configuration.teams_by_id
    )
