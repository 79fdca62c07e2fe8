"""What operators see of deliveries, and how they send again and enable endpoints."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from relance.database import Database
from relance.http.problems import Problem, declared
from relance.moments import Moment
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries import records
from relance_router.deliveries.couriers import Way
from relance_router.deliveries.endpoint_health import MAIL, Healths, forget_health, health_at, load_health
from relance_router.deliveries.endpoints import contact, contact_endpoint, manager_endpoint, rep_endpoint, tool_address
from relance_router.domain.configuration import Configuration
from relance_router.domain.delivery_ways import EmailState, State
from relance_router.routing.leads import transaction_time

_EVER = datetime(1, 1, 1, tzinfo=UTC)


class Delivery(BaseModel):
    """A notification, and where it stands."""

    model_config = ConfigDict(from_attributes=True)

    notification_id: UUID = Field(description="Sent as webhook-id, the same for every attempt and replay.")
    sequence: int = Field(description="Its place in time; the cursor of the list.")
    type: str
    endpoint: str
    state: State = Field(description="delivered: the recipient was told, by their tool or by e-mail.")
    email_state: EmailState
    lead_id: UUID | None
    assignment_id: UUID | None
    attempts: int = Field(description="At the tool, since it was written or last replayed.")
    email_attempts: int
    replays: int
    created_at: AwareDatetime
    next_attempt_at: AwareDatetime | None
    settled_at: AwareDatetime | None
    last_status: int | None
    last_error: str | None


class DeliveryAttempt(BaseModel):
    """One attempt."""

    model_config = ConfigDict(from_attributes=True)

    replay: int = Field(description="0 for the first sending, 1 for the first replay.")
    way: Way
    attempt: int
    at: AwareDatetime
    status: int | None = Field(description="HTTP's, or for e-mail SMTP's; none when there was no answer.")
    error: str | None
    seconds: float
    response: str | None = Field(description="Its first 500 characters, without what they echo of the lead's person.")


class DeliveryWithAttempts(Delivery):
    """A notification with its latest attempts, newest first."""

    attempted: list[DeliveryAttempt]


class Deliveries(BaseModel):
    """A page, newest first."""

    deliveries: list[Delivery]
    next: int | None = Field(description="Give it as `before` for the next page; none on the last.")


class Replayed(BaseModel):
    """What a replay of many came to."""

    replayed: int
    more: bool = Field(description="Whether the limit of one request was reached: ask again.")


class Endpoint(BaseModel):
    """How an endpoint is."""

    endpoint: str
    way: Way = Field(description="How they are told first; none when the configuration does not have them.")
    email: bool = Field(description="Whether they can be told by e-mail.")
    state: Literal["closed", "open", "half_open", "disabled"] = Field(
        description="closed: it gets everything. open: left alone. half_open: the next attempt decides."
    )
    failures: int = Field(description="In a row.")
    open_until: AwareDatetime | None
    disabled_because: str | None


class Endpoints(BaseModel):
    """Every endpoint."""

    endpoints: list[Endpoint]


def deliveries_api(database: Database, versions: ConfigurationVersions, on_replayed: Callable[[], None]) -> APIRouter:
    """`/v1/deliveries` and `/v1/endpoints`; `on_replayed` is told that there is something to send."""
    router = APIRouter(tags=["deliveries"], responses=declared(401, 404, 422, 503))

    @router.get("/v1/deliveries", summary="Notifications, newest first")
    async def list_deliveries(
        endpoint: Annotated[str | None, Query(max_length=100)] = None,
        state: State | None = None,
        lead_id: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None,
    ) -> Deliveries:
        async with database.transaction() as connection:
            found = await records.deliveries(
                connection, endpoint=endpoint, state=state, lead_id=lead_id, before=before, limit=limit
            )
        page = [Delivery.model_validate(row) for row in found]
        return Deliveries(deliveries=page, next=page[-1].sequence if len(page) == limit else None)

    @router.get("/v1/deliveries/{notification_id}", summary="A notification and its attempts")
    async def show_delivery(notification_id: UUID) -> DeliveryWithAttempts:
        return await _shown(database, notification_id)

    @router.post(
        "/v1/deliveries/{notification_id}/replay",
        status_code=HTTPStatus.ACCEPTED,
        summary="Send a notification again",
        responses=declared(409),
    )
    async def replay_delivery(notification_id: UUID) -> DeliveryWithAttempts:
        async with database.transaction() as connection:
            replayed = await records.replay(connection, notification_id)
        shown = await _shown(database, notification_id)
        if not replayed:
            raise Problem(HTTPStatus.CONFLICT, "Not replayed", _why_not(shown.state))
        on_replayed()
        return shown

    @router.get("/v1/endpoints", summary="How every endpoint is")
    async def list_endpoints() -> Endpoints:
        async with database.transaction() as connection:
            configuration = (await versions.running(connection)).configuration
            healths = await load_health(connection)
            now = await transaction_time(connection)
        return Endpoints(endpoints=list(_endpoints(configuration, healths, now)))

    @router.post(
        "/v1/endpoints/{endpoint}/replay",
        status_code=HTTPStatus.ACCEPTED,
        summary="Send again what failed at an endpoint",
    )
    async def replay_endpoint(
        endpoint: str,
        since: Annotated[Moment | None, Query(description="Only what was written since then.")] = None,
    ) -> Replayed:
        async with database.transaction() as connection:
            _must_be_known(endpoint, (await versions.running(connection)).configuration)
            count = await records.replay_failed(connection, endpoint, since or _EVER)
        on_replayed()
        return Replayed(replayed=count, more=count == records.MOST_REPLAYED)

    @router.post("/v1/endpoints/{endpoint}/enable", summary="Take a disabled or open endpoint as well again")
    async def enable_endpoint(endpoint: str) -> Endpoint:
        async with database.transaction() as connection:
            configuration = (await versions.running(connection)).configuration
            if not await forget_health(connection, endpoint):
                _must_be_known(endpoint, configuration)
            now = await transaction_time(connection)
        on_replayed()
        return _endpoint(endpoint, configuration, {}, now)

    return router


async def _shown(database: Database, notification_id: UUID) -> DeliveryWithAttempts:
    async with database.transaction() as connection:
        found = await records.delivery(connection, notification_id)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "No such notification", f"There is no notification {notification_id}.")
    notification, attempts = found
    return DeliveryWithAttempts.model_validate(
        {**notification._mapping, "attempted": [DeliveryAttempt.model_validate(row) for row in attempts]}  # noqa: SLF001 - SQLAlchemy's public name for it
    )


def _why_not(state: State) -> str:
    if state == "cancelled":
        return "It was cancelled, because its assignment ended before it was sent: the rep no longer has the lead."
    return "It is still being sent. Wait until it is delivered or failed, or enable its endpoint."


def _must_be_known(endpoint: str, configuration: Configuration) -> None:
    if endpoint != MAIL and contact(configuration, endpoint) is None:
        detail = (
            f"The configuration has no {endpoint}: write rep:<id>, manager:<team> or contact:<id>, which "
            "GET /v1/endpoints lists, or one of their ways, such as manager:<team>:slack."
        )
        raise Problem(HTTPStatus.NOT_FOUND, "No such endpoint", detail)


def _endpoints(configuration: Configuration, healths: Healths, now: datetime) -> Iterator[Endpoint]:
    configured = [rep_endpoint(rep.id) for rep in configuration.reps]
    configured += [manager_endpoint(team.id) for team in configuration.teams]
    configured += [contact_endpoint(each.id) for each in configuration.contacts]
    for endpoint in dict.fromkeys([*configured, *sorted(healths)]):
        yield _endpoint(endpoint, configuration, healths, now)


def _endpoint(endpoint: str, configuration: Configuration, healths: Healths, now: datetime) -> Endpoint:
    told = contact(configuration, endpoint)
    # The mail server's address is a setting: what is stored is shown as it is.
    stored = healths.get(endpoint)
    known = told is not None
    health = health_at(healths, endpoint, tool_address(told)) if known or not stored else stored.health
    way: Way = told.address[0] if told and told.address else "email" if known or endpoint == MAIL else "none"
    return Endpoint(
        endpoint=endpoint,
        way=way,
        email=told is not None and told.email is not None,
        state="disabled" if health.disabled_because else health.circuit.state(now).value,
        failures=health.circuit.failures,
        open_until=health.circuit.open_until,
        disabled_because=health.disabled_because,
    )
