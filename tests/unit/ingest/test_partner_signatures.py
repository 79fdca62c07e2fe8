"""Promises of every partner's signature."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.partner_requests import PARTNERS as SAMPLES
from tests.partner_requests import Sample

from relance_ingest.partners import PARTNERS, meta
from relance_ingest.partners.partner import ReceivedRequest, WrongSignature

URL = "https://leads.example.com/v1/partners/it?campaign=spring%20sale"
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
OTHER = {"standard_webhooks": "whsec_b3RoZXI="}

every_partner = pytest.mark.parametrize("sample", SAMPLES.values(), ids=list(SAMPLES))


def request(body: bytes, headers: Mapping[str, str], *, at: datetime = NOW, url: str = URL) -> ReceivedRequest:
    return ReceivedRequest("POST", url, {name.lower(): value for name, value in headers.items()}, body, at)


def signed(sample: Sample, *, secret: str | None = None, at: datetime = NOW) -> dict[str, str]:
    return sample.sign(secret or sample.secret, sample.body, URL, at)


def refusal(sample: Sample, received: ReceivedRequest, secrets: Sequence[str] | None = None) -> str:
    with pytest.raises(WrongSignature) as refused:
        PARTNERS[sample.kind].verify(received, secrets or [sample.secret])
    return refused.value.reason


def test_every_adapter_has_a_sample() -> None:
    """What is registered is tested."""
    assert SAMPLES.keys() == PARTNERS.keys()


@every_partner
def test_what_the_partner_signed_is_taken_with_any_of_its_secrets(sample: Sample) -> None:
    """While a secret is changed, the old one and the new one count."""
    received = request(sample.body, signed(sample))
    PARTNERS[sample.kind].verify(received, [sample.secret])
    PARTNERS[sample.kind].verify(received, [OTHER.get(sample.kind, "another secret"), sample.secret])


@every_partner
def test_what_is_signed_with_another_secret_is_refused(sample: Sample) -> None:
    """Knowing the address is not enough."""
    received = request(sample.body, signed(sample))
    assert refusal(sample, received, [OTHER.get(sample.kind, "another secret")]) == "wrong"


@every_partner
def test_a_body_that_was_changed_on_the_way_is_refused(sample: Sample) -> None:
    """Google signs nothing, so there only a request without the key is refused."""
    if sample.header is None:
        assert refusal(sample, request(b'{"lead_id": "1"}', {})) == "missing"
    else:
        changed = (
            sample.body.replace(b"Huber", b"Mayer") if b"Huber" in sample.body else sample.body.replace(b"1", b"2")
        )
        if sample.kind == "twilio":
            changed = sample.body.replace(b"no-answer", b"completed")
        assert refusal(sample, request(changed, signed(sample))) == "wrong"


@every_partner
def test_a_request_without_a_signature_is_refused(sample: Sample) -> None:
    """Also one whose body nobody can read."""
    assert refusal(sample, request(b"\xff", {})) == "missing"
    headers = {name: value for name, value in signed(sample).items() if name != sample.header}
    assert sample.header is None or refusal(sample, request(sample.body, headers)) == "missing"


@every_partner
def test_a_signature_of_nonsense_is_refused_and_nothing_else_happens(sample: Sample) -> None:
    """Whatever stands in the headers."""
    for nonsense in (
        "=",
        "t=,v1=",
        "t=1e400,v1=é",
        "v1,é",
        "sha256=",
        "\udcff".encode(errors="replace").decode(),
        "nan",
    ):
        headers = dict.fromkeys(signed(sample), nonsense)
        if headers:
            assert refusal(sample, request(sample.body, headers)) in {"wrong", "missing"}


@pytest.mark.parametrize(
    "sample", [sample for sample in SAMPLES.values() if sample.signs_time], ids=lambda each: each.kind
)
def test_a_signature_of_another_time_is_refused(sample: Sample) -> None:
    """Five minutes either way: what was overheard cannot be sent again later."""
    for minutes in (-4, 4):
        PARTNERS[sample.kind].verify(
            request(sample.body, signed(sample, at=NOW + timedelta(minutes=minutes))), [sample.secret]
        )
    for minutes in (-6, 6):
        received = request(sample.body, signed(sample, at=NOW + timedelta(minutes=minutes)))
        assert refusal(sample, received) == "stale"


@pytest.mark.parametrize("kind", ["twilio", "hubspot"])
def test_a_signature_for_another_address_is_refused(kind: str) -> None:
    """Where the partner signs it."""
    sample = SAMPLES[kind]
    assert refusal(sample, request(sample.body, signed(sample), url=URL + "x")) == "wrong"


def test_twilio_may_sign_port_and_connection_overrides_or_leave_them_out() -> None:
    """It does both with the port; what stands behind # never reaches us."""
    sample = SAMPLES["twilio"]
    for signed_url, url in (
        ("https://leads.example.com/x?a=b#rc=5&rp=all", "https://leads.example.com/x?a=b"),
        ("https://leads.example.com:443/x#rc=5&rp=all", "https://leads.example.com/x"),
        ("https://leads.example.com:443/x", "https://leads.example.com/x"),
        ("https://leads.example.com/x", "https://leads.example.com:8443/x"),
    ):
        headers = sample.sign(sample.secret, sample.body, signed_url, NOW)
        PARTNERS["twilio"].verify(request(sample.body, headers, url=url), [sample.secret])


def test_hubspot_signs_addresses_with_some_escapes_undone() -> None:
    """As its documents list them."""
    sample = SAMPLES["hubspot"]
    headers = sample.sign(sample.secret, sample.body, "https://leads.example.com/x?to=a@b%20c", NOW)
    url = "https://leads.example.com/x?to=a%40b%20c"
    PARTNERS["hubspot"].verify(request(sample.body, headers, url=url), [sample.secret])


def test_hubspots_version_2_counts_where_version_3_was_not_sent() -> None:
    """Both examples are those of HubSpot's documents."""
    secret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
    for method, body, signature in (
        ("GET", b"", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"),
        (
            "POST",
            b'{"example_field":"example_value"}',
            "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900",
        ),
    ):
        headers = {"x-hubspot-signature-version": "v2", "x-hubspot-signature": signature}
        received = ReceivedRequest(method, "https://www.example.com/webhook_uri", headers, body, NOW)
        PARTNERS["hubspot"].verify(received, ["another secret", secret])
        assert refusal(SAMPLES["hubspot"], replace(received, body=body + b" "), [secret]) == "wrong"
        for named, reason in (
            ({"x-hubspot-signature-v3": "wrong", "x-hubspot-request-timestamp": "1"}, "wrong"),
            ({"x-hubspot-signature-version": "v1"}, "missing"),
        ):
            refused = replace(received, headers=headers | named)
            assert refusal(SAMPLES["hubspot"], refused, [secret]) == reason


def test_meta_is_answered_only_when_it_knows_the_verify_token() -> None:
    """One of them, while it is changed."""
    meta.confirm("subscribe", "new", ["old", "new"])
    for mode, token in (("subscribe", "other"), ("subscribe", ""), ("unsubscribe", "new"), ("", "new")):
        with pytest.raises(WrongSignature):
            meta.confirm(mode, token, ["old", "new"])


def test_a_key_that_is_no_text_is_refused() -> None:
    """A lone surrogate is valid JSON, and cannot be encoded."""
    refused = request(rb'{"google_key": "\ud800", "lead_id": "1"}', {})
    assert refusal(SAMPLES["google_ads"], refused) == "wrong"


@pytest.mark.parametrize("host", ["leads.example.com:99999", "leads.example.com:x", "[leads"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    """Whoever sends a request writes its Host: what cannot be read must not fail the service."""
    sample = SAMPLES["twilio"]
    refused = request(sample.body, {"X-Twilio-Signature": "wrong"}, url=f"https://{host}/v1/partners/it")
    assert refusal(sample, refused) == "wrong"
