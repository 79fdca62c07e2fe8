"""What operators ask of routing: why a lead went where it went, who can take leads now, and who is to take none."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from relance.http.operators import OperatorOnly
from relance.http.problems import Problem, declared
from relance.ids import LeadId
from relance.storable import STORABLE
from relance_router.domain.routing import Assigned, Held, HeldBecause, Offered
from relance_router.routing.documents import (
    CandidateView,
    DecisionView,
    ExplanationView,
    JoiningView,
    OutcomeView,
    RepView,
    RuleTriedView,
    TouchView,
)
from relance_router.routing.explanations import (
    Conversation,
    ExplainedDecision,
    Explanations,
    LeadErased,
    UnknownLead,
)
from relance_router.routing.people import People, RepNow, UnknownRep
from relance_router.terms.documents import InterventionView

Who = Annotated[
    Annotated[str, STORABLE], Field(min_length=1, max_length=100, description="Who does this, for the books.")
]
REFUSALS = declared(401, 404, 422, 503)


class Pausing(BaseModel):
    """A pause by hand."""

    model_config = ConfigDict(extra="forbid")

    because: Annotated[str, STORABLE] = Field(min_length=1, max_length=200)
    by: Who


class Resuming(BaseModel):
    """The end of a pause."""

    model_config = ConfigDict(extra="forbid")

    by: Who


def routing_api(
    explanations: Explanations,
    people: People,
    operator_only: OperatorOnly,
    is_free: Callable[[str], None],
    on_committed: Callable[[], None],
) -> APIRouter:
    """The API; `is_free` is told of a rep who takes leads again, `on_committed` of everything that is to be told."""
    router = APIRouter(tags=["routing"], dependencies=[Depends(operator_only)], responses=REFUSALS)

    @router.get("/v1/leads/{lead_id}/explanation", summary="Why a lead went where it went", responses=declared(410))
    async def explanation(lead_id: UUID) -> ExplanationView:
        try:
            decisions = await explanations.of_lead(LeadId(lead_id))
            by_hand = await explanations.interventions(LeadId(lead_id))
            conversation = await explanations.conversation(LeadId(lead_id))
        except UnknownLead as error:
            raise Problem(HTTPStatus.NOT_FOUND, "No such lead", str(error)) from error
        except LeadErased as error:
            raise Problem(HTTPStatus.GONE, "Erased", str(error)) from error
        return ExplanationView(
            lead_id=lead_id,
            decisions=[_decision(each) for each in decisions],
            interventions=[InterventionView.model_validate(each) for each in by_hand],
            joined=_joining(conversation),
            touches=[
                TouchView(lead_id=touch, recognised_by=joining["recognised_by"])
                for touch, joining in conversation.touches.items()
            ],
        )

    @router.get("/v1/reps", summary="Who can take leads now, and why the others cannot")
    async def reps() -> list[RepView]:
        return [_rep(each) for each in await people.now()]

    @router.post("/v1/reps/{rep}/pause", summary="Give a rep no more leads")
    async def pause(rep: str, body: Pausing) -> RepView:
        paused = _rep(await _known(people.pause(rep, because=body.because, by=body.by)))
        on_committed()
        return paused

    @router.post("/v1/reps/{rep}/resume", summary="Give a rep leads again")
    async def resume(rep: str, body: Resuming) -> RepView:
        resumed = _rep(await _known(people.resume(rep, by=body.by)))
        on_committed()
        is_free(rep)
        return resumed

    return router


async def _known(work: Awaitable[RepNow]) -> RepNow:
    try:
        return await work
    except UnknownRep as error:
        raise Problem(HTTPStatus.NOT_FOUND, "No such rep", str(error)) from error


def _joining(conversation: Conversation) -> JoiningView | None:
    if conversation.joined is None:
        return None
    return JoiningView.model_validate({"lead_id": conversation.joined, **(conversation.joining or {})})


def _rep(found: RepNow) -> RepView:
    return RepView(
        rep=found.rep.id,
        name=found.rep.name,
        teams=sorted(found.teams),
        available=found.absence is None,
        absence=found.absence,
        open_leads=found.open_leads,
        paused=found.paused,
    )


def _decision(explained: ExplainedDecision) -> DecisionView:
    told = explained.explanation
    return DecisionView(
        assignment_id=explained.assignment_id,
        state=explained.state,
        decided_at=explained.decided_at,
        ended_at=explained.ended_at,
        configuration=explained.configuration,
        rule=told.rule,
        words=list(told.words),
        rules_tried=[RuleTriedView(rule=tried.rule, failed=tried.failed) for tried in told.rules_tried],
        candidates=[CandidateView(**vars(each)) for each in told.candidates],
        decision=_outcome(told.outcome),
        same_when_made_again=told.same,
    )


def _outcome(outcome: Assigned | Offered | Held) -> OutcomeView:
    match outcome:
        case Assigned(rep=rep, team=team, by=by, why=why):
            return OutcomeView(outcome="assigned", team=team, reps=[rep], by=by.value, because=why)
        case Offered(reps=reps, team=team, until=until):
            return OutcomeView(
                outcome="offered", team=team, reps=list(reps), because=HeldBecause.OFFERED.value, until=until
            )
        case Held(because=because, until=until):
            return OutcomeView(outcome="held", reps=[], because=because.value, until=until)
