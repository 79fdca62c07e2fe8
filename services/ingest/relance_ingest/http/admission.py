"""Whether a source takes anything more just now: its rate limits, asked before the body is read."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import Request

from relance.http.problems import Problem
from relance_ingest import metrics
from relance_ingest.sources import Source
from relance_ingest.sources.spam import Limits
from relance_ingest.spam.rate_limits import RateLimits

_SECOND = timedelta(seconds=1)


async def admit(request: Request, source: Source, limits: Limits | None, *, unit: timedelta = _SECOND) -> None:
    """Count the request against these limits. `unit` is what its sender takes Retry-After to be in.

    Raises:
        Problem: 429 with Retry-After.
    """
    if limits is None:
        return
    rate_limits: RateLimits = request.app.state.rate_limits
    # Behind a trusted proxy this is whom the proxy has seen.
    host = request.client.host if request.client else ""
    exceeded = await rate_limits.exceeded(source.id, limits, host)
    if exceeded:
        metrics.RATE_LIMITED.labels(source.id, exceeded.limit).inc()
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "Too many submissions",
            f"More has come from this {exceeded.limit} than is taken at once. Nothing was stored: send it again in "
            f"{exceeded.retry_after // _SECOND} s.",
            headers={"Retry-After": str(exceeded.retry_after // unit)},
        )
