"""Promises of partners' secrets."""

import pytest

from relance_ingest.sources import Source, SourcesRefused, credentials
from relance_ingest.sources.partners import MetaPartner, SignedPartner


def test_every_variable_that_is_not_set_is_named_with_its_source() -> None:
    """At start, before a partner is told that its signature is wrong."""
    meta = MetaPartner(kind="meta", secret_from=("A", "B"), verify_token_from=("C",), access_token_from=("D",))
    standard = SignedPartner(kind="standard_webhooks", secret_from=("E",))
    sources = [Source(id="facebook", partner=meta), Source(id="shop", partner=standard)]
    with pytest.raises(SourcesRefused, match=r"'facebook': environment variable B.*'shop': environment variable E"):
        credentials(sources, {"A": "a", "C": "c", "D": "d", "E": "x"})
    known = credentials(sources, {"A": "a", "B": "b", "C": "c", "D": "d", "E": "whsec_c2VjcmV0"})
    assert known["facebook"].secrets == ("a", "b")
    assert "whsec" not in repr(known)


def test_a_source_is_known_by_a_key_or_by_its_partner() -> None:
    """Otherwise nobody could send to it."""
    with pytest.raises(ValueError, match="key_sha256, or partner"):
        Source(id="nobody")
