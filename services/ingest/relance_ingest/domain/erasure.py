"""How the leads of an erasure are divided into parts, and who must prove each."""

from collections.abc import Iterable
from dataclasses import dataclass

from relance.ids import LeadId

LARGEST_PART = 500
PROVING = frozenset({"router"})
"""Services that hold personal data of leads, besides ingest."""


@dataclass(frozen=True)
class Part:
    """Leads that are told of together. `key` is the Kafka key behind whose events they are erased."""

    number: int
    key: str
    lead_ids: tuple[LeadId, ...]


def parts(leads: Iterable[tuple[LeadId, str]], *, first: int) -> list[Part]:
    """At most `LARGEST_PART` leads, each with the key of its events, in a part for each key, numbered from `first`."""
    by_key: dict[str, list[LeadId]] = {}
    for lead_id, key in leads:
        by_key.setdefault(key, []).append(lead_id)
    return [Part(number, key, tuple(ids)) for number, (key, ids) in enumerate(sorted(by_key.items()), start=first)]
