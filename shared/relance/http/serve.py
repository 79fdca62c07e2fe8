"""Serving an application with uvicorn, as one part of a service."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from relance.http import problems
from relance.http.connections import limited_connections
from relance.http.guards import Guards
from relance.http.operations import Check, operations
from relance.settings import ServiceSettings


def guarded(
    app: FastAPI,
    settings: ServiceSettings,
    checks: Mapping[str, Check],
    *,
    body_limits: Mapping[str, int] = MappingProxyType({}),
    streams: Mapping[str, int] = MappingProxyType({}),
) -> FastAPI:
    """Give an application what all of ours have.

    `body_limits` are other limits by the beginning of the path; `streams`: by path, how many may be followed at once.
    """
    problems.install(app)
    # To an address of what the client says is our name; and OpenAPI would have to declare it.
    app.router.redirect_slashes = False
    # As if they stood in the application: an included router is looked through for every request.
    app.router.routes.extend(operations(checks).routes)
    app.add_middleware(
        Guards,
        concurrency=settings.http_concurrency,
        body_limit=settings.http_body_limit,
        body_limits=body_limits,
        streams=streams,
    )
    return app


class HttpServer:
    """Listens until stopped; requests in hand are answered first."""

    def __init__(self, app: FastAPI, settings: ServiceSettings) -> None:
        self._server = _Server(
            uvicorn.Config(
                app,
                http=limited_connections(settings),
                forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
                host=settings.http_host,
                port=settings.http_port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=int(settings.shutdown_deadline.total_seconds()),
            )
        )

    def request_stop(self) -> None:
        """Accept no more; answer what is in hand."""
        self._server.should_exit = True

    async def run(self) -> None:
        """Serve. Returns after `request_stop`; an address in use is an error."""
        try:
            await self._server.serve()
        except SystemExit as error:
            raise RuntimeError(f"the HTTP server did not start: is its address in use? (exit {error.code})") from error
        if not self._server.should_exit:
            raise RuntimeError("the HTTP server ended by itself")


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to the service, which stops its parts in order."""

    @override
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
