"""In which territories a lead is."""

from collections.abc import Iterable

from relance_router.domain.configuration.territories import Territory
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.postal_codes import postal_code


def territories_of(lead: LeadFacts, territories: Iterable[Territory]) -> frozenset[str]:
    """Their ids, by the lead's country and postal code; there may be several."""
    country = lead.fields.get("country", "").upper()
    written = lead.fields.get("postal_code")
    code = postal_code(written) if written else None
    return frozenset(
        territory.id
        for territory in territories
        if country in territory.countries
        and (not territory.postal or (code is not None and any(code in each for each in territory.ranges)))
    )
