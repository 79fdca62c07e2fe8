"""An endpoint: its name, its address and its signing secret.

`rep:<id>`, `manager:<team>` and `contact:<id>` are told as they usually are; with `:<way>` behind, in that way alone:
`manager:dach:slack`. (Ids have no colon, and names of endpoints stand in the paths of the API, so it is no slash.)
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import get_args

from relance.events.assignment import Way
from relance_router.domain.configuration import Configuration, Reachable


def rep_endpoint(rep: str) -> str:
    """The endpoint's name; its address is looked up when sending, so that a mended address helps what waits."""
    return f"rep:{rep}"


def manager_endpoint(team: str) -> str:
    """The endpoint of a team's manager."""
    return f"manager:{team}"


def contact_endpoint(contact_id: str) -> str:
    """The endpoint of a contact."""
    return f"contact:{contact_id}"


def in_this_way(endpoint: str, way: Way) -> str:
    """The same person's endpoint that is told in one way alone."""
    return f"{endpoint}:{way}"


def contact(configuration: Configuration, endpoint: str) -> Reachable | None:
    """Where an endpoint is told; None when the configuration no longer has it, or not in this way."""
    kind, _, rest = endpoint.partition(":")
    name, _, way = rest.partition(":")
    told = _person(configuration, kind, name)
    if told is None or not way:
        return told
    return next((told.only(known) for known in get_args(Way) if known == way and told.has(known)), None)


def told_by(configuration: Configuration, endpoint: str, via: Sequence[Way]) -> list[str]:
    """The endpoints that tell somebody in each of these ways.

    Without any, and for who has none of them (any more, or who was given a lead of another team's), as usually.
    """
    told = contact(configuration, endpoint)
    return [in_this_way(endpoint, way) for way in via if told and told.has(way)] or [endpoint]


def _person(configuration: Configuration, kind: str, name: str) -> Reachable | None:
    if kind == "rep":
        return configuration.reps_by_id.get(name)
    if kind == "contact":
        return configuration.contacts_by_id.get(name)
    team = configuration.teams_by_id.get(name) if kind == "manager" else None
    return team.manager if team else None


def tool_address(told: Reachable | None) -> str | None:
    """The address of their tool; None when they have none."""
    return told.address[1] if told and told.address else None


def signing_secret(master: str, endpoint: str) -> str:
    """The endpoint's Standard Webhooks secret (`whsec_…`), derived from the master key.

    One HMAC-SHA256 of the endpoint's name: nothing to store, and one endpoint's secret tells nothing of another's. It
    is the same in every way: who receives need not know by which they are told.
    """
    whose = ":".join(endpoint.split(":")[:2])
    derived = hmac.new(master.encode(), f"relance webhook {whose}".encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(derived).decode()
