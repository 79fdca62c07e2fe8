"""What operators do to a lead: more time, a hold, its release, another rep, a lead of its own; and the record of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header

from relance.http.operators import OperatorOnly
from relance.http.problems import FieldFault, Problem, ProblemDocument, declared, invalid_fields
from relance.idempotency import IDEMPOTENCY_HEADER, IdempotencyKey
from relance.ids import LeadId
from relance_router.domain.explanation import HELD_IN_WORDS
from relance_router.domain.interventions import HoldOutOfReach, InterventionRefused, KeyUsedTwice
from relance_router.domain.routing import Assigned, Held, Offered
from relance_router.routing.assignments import Made
from relance_router.routing.explanations import UnknownLead
from relance_router.routing.people import UnknownRep
from relance_router.terms.by_hand import TermsByHand
from relance_router.terms.documents import (
    Extension,
    Holding,
    InterventionOrder,
    InterventionsView,
    InterventionView,
    ReassignedView,
    Reassigning,
    Release,
    SeparatedView,
    Separating,
    TermsView,
)
from relance_router.terms.interventions import Order
from relance_router.terms.reassigning import Reassignment
from relance_router.terms.separating import Separated, Separation

_REFUSALS = declared(401, 404, 422, 503)
_CONFLICT: dict[int | str, dict[str, object]] = {
    409: {"model": ProblemDocument, "description": "As things stand it cannot be done; says why."}
}
_Key = Annotated[
    IdempotencyKey | None,
    Header(alias=IDEMPOTENCY_HEADER, description="The same key sent again changes nothing, and is answered the same."),
]


def terms_api(
    terms: TermsByHand, reassignment: Reassignment, separation: Separation, operator_only: OperatorOnly
) -> APIRouter:
    """`/v1/leads/{lead_id}/extend|hold|release|reassign|separate|interventions`."""
    router = APIRouter(
        prefix="/v1/leads/{lead_id}", tags=["terms"], dependencies=[Depends(operator_only)], responses=_REFUSALS
    )

    @router.post("/extend", summary="Give a rep more time on one clock of a lead", responses=_CONFLICT)
    async def extend(lead_id: UUID, body: Extension, key: _Key = None) -> TermsView:
        with _refusals():
            return await terms.extend(_order(lead_id, body, key), body.clock, body.by_how_long)

    @router.post("/hold", summary="Let a lead's clocks stand still", responses=_CONFLICT)
    async def hold(lead_id: UUID, body: Holding, key: _Key = None) -> TermsView:
        with _refusals():
            return await terms.hold(_order(lead_id, body, key), body.until)

    @router.post("/release", summary="Let a lead's clocks run again", responses=_CONFLICT)
    async def release(lead_id: UUID, body: Release, key: _Key = None) -> TermsView:
        with _refusals():
            return await terms.release(_order(lead_id, body, key))

    @router.post("/reassign", summary="Give a lead to another rep, or to the next one", responses=_CONFLICT)
    async def reassign(lead_id: UUID, body: Reassigning, key: _Key = None) -> ReassignedView:
        with _refusals():
            return await reassignment.reassign(_order(lead_id, body, key), body.to)

    @router.post("/separate", summary="Make a lead of its own of one that joined another", responses=_CONFLICT)
    async def separate(lead_id: UUID, body: Separating) -> SeparatedView:
        with _refusals():
            return _separated(lead_id, await separation.separate(_order(lead_id, body)))

    @router.get("/interventions", summary="What was done to a lead by hand, the oldest first")
    async def interventions(lead_id: UUID) -> InterventionsView:
        with _refusals():
            found = await terms.of_lead(LeadId(lead_id))
        return InterventionsView(lead_id=lead_id, interventions=[InterventionView.model_validate(one) for one in found])

    return router


def _order(lead_id: UUID, body: InterventionOrder, key: str | None = None) -> Order:
    return Order(LeadId(lead_id), body.by, body.reason, key)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except UnknownLead as error:
        raise Problem(HTTPStatus.NOT_FOUND, "No such lead", str(error)) from error
    except HoldOutOfReach as error:
        raise invalid_fields([FieldFault("/until", str(error))]) from error
    except UnknownRep as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "No such rep", str(error)) from error
    except KeyUsedTwice as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Idempotency key used twice", str(error)) from error
    except InterventionRefused as error:
        raise Problem(HTTPStatus.CONFLICT, "Not as things stand", str(error)) from error


def _separated(lead: UUID, done: Separated) -> SeparatedView:
    match done.outcome:
        case Made(id=assignment, assigned=Assigned(rep=rep, team=team)):
            return SeparatedView(
                lead_id=lead, joined=done.joined, assignment_id=assignment, rep=rep, team=team, offered_to=[]
            )
        case Offered(reps=reps, team=team):
            return SeparatedView(
                lead_id=lead, joined=done.joined, assignment_id=None, rep=None, team=team, offered_to=list(reps)
            )
        case Held(because=because):
            return SeparatedView(
                lead_id=lead,
                joined=done.joined,
                assignment_id=None,
                rep=None,
                team=None,
                offered_to=[],
                unrouted=HELD_IN_WORDS[because],
            )
