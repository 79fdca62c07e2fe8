"""An endpoint: its name, its address and its signing secret."""

import base64
import hashlib
import hmac

from relance_router.domain.configuration import Configuration, Reachable


def rep_endpoint(rep: str) -> str:
    """The endpoint's name; its address is looked up when sending, so that a mended address helps what waits."""
    return f"rep:{rep}"


def manager_endpoint(team: str) -> str:
    """The endpoint of a team's manager."""
    return f"manager:{team}"


def contact(configuration: Configuration, endpoint: str) -> Reachable | None:
    """Where `rep:<id>` or `manager:<team>` is told; None when the configuration no longer has it."""
    kind, _, name = endpoint.partition(":")
    if kind == "rep":
        return configuration.reps_by_id.get(name)
    team = configuration.teams_by_id.get(name)
    return team.manager if team else None


def tool_address(told: Reachable | None) -> str | None:
    """The address of their tool; None when they have none."""
    return told.address[1] if told and told.address else None


def signing_secret(master: str, endpoint: str) -> str:
    """The endpoint's Standard Webhooks secret (`whsec_…`), derived from the master key.

    One HMAC-SHA256 of the endpoint's name: nothing to store, and one endpoint's secret tells nothing of another's.
    """
    derived = hmac.new(master.encode(), f"relance webhook {endpoint}".encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(derived).decode()
