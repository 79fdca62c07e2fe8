"""What adapters share to check signatures."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from relance_ingest.partners.partner import ReceivedRequest, WrongSignature

TOLERANCE = timedelta(minutes=5)
"""How far a signed time may lie from ours, either way."""


def header(request: ReceivedRequest, name: str) -> str:
    """A header that the signature needs; `name` in lower case.

    Raises:
        WrongSignature: it is not there.
    """
    if not (value := request.headers.get(name)):
        raise WrongSignature("missing")
    return value


def must_match(given: Sequence[str], expected: Sequence[str]) -> None:
    """Compare in constant time, each with every one.

    Raises:
        WrongSignature: nothing given is one of those expected.
    """
    # As bytes: what came over the net need not be ASCII, which text would have to be, nor (in JSON) be text at all.
    matches = [
        hmac.compare_digest(ours.encode(), theirs.encode(errors="surrogatepass"))
        for theirs in given
        for ours in expected
    ]
    if not any(matches):
        raise WrongSignature("wrong")


def must_be_recent(seconds: str, now: datetime) -> None:
    """`seconds` since 1970, as text.

    Raises:
        WrongSignature: it is no time, or not one of the last or next five minutes.
    """
    try:
        age = now - datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise WrongSignature("wrong") from error
    if abs(age) > TOLERANCE:
        raise WrongSignature("stale")


def hex_sha256(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in hex."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def base64_sha256(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode()


def base64_sha1(secret: str, message: bytes) -> str:
    """HMAC-SHA1 in base64."""
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha1")).decode()
