"""What operators ask every service: is it alive, is it ready, what does it measure."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], Awaitable[None]]
"""Raises when the part is not usable; the error's sentence goes into the answer."""

_CHECK_LIMIT = timedelta(seconds=3)


def operations(checks: Mapping[str, Check]) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`; ready when every check passes."""
    router = APIRouter(tags=["operations"])

    @router.head("/healthz", include_in_schema=False)
    @router.get("/healthz", summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.head("/readyz", include_in_schema=False)
    @router.get(
        "/readyz",
        summary="The service can do its work",
        responses={503: {"description": "Says what is away"}},
    )
    async def readyz() -> Response:
        found = await asyncio.gather(*(_verdict(check) for check in checks.values()))
        verdicts = dict(zip(checks, found, strict=True))
        ready = all(verdict == "ok" for verdict in found)
        return JSONResponse({"ready": ready, "checks": verdicts}, 200 if ready else 503)

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _verdict(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_LIMIT.total_seconds()):
            await check()
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "ok"
