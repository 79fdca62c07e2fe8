"""Hooks of Schemathesis: what it makes up for a partner's webhook stands in that partner's payload, properly signed."""

import json
import random
import zlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import schemathesis
from requests import PreparedRequest
from tests.partner_requests import PARTNERS, Sample

_FORMS = [sample for sample in PARTNERS.values() if sample.file.endswith(".form")]
_OTHERS = [sample for sample in PARTNERS.values() if sample not in _FORMS]
_DEEPER = 0.7


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Have the request signed, once it is written."""
    if case.operation.path == "/v1/partners/{source}" and case.method == "POST":
        kwargs["auth"] = _signed


def _signed(request: PreparedRequest) -> PreparedRequest:
    """Each to one of the partners, the same every time."""
    made_up = request.body or b""
    body = made_up if isinstance(made_up, bytes) else str(made_up).encode()
    chance = random.Random(zlib.crc32(body))  # noqa: S311 - guards nothing
    form = "urlencoded" in request.headers.get("Content-Type", "")
    sample = chance.choice(_FORMS if form else _OTHERS)
    placed = _parameters(body, sample, chance) if form else _placed(body, sample, chance)
    url = urlunsplit(urlsplit(request.url or "")._replace(path=f"/v1/partners/{sample.kind}"))
    request.body, request.url = placed, url
    request.headers.update(sample.sign(sample.secret, placed, url, datetime.now(UTC)))
    return request


def _parameters(body: bytes, sample: Sample, chance: random.Random) -> bytes:
    """The recorded form with these values for some of its fields, and these fields."""
    made_up = dict(parse_qsl(body.decode(), keep_blank_values=True))
    recorded = [name for name, _ in parse_qsl(sample.body.decode(), keep_blank_values=True)]
    return sample.changed(**made_up | dict(zip(chance.sample(recorded, 2), made_up.values(), strict=False)))


def _placed(body: bytes, sample: Sample, chance: random.Random) -> bytes:
    """The recorded document with this value somewhere in it; the body itself, if it is no JSON."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    document: dict[str, Any] = sample.document()
    place: Any = document
    while True:
        keys = sorted(place.keys() - {"google_key"}) if isinstance(place, dict) else range(len(place))
        key = chance.choice(keys)
        if not (place[key] and isinstance(place[key], dict | list) and chance.random() < _DEEPER):
            break
        place = place[key]
    place[key] = value
    return json.dumps(document).encode()
