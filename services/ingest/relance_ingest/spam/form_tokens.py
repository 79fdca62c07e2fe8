"""Tokens that say when a form was loaded: signed, and of one source."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from itsdangerous import BadData, URLSafeSerializer
from pydantic import SecretStr

from relance_ingest.sources import Source, SourcesRefused


@dataclass(frozen=True)
class FormTokens:
    """Gives them and reads them. Every replica must have the same secret."""

    secret: str = field(repr=False)

    def issue(self, source: str, now: datetime, nonce: str) -> str:
        """A token of this moment, of which there is one: `nonce` is random."""
        return str(self._of(source).dumps([round(now.timestamp() * 1000), nonce]))

    def issued_at(self, source: str, token: str) -> datetime | None:
        """When it was given for this source; None for one that was not."""
        try:
            milliseconds, _nonce = self._of(source).loads(token)
        except BadData:
            return None
        return datetime.fromtimestamp(milliseconds / 1000, UTC)

    def _of(self, source: str) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt=f"form:{source}")


def form_tokens_of(sources: Iterable[Source], secret: SecretStr | None) -> FormTokens | None:
    """Tokens, when there is a secret.

    Raises:
        SourcesRefused: there is none, and a source requires tokens.
    """
    if secret:
        return FormTokens(secret.get_secret_value())
    for source in sources:
        if source.spam.form_token.required:
            raise SourcesRefused(
                f"Source {source.id!r} requires form tokens, and there is no secret to sign them: set "
                "RELANCE_FORM_TOKEN_SECRET (openssl rand -hex 24), the same for every replica."
            )
    return None
