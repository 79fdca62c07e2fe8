"""Promises of whose pages may send a form, and where they may lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyHttpUrl

from relance_ingest.domain.origins import ANY, Page, listed_origin, onward, page_of

SITE = "https://www.example.com"
LISTED = frozenset({SITE})


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "page"),
    [
        (SITE, "leads.example.com", LISTED, Page.ALLOWED),
        ("https://evil.example.com", "leads.example.com", LISTED, Page.FOREIGN),
        ("https://www.example.com.evil.example", "leads.example.com", LISTED, Page.FOREIGN),
        ("http://www.example.com", "leads.example.com", LISTED, Page.FOREIGN),
        ("https://www.example.com:8443", "leads.example.com", LISTED, Page.FOREIGN),
        ("null", "leads.example.com", LISTED, Page.HIDDEN),
        ("null", "leads.example.com", frozenset(), Page.UNKNOWN),
        ("http://[", "leads.example.com", LISTED, Page.FOREIGN),
        ("null", "leads.example.com", frozenset({ANY}), Page.ALLOWED),
        ("https://evil.example.com", None, frozenset({ANY}), Page.ALLOWED),
        ("https://leads.example.com", "leads.example.com", LISTED, Page.OURS),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", LISTED, Page.OURS),
        (None, "leads.example.com", LISTED, Page.UNKNOWN),
        (SITE, "leads.example.com", frozenset(), Page.UNKNOWN),
    ],
)
def test_a_page_is_judged_by_its_exact_origin(
    origin: str | None, host: str | None, allowed: frozenset[str], page: Page
) -> None:
    """Scheme, host and port; what only looks alike is foreign, and `null` may be anybody."""
    assert page_of(origin, host, allowed) is page


@given(st.text(max_size=30), st.text(max_size=10))
def test_only_what_is_listed_is_allowed(origin: str, host: str) -> None:
    """Whatever a header holds."""
    assert (page_of(origin, host, LISTED) is Page.ALLOWED) == (origin == SITE)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://www.example.com", SITE),
        ("HTTPS://WWW.Example.com:443/", SITE),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("*", "*"),
    ],
)
def test_an_origin_is_read_as_browsers_send_it(written: str, sent: str) -> None:
    """So that an exact comparison is enough."""
    assert listed_origin(written) == sent


@pytest.mark.parametrize(
    "written",
    [
        "www.example.com",
        "https://www.example.com/form",
        "null",
        "https://*.example.com/",
        "ftp://a.example",
        "https://a:b@c.example",
        "",
    ],
)
def test_what_is_no_origin_is_refused_with_what_to_write(written: str) -> None:
    """Among them `null`, which any page can make its own."""
    with pytest.raises(ValueError, match=r"write it such as https://www\.example\.com"):
        listed_origin(written)


THANKS = AnyHttpUrl("https://shop.example.com/thanks")


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("https://www.example.com/thanks?a=1#b", "https://www.example.com/thanks?a=1#b"),
        ("https://shop.example.com/other", "https://shop.example.com/other"),
        ("https://evil.example.com/", None),
        ("//evil.example.com/", None),
        ("/thanks", None),
        ("javascript:alert(1)", None),
        ("https://evil.example.com\\@www.example.com/", None),
        ("https://www.example.com@evil.example.com/", None),
        ("https://www.example.com.evil.example/", None),
        ("https://evil.example.com\t/https://www.example.com", None),
        ("http://www.example.com/", None),
    ],
)
def test_a_form_leads_on_to_its_own_sites_only(wanted: str, leads_to: str | None) -> None:
    """No open redirect, however the address is written."""
    assert onward(wanted, SITE, LISTED, THANKS) == leads_to


def test_where_every_site_may_send_each_leads_to_itself() -> None:
    """And to no other."""
    everybody = frozenset({ANY})
    assert onward("https://a.example/x", "https://a.example", everybody, None) == "https://a.example/x"
    assert onward("https://b.example/x", "https://a.example", everybody, None) is None
    assert onward("https://b.example/x", None, everybody, None) is None
