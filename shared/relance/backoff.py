"""How long to wait between tries at something that is away."""

import random
from datetime import timedelta


class Backoff:
    """Exponential with full jitter, bounded ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015)."""

    def __init__(
        self, first: timedelta = timedelta(milliseconds=100), longest: timedelta = timedelta(seconds=5)
    ) -> None:
        self._first = first
        self._longest = longest
        self._tries = 0

    def reset(self) -> None:
        """The thing is back."""
        self._tries = 0

    def advance(self) -> timedelta:
        """The next wait."""
        ceiling = min(self._longest, self._first * (1 << min(self._tries, 30)))
        self._tries += 1
        # At least a tenth: a wait of zero would spin.
        share: float = random.uniform(0.1, 1.0)  # noqa: S311 - spreads load, guards nothing
        return ceiling * share
