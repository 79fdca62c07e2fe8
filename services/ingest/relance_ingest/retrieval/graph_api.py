"""Meta's Graph API, as far as leads need it."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import aiohttp

from relance_ingest.partners import meta

_TIMEOUT = aiohttp.ClientTimeout(total=10)


class NotFetched(Exception):
    """The lead could not be had this time; says why, without what was said."""


class GraphApi:
    """Asks with each access token until one has the lead.

    Of another page's lead Meta says what it says of one that is none (error code 100), so no refusal ends the search.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        """`url` is the API's with its version, such as `https://graph.facebook.com/v25.0`."""
        self._session = session
        self._url = url.rstrip("/")

    async def lead(self, lead_id: str, access_tokens: Sequence[str]) -> dict[str, Any]:
        """The lead, as `meta.lead` reads it.

        Raises:
            NotFetched: it could not be had.
        """
        refusals: list[str] = []
        for token in access_tokens:
            status, document = await self._get(lead_id, token)
            if status == HTTPStatus.OK:
                return document
            error = document.get("error")
            code = error.get("code") if isinstance(error, dict) else None
            refusals.append(f"{status}, error code {code}")
        # In the order of `access_token_from`: whoever reads it sees which token has run out.
        raise NotFetched(f"the Graph API answered {'; '.join(refusals)}")

    async def _get(self, lead_id: str, token: str) -> tuple[int, dict[str, Any]]:
        # In a header, so that the token is in nobody's access log.
        headers = {"Authorization": f"Bearer {token}"}
        request = self._session.get(
            f"{self._url}/{lead_id}",
            params={"fields": meta.ASKED},
            headers=headers,
            timeout=_TIMEOUT,
            allow_redirects=False,
        )
        try:
            async with request as answer:
                document = await answer.json(content_type=None)
                return answer.status, document if isinstance(document, dict) else {}
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NotFetched(f"the Graph API gave no answer: {type(error).__name__}") from error
