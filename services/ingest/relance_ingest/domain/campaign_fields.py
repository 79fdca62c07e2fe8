"""What advertising adds to a page's address, and forms carry in hidden fields."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

_IN_ADDRESS = (
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "gclid", "gbraid", "wbraid", "fbclid", "msclkid",
)  # fmt: skip
CAMPAIGN_FIELDS = (*_IN_ADDRESS, "referrer", "landing_page")
LONGEST = 2_000
"""Longer values are cut: whoever fills in the form has not written them and cannot mend them."""


def campaign_fields(form: Mapping[str, str]) -> dict[str, str]:
    """The campaign fields of a form, whatever their case; what has none of its own is read from the landing page.

    Of several that differ in case only, the first that is not blank counts.
    """
    found: dict[str, str] = {}
    for name, value in form.items():
        if (known := name.strip().casefold()) in CAMPAIGN_FIELDS and (text := _kept(value)):
            found.setdefault(known, text)
    for name, value in _parameters(found.get("landing_page", "")):
        if name in _IN_ADDRESS and (text := _kept(value)):
            found.setdefault(name, text)
    return found


def _kept(value: str) -> str:
    return value.replace("\x00", "").strip()[:LONGEST].rstrip()


def _parameters(address: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(address).query, max_num_fields=100)
    except ValueError:  # no address, which is no reason to refuse a lead
        return []
