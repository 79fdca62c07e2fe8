"""One request to a tool: post it, and say what came of it."""

from collections.abc import Set
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from relance.clock import Clock
from relance_router.deliveries.addresses import AddressRefused, PublicResolver, check_url
from relance_router.deliveries.formats import Request
from relance_router.domain.retry_schedule import Outcome

USER_AGENT = "Relance/1 (+webhook)"
RESPONSE_BYTES = 2000
"""So much of an answer is read; the delivery log keeps its first 500 characters."""


class Sender:
    """Posts requests. Redirects are not followed; of answers only the beginning is read."""

    def __init__(self, *, allowed_hosts: Set[str], timeout: timedelta, clock: Clock) -> None:
        self._allowed_hosts = allowed_hosts
        self._clock = clock
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=PublicResolver(allowed_hosts), limit=0),
            timeout=aiohttp.ClientTimeout(total=timeout.total_seconds()),
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
            # A webhook is nobody's browser session.
            cookie_jar=aiohttp.DummyCookieJar(),
            # An answer that unpacks to gigabytes is not unpacked.
            auto_decompress=False,
        )

    async def send(self, request: Request, address: str) -> Outcome:
        """Make one attempt."""
        url = URL(address)
        try:
            check_url(url, self._allowed_hosts)
            async with self._session.post(
                url, data=request.body, headers=request.headers, allow_redirects=False
            ) as answer:
                return Outcome(
                    answer.status,
                    retry_after=_retry_after(answer.headers.get("Retry-After"), self._clock()),
                    response=await _beginning(answer),
                )
        except AddressRefused as error:
            return Outcome(None, f"address refused: {error}")
        except TimeoutError:
            return Outcome(None, "no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            refused = error.__cause__ if isinstance(error.__cause__, AddressRefused) else None
            return Outcome(None, f"address refused: {refused}" if refused else f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


async def _beginning(answer: aiohttp.ClientResponse) -> str | None:
    """What the log may keep. The status has arrived: an answer that breaks off in its text is one all the same."""
    read = b""
    try:
        while len(read) < RESPONSE_BYTES and (chunk := await answer.content.read(RESPONSE_BYTES - len(read))):
            read += chunk
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    return read.decode(errors="replace") or None


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date (RFC 9110, 10.2.3); None when missing or unreadable."""
    if value is None:
        return None
    if value.isdigit():
        return timedelta(seconds=int(value[:9]))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(timedelta(), (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now)
