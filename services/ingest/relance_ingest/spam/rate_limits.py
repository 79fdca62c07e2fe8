"""How much a source takes, of everybody and of each client network. Each process counts for itself, in memory."""

import hashlib
import math
import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from limits import RateLimitItem
from limits.aio.strategies import MovingWindowRateLimiter

from relance.http.client_networks import client_network
from relance_ingest.sources.spam import Limits
from relance_ingest.spam.moving_windows import MovingWindows


@dataclass(frozen=True)
class Exceeded:
    """Nothing more is taken for so long; `limit` is which one it was, a name for the metric."""

    limit: str
    retry_after: timedelta


@dataclass(frozen=True)
class RateLimits:
    """Counts. No address is kept: only a hash of it, of which nobody else has the key."""

    windows: MovingWindows = field(default_factory=MovingWindows)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        return MovingWindowRateLimiter(self.windows)

    async def exceeded(self, source: str, limits: Limits, client_host: str) -> Exceeded | None:
        """Count one submission, or say which limit stands against it; what is refused is not counted.

        The source's own limit is asked first, so that a flood from many addresses adds no windows beyond it.
        """
        of_address, of_source = limits.parsed()
        client = hashlib.blake2b(client_network(client_host).encode(), key=self.key, digest_size=12).hexdigest()
        limiter = self._limiter
        if not await limiter.test(of_source, source):
            return await _exceeded(limiter, "source", of_source, source)
        if not await limiter.hit(of_address, source, client):
            return await _exceeded(limiter, "address", of_address, source, client)
        await limiter.hit(of_source, source)
        return None


async def _exceeded(limiter: MovingWindowRateLimiter, name: str, limit: RateLimitItem, *key: str) -> Exceeded:
    stats = await limiter.get_window_stats(limit, *key)
    return Exceeded(name, timedelta(seconds=max(1, math.ceil(stats.reset_time - time.time()))))
