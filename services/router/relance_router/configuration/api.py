"""The operators' API of the configuration: look, check, apply, roll back."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from relance.database import Database
from relance.http.operators import OperatorOnly
from relance.http.problems import FieldFault, Problem, declared
from relance.logs import get_logger
from relance_router.configuration.documents import (
    Content,
    Fault,
    History,
    NewConfiguration,
    Rollback,
    Verdict,
    Version,
    VersionWithContent,
)
from relance_router.configuration.history import read_history, read_version
from relance_router.configuration.routing_file import ConfigurationRefused, parse
from relance_router.configuration.versions import AppliedMeanwhile, ConfigurationVersions, NoSuchVersion

log = get_logger(__name__)


def configuration_api(
    database: Database, versions: ConfigurationVersions, operator_only: OperatorOnly, on_applied: Callable[[], None]
) -> APIRouter:
    """`/v1/configurations`; `on_applied` is called when another version runs."""
    router = APIRouter(
        prefix="/v1/configurations",
        tags=["configurations"],
        dependencies=[Depends(operator_only)],
        responses=declared(401, 422, 503),
    )
    _add_reading(router, database)
    _add_changing(router, database, versions, on_applied)
    return router


def _add_reading(router: APIRouter, database: Database) -> None:
    @router.get("", summary="The history, newest first")
    async def history(
        before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only versions below this one.")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> History:
        async with database.transaction() as connection:
            return await read_history(connection, before=before, limit=limit)

    @router.get("/running", summary="The version that runs", responses=declared(404))
    async def running() -> VersionWithContent:
        return await _version(database, None)

    @router.get("/{version:int}", summary="One version", responses=declared(404))
    async def one(version: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> VersionWithContent:
        return await _version(database, version)

    @router.post("/check", summary="Find every fault; changes nothing")
    async def check(body: Content) -> Verdict:
        try:
            await asyncio.to_thread(parse, body.content, "routing.yaml")
        except ConfigurationRefused as error:
            return Verdict(faults=[Fault(line=fault.line, reason=fault.reason) for fault in error.found])
        return Verdict(faults=[])


def _add_changing(
    router: APIRouter, database: Database, versions: ConfigurationVersions, on_applied: Callable[[], None]
) -> None:
    @router.post(
        "",
        summary="Apply a configuration: on every replica, from the same message on",
        description="Answers 201 with the new version, or 200 with the one that runs when its content is the same.",
        status_code=HTTPStatus.CREATED,
        responses={200: {"model": Version}, **declared(409)},
    )
    async def apply(body: NewConfiguration, response: Response) -> Version:
        with _refusals("/content"):
            async with database.transaction() as connection:
                version, new = await versions.apply(
                    connection, body.content, expected=body.expected_version, by=body.applied_by, comment=body.comment
                )
        return told(version, response, new=new)

    @router.post(
        "/rollback",
        summary="Run the content of an older version again, as a new version",
        description="Answers 201 with the new version, or 200 with the one that runs when its content is the same.",
        status_code=HTTPStatus.CREATED,
        responses={200: {"model": Version}, **declared(404, 409)},
    )
    async def rollback(body: Rollback, response: Response) -> Version:
        with _refusals("/to"):
            async with database.transaction() as connection:
                version, new = await versions.roll_back(
                    connection, body.to, expected=body.expected_version, by=body.applied_by, comment=body.comment
                )
        return told(version, response, new=new)

    def told(version: Version, response: Response, *, new: bool) -> Version:
        if new:
            log.info("configuration applied", version=version.version, rolled_back_to=version.rolled_back_to)
            on_applied()
        else:
            response.status_code = HTTPStatus.OK
        return version


@contextmanager
def _refusals(pointer: str) -> Iterator[None]:
    """Tell why nothing was applied; `pointer` names the field that said what to apply."""
    try:
        yield
    except NoSuchVersion as error:
        raise Problem(HTTPStatus.NOT_FOUND, "No such version", str(error)) from error
    except AppliedMeanwhile as error:
        raise Problem(HTTPStatus.CONFLICT, "Another version runs", str(error)) from error
    except ConfigurationRefused as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "Configuration refused",
            "Nothing was changed: mend the lines that are named.",
            [FieldFault(pointer, fault.reason, fault.line) for fault in error.found],
        ) from error


async def _version(database: Database, version: int | None) -> VersionWithContent:
    async with database.transaction() as connection:
        found = await read_version(connection, version)
    if found is not None:
        return found
    detail = (
        "No configuration has been applied yet: do so with `relance apply FILE`."
        if version is None
        else f"There is no version {version}: `relance history` lists them."
    )
    raise Problem(HTTPStatus.NOT_FOUND, "No such version", detail)
