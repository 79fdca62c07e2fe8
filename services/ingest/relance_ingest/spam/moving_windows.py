"""Where the library `limits` keeps its moving windows: in this process, with a bound.

The library's own MemoryStorage has none, and looks through all of its windows for what has expired, one thread hop for
each, again as soon as it is done: with 600 windows that took a whole core at 1000 requests a second.
"""

import time
from collections import OrderedDict, deque

from limits.aio.storage import MovingWindowSupport, Storage
from typing_extensions import override

MOST_WINDOWS = 20_000


class MovingWindows(Storage, MovingWindowSupport):
    """Times of hits by key. When there are too many keys, what was hit longest ago is forgotten."""

    STORAGE_SCHEME = None

    def __init__(self, most: int = MOST_WINDOWS) -> None:
        super().__init__()
        self._most = most
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._hits)

    @override
    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now = time.monotonic()
        hits = self._within(key, now - expiry)
        if len(hits) + amount > limit:
            return False
        hits.extend([now] * amount)
        self._hits[key] = hits
        self._hits.move_to_end(key)
        if len(self._hits) > self._most:
            self._hits.popitem(last=False)
        return True

    @override
    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = time.monotonic()
        hits = self._within(key, now - expiry)
        # The library speaks of time.time().
        return (time.time() - (now - hits[0]) if hits else time.time()), len(hits)

    def _within(self, key: str, since: float) -> deque[float]:
        hits = self._hits.get(key, deque())
        while hits and hits[0] <= since:
            hits.popleft()
        return hits

    @property
    @override
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    @override
    async def check(self) -> bool:
        return True

    @override
    async def reset(self) -> int | None:
        windows = len(self._hits)
        self._hits.clear()
        return windows

    @override
    async def clear(self, key: str) -> None:
        self._hits.pop(key, None)

    @override
    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        raise NotImplementedError

    @override
    async def get(self, key: str) -> int:
        raise NotImplementedError

    @override
    async def get_expiry(self, key: str) -> float:
        raise NotImplementedError
