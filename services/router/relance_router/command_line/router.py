"""The operators' API, as the command line asks it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from relance_router.command_line.output import Failed, Status
from relance_router.configuration.documents import History, Version, VersionWithContent
from relance_router.configuration.routing_file import LineFault

_PATIENCE = aiohttp.ClientTimeout(total=60)
_NOT_ASKED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE}


@dataclass(frozen=True)
class Router:
    """A router, and the token that it takes. Whatever it refuses is raised as `Failed`."""

    url: str
    token: str

    def running(self) -> VersionWithContent | None:
        """The version that runs, if any was applied."""
        answer = self._ask("GET", "/v1/configurations/running", none_if_missing=True)
        return None if answer is None else VersionWithContent.model_validate(answer)

    def version(self, number: int) -> VersionWithContent:
        """One version."""
        return VersionWithContent.model_validate(self._ask("GET", f"/v1/configurations/{number}"))

    def history(self, limit: int, before: int | None = None) -> History:
        """Versions below `before`, newest first."""
        query = {"limit": str(limit)} | ({} if before is None else {"before": str(before)})
        return History.model_validate(self._ask("GET", "/v1/configurations", query=query))

    def apply(self, content: str, expected: int, by: str, comment: str) -> Version:
        """Apply a configuration."""
        body = {"content": content, "expected_version": expected, "applied_by": by, "comment": comment}
        return Version.model_validate(self._ask("POST", "/v1/configurations", body))

    def roll_back(self, to: int, expected: int, by: str, comment: str) -> Version:
        """Run an older version's content again."""
        body = {"to": to, "expected_version": expected, "applied_by": by, "comment": comment}
        return Version.model_validate(self._ask("POST", "/v1/configurations/rollback", body))

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        none_if_missing: bool = False,
    ) -> Any:  # noqa: ANN401 - whatever JSON it answers
        status, answer = asyncio.run(self._request(method, path, body, query))
        if status < HTTPStatus.BAD_REQUEST:
            return answer
        if status == HTTPStatus.NOT_FOUND and none_if_missing:
            return None
        raise Failed(
            Status.NOT_ASKED if status in _NOT_ASKED else Status.NO,
            answer["detail"],
            [LineFault(fault["line"], fault["detail"]) for fault in answer.get("errors", ()) if "line" in fault],
        )

    async def _request(
        self, method: str, path: str, body: Mapping[str, object] | None, query: Mapping[str, str] | None
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with (
                aiohttp.ClientSession(self.url, headers=headers, timeout=_PATIENCE) as session,
                session.request(method, path, json=body, params=query) as response,
            ):
                return response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Failed(
                Status.NOT_ASKED,
                f"The router cannot be reached at {self.url} ({str(error) or type(error).__name__}). Is it running? "
                "Say where with --url or RELANCE_URL.",
            ) from error
