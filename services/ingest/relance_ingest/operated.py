"""Asking the operators' API of a service from a command line."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, NoReturn

import aiohttp
import typer
from rich.console import Console

Url = Annotated[str, typer.Option(envvar="RELANCE_URL", help="Where ingest is.")]
DEFAULT_URL = "http://localhost:8080"
console = Console(highlight=False, soft_wrap=True)
_PATIENCE = aiohttp.ClientTimeout(total=60)
_NOT_ASKED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE}
_Document = Mapping[str, object] | None
_Query = Mapping[str, str] | None


@dataclass(frozen=True)
class Operated:
    """A service, and the token that it takes."""

    url: str
    token: str
    name: str = "Ingest"
    said_by: str = "--url or RELANCE_URL"

    def ask(self, method: str, path: str, *, body: _Document = None, query: _Query = None) -> Any:  # noqa: ANN401 - JSON
        """What it answers; what it refuses ends the command."""
        try:
            status, answer = asyncio.run(self._request(method, path, body, query))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            fail(
                f"{self.name} cannot be reached at {self.url} ({str(error) or type(error).__name__}). Is it running? "
                f"Say where with {self.said_by}.",
                2,
            )
        if status >= HTTPStatus.BAD_REQUEST:
            faults = [f"{each['pointer']}: {each['detail']}" for each in answer.get("errors") or ()]
            fail(" ".join([answer["detail"], *faults]), 2 if status in _NOT_ASKED else 1)
        return answer

    async def _request(self, method: str, path: str, body: _Document, query: _Query) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession(self.url, headers=headers, timeout=_PATIENCE) as session,
            session.request(method, path, json=body, params=query) as response,
        ):
            return response.status, await response.json(content_type=None)


def fail(sentence: str, status: int) -> NoReturn:
    """End the command: 1 when the answer is no, 2 when nobody could be asked."""
    typer.echo(sentence, err=True)
    raise typer.Exit(status)


def tell(document: object) -> None:
    """Print a document, for programs."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
