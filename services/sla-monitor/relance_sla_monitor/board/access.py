"""Who may look: whoever has a link that an operator made, until it expires."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeSerializer


class BoardRefused(ValueError):
    """No link, or none of ours; the sentence is for whoever looks."""


class BoardLinkExpired(BoardRefused):
    """It was a link of ours, and its time is over."""


@dataclass(frozen=True)
class Access:
    """What a link opens: one team, or all when None, until a moment (aware, UTC)."""

    team: str | None
    until: datetime


class BoardLinks:
    """Makes and reads tokens. A new secret makes every link made so far worthless."""

    def __init__(self, *, public_url: str, secret: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._signer = URLSafeSerializer(secret, salt="relance.board-link")
        self.secure = self._public_url.startswith("https://")
        self.path = f"{urlsplit(self._public_url).path}/board"
        """Where browsers see the board: a proxy may have put it under a path of its own."""

    def url(self, access: Access) -> str:
        """The address that opens the board."""
        token = self._signer.dumps([access.team, int(access.until.timestamp())])
        return f"{self._public_url}/board/open/{token}"

    def read(self, token: str | None, now: datetime) -> Access:
        """What the token opens.

        Raises:
            BoardLinkExpired: its time is over.
            BoardRefused: missing, forged or damaged.
        """
        if not token:
            raise BoardRefused("Open it with the link that an operator made for you.")
        try:
            team, until = self._signer.loads(token)
            access = Access(team, datetime.fromtimestamp(until, UTC))
        except (BadSignature, ValueError, TypeError) as error:
            raise BoardRefused("This link is damaged: copy all of it, or ask an operator for a new one.") from error
        if access.until <= now:
            raise BoardLinkExpired("Ask an operator for a new one.")
        return access
