"""Answer links: a signed token that works for one assignment only."""

from datetime import timedelta
from uuid import UUID

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from relance.ids import AssignmentId


class LinkRefused(ValueError):
    """The token is no answer link of ours, or its time is over; the sentence is for the rep."""


class LinkExpired(LinkRefused):
    """It was a link of ours, and its time is over."""


class AnswerLinks:
    """Makes and reads tokens. Whoever holds a token may answer for its assignment."""

    def __init__(self, *, public_url: str, secret: str, lifetime: timedelta) -> None:
        self._public_url = public_url.rstrip("/")
        self._signer = URLSafeTimedSerializer(secret, salt="relance.answer-link")
        self._lifetime = lifetime

    def token(self, assignment: AssignmentId) -> str:
        """The token for this assignment."""
        return str(self._signer.dumps(assignment.hex))

    def url(self, token: str) -> str:
        """The page that the token opens."""
        return f"{self._public_url}/a/{token}"

    def api(self, assignment: AssignmentId, answer: str) -> str:
        """Where a program answers, with the token as bearer."""
        return f"{self._public_url}/v1/assignments/{assignment}/{answer}"

    def read(self, token: str) -> AssignmentId:
        """The assignment that the token is for.

        Raises:
            LinkExpired: its time is over.
            LinkRefused: forged or damaged.
        """
        try:
            value = self._signer.loads(token, max_age=int(self._lifetime.total_seconds()))
            return AssignmentId(UUID(hex=value))
        except SignatureExpired as error:
            raise LinkExpired("This link has expired. Open the lead in your own tool, or ask your manager.") from error
        except (BadSignature, ValueError, TypeError, AttributeError) as error:
            raise LinkRefused("This link is damaged: open it again from the message, or copy all of it.") from error
