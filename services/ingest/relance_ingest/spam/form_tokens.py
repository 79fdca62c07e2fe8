"""Tokens that say when a form was loaded: signed, and of one source."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer


@dataclass(frozen=True)
class FormTokens:
    """Gives them and reads them. Every replica must have the same secret (of any length that cannot be guessed)."""

    secret: str

    def issue(self, source: str, now: datetime, nonce: str) -> str:
        """A token of this moment, of which there is one: `nonce` is random."""
        return str(self._of(source).dumps([round(now.timestamp() * 1000), nonce]))

    def issued_at(self, source: str, token: str) -> datetime | None:
        """When it was given for this source; None for one that was not."""
        try:
            given: Sequence[object] = self._of(source).loads(token)
        except BadData:
            return None
        milliseconds = given[0]
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=float(str(milliseconds)))

    def _of(self, source: str) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt=f"form:{source}")
