"""Whose pages may send a form, and where a browser may be sent afterwards.

An origin keeps other sites' pages out, not programs, which can claim any: against those there is `spam`.
"""

from collections.abc import Set
from enum import Enum

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

ANY = "*"
_URL: TypeAdapter[AnyHttpUrl] = TypeAdapter(AnyHttpUrl)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Page(Enum):
    """The page that a request comes from."""

    UNKNOWN = "unknown"
    """No browser said, or the source does not ask."""
    OURS = "ours"
    """A page that this service serves itself."""
    HIDDEN = "hidden"
    """Its browser says `null`, as many a Referrer-Policy wants; any page can make it its own."""
    ALLOWED = "allowed"
    FOREIGN = "foreign"


def page_of(origin: str | None, host: str | None, allowed: Set[str]) -> Page:
    """Judge a request by its `Origin` and `Host` headers."""
    if origin is None or not allowed:
        return Page.UNKNOWN
    if host and origin.partition("://")[2] == host:
        return Page.OURS
    if origin == "null" and ANY not in allowed:
        return Page.HIDDEN
    return Page.ALLOWED if ANY in allowed or origin in allowed else Page.FOREIGN


def listed_origin(value: str) -> str:
    """An origin as people write it to one as browsers send it.

    Raises:
        ValueError: it is none; the sentence says what to write.
    """
    if value == ANY:
        return value
    hint = f"{value!r} is no origin: write it such as https://www.example.com, or '{ANY}' for every site."
    try:
        url = _URL.validate_python(value)
    except ValidationError as error:
        raise ValueError(hint) from error
    if "*" in value or url.path not in {None, "/"} or url.query or url.fragment or url.username or url.password:
        raise ValueError(hint)
    return origin_of(url)


def origin_of(url: AnyHttpUrl) -> str:
    """As a browser writes it: without the port that goes without saying."""
    port = "" if url.port in {None, _DEFAULT_PORTS[url.scheme]} else f":{url.port}"
    return f"{url.scheme}://{url.host}{port}"


def onward(wanted: str, origin: str | None, allowed: Set[str], thanks_url: AnyHttpUrl | None) -> str | None:
    """Where a form's own `_redirect` leads; None when it leads to a site that the source does not name.

    Read as browsers read it, so that what is checked is where they go.
    """
    try:
        url = _URL.validate_python(wanted)
    except ValidationError:
        return None
    sites = set(allowed) - {ANY}
    if thanks_url:
        sites.add(origin_of(thanks_url))
    if origin and ANY in allowed:
        sites.add(origin)
    return str(url) if origin_of(url) in sites else None
