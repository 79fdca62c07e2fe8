"""The operators' API, as the command line asks it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import aiohttp

from relance.idempotency import IDEMPOTENCY_HEADER
from relance_router.command_line.output import Failed, Status
from relance_router.configuration.documents import History, Version, VersionWithContent
from relance_router.configuration.routing_file import LineFault
from relance_router.domain.past_leads import PastLead
from relance_router.routing.documents import ExplanationView, RepView
from relance_router.terms.documents import ReassignedView, SeparatedView, TermsView

_PATIENCE = aiohttp.ClientTimeout(total=60)
_PATIENCE_WITH_A_STREAM = aiohttp.ClientTimeout(total=None, sock_connect=60, sock_read=60)
_LONGEST_LINE = 2**20
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

    def past_leads(self, days: int, on_lead: Callable[[], None]) -> list[PastLead]:
        """The leads of the last days; `on_lead` is called for each that has come."""
        return [PastLead.model_validate_json(line) for line in asyncio.run(self._exported(days, on_lead))]

    def explanation(self, lead: UUID) -> ExplanationView:
        """Why a lead went where it went."""
        return ExplanationView.model_validate(self._ask("GET", f"/v1/leads/{lead}/explanation"))

    def reps(self) -> list[RepView]:
        """Every rep at this moment."""
        return [RepView.model_validate(each) for each in self._ask("GET", "/v1/reps")]

    def pause(self, rep: str, because: str, by: str) -> RepView:
        """Give a rep no more leads."""
        return RepView.model_validate(self._ask("POST", _of(rep, "pause"), {"because": because, "by": by}))

    def resume(self, rep: str, by: str) -> RepView:
        """Give a rep leads again."""
        return RepView.model_validate(self._ask("POST", _of(rep, "resume"), {"by": by}))

    def reassign(self, lead: UUID, to: str | None, *, by: str, reason: str) -> ReassignedView:
        """Give a lead to another rep."""
        body = {"to": to, "by": by, "reason": reason}
        return ReassignedView.model_validate(self._order(lead, "reassign", body))

    def separate(self, lead: UUID, *, by: str, reason: str) -> SeparatedView:
        """Make a lead of its own of a touch."""
        answer = self._ask("POST", f"/v1/leads/{lead}/separate", {"by": by, "reason": reason})
        return SeparatedView.model_validate(answer)

    def extend(self, lead: UUID, clock: str, by_how_long: str, *, by: str, reason: str) -> TermsView:
        """Give one clock of a lead more time."""
        body = {"clock": clock, "by_how_long": by_how_long, "by": by, "reason": reason}
        return TermsView.model_validate(self._order(lead, "extend", body))

    def hold(self, lead: UUID, until: datetime | None, *, by: str, reason: str) -> TermsView:
        """Let a lead's clocks stand still."""
        body = {"until": until and until.isoformat(), "by": by, "reason": reason}
        return TermsView.model_validate(self._order(lead, "hold", body))

    def release(self, lead: UUID, *, by: str, reason: str) -> TermsView:
        """Let a lead's clocks run again."""
        return TermsView.model_validate(self._order(lead, "release", {"by": by, "reason": reason}))

    def _order(self, lead: UUID, what: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401 - whatever JSON
        """Asked once more, with the same key, when no answer comes: whether it was done or not, then it is, once."""
        key = {IDEMPOTENCY_HEADER: str(uuid4())}
        path = f"/v1/leads/{lead}/{what}"
        try:
            return self._ask("POST", path, body, headers=key)
        except Failed as failed:
            # Refused, and so answered.
            if failed.__cause__ is None:
                raise
        try:
            return self._ask("POST", path, body, headers=key)
        except Failed as failed:
            if failed.__cause__ is None:
                raise
            look = f"Before you ask again, see in GET /v1/leads/{lead}/interventions whether it was done."
            raise Failed(failed.status, f"{failed.sentence} {look}") from failed

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        none_if_missing: bool = False,
    ) -> Any:  # noqa: ANN401 - whatever JSON it answers
        status, answer = asyncio.run(self._request(method, path, body, query, headers))
        if status < HTTPStatus.BAD_REQUEST:
            return answer
        if status == HTTPStatus.NOT_FOUND and none_if_missing:
            return None
        raise _refused(status, answer)

    async def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[int, Any]:
        async with (
            self._session(_PATIENCE) as session,
            session.request(method, path, json=body, params=query, headers=headers) as response,
        ):
            return response.status, await response.json(content_type=None)

    async def _exported(self, days: int, on_lead: Callable[[], None]) -> list[bytes]:
        lines: list[bytes] = []
        async with (
            self._session(_PATIENCE_WITH_A_STREAM) as session,
            session.get("/v1/leads/export", params={"days": str(days)}) as response,
        ):
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise _refused(response.status, await response.json(content_type=None))
            async for line in response.content:
                lines.append(line)
                on_lead()
        return lines

    @asynccontextmanager
    async def _session(self, patience: aiohttp.ClientTimeout) -> AsyncIterator[aiohttp.ClientSession]:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with aiohttp.ClientSession(
                self.url, headers=headers, timeout=patience, read_bufsize=_LONGEST_LINE
            ) as session:
                yield session
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Failed(
                Status.NOT_ASKED,
                f"The router cannot be reached at {self.url} ({str(error) or type(error).__name__}). Is it running? "
                "Say where with --url or RELANCE_URL.",
            ) from error


def _refused(status: int, problem: Mapping[str, Any]) -> Failed:
    fields = [f"{fault['pointer']}: {fault['detail']}" for fault in problem.get("errors", ()) if "line" not in fault]
    return Failed(
        Status.NOT_ASKED if status in _NOT_ASKED else Status.NO,
        "\n".join([problem["detail"], *fields]),
        [LineFault(fault["line"], fault["detail"]) for fault in problem.get("errors", ()) if "line" in fault],
    )


def _of(rep: str, change: str) -> str:
    return f"/v1/reps/{quote(rep, safe='')}/{change}"
