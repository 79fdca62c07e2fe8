"""One attempt at one notification: sign, post, and say what came of it."""

from collections.abc import Set
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from standardwebhooks import Webhook
from yarl import URL

from relance.clock import Clock
from relance_router.deliveries.addresses import AddressRefused, PublicResolver, check_url
from relance_router.deliveries.endpoints import signing_secret
from relance_router.deliveries.notifications import Claimed
from relance_router.domain.retry_schedule import Outcome

USER_AGENT = "Relance/1 (+webhook)"


class Sender:
    """Posts notifications. Redirects are not followed; answers are not read."""

    def __init__(self, *, master_secret: str, allowed_hosts: Set[str], timeout: timedelta, clock: Clock) -> None:
        self._master_secret = master_secret
        self._allowed_hosts = allowed_hosts
        self._clock = clock
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=PublicResolver(allowed_hosts), limit=0),
            timeout=aiohttp.ClientTimeout(total=timeout.total_seconds()),
            # A webhook is nobody's browser session.
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def send(self, notification: Claimed, body: str, address: str) -> Outcome:
        """Make one attempt."""
        url = URL(address)
        try:
            check_url(url, self._allowed_hosts)
            async with self._session.post(
                url, data=body.encode(), headers=self._headers(notification, body), allow_redirects=False
            ) as answer:
                return Outcome(
                    answer.status, retry_after=_retry_after(answer.headers.get("Retry-After"), self._clock())
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

    def _headers(self, notification: Claimed, body: str) -> dict[str, str]:
        now = self._clock()
        signer = Webhook(signing_secret(self._master_secret, notification.endpoint))
        return {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": str(notification.id),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(str(notification.id), now, body),
            "traceparent": notification.traceparent,
        }


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
