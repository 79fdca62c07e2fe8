"""Who had whose last lead, in a rehearsal."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from relance_router.domain.configuration import Configuration
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.owners import LastOwners, company_domain


class OwnersRemembered:
    """Reps by the person and the company whose leads they had, as far back as `stickiness` asks for."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._of_person: defaultdict[str, list[tuple[str, datetime]]] = defaultdict(list)
        self._of_company: defaultdict[str, list[tuple[str, datetime]]] = defaultdict(list)

    def remember(self, lead: LeadFacts, rep: str, moment: datetime) -> None:
        """A rep has got a lead."""
        for owners in self._of(lead):
            owners.append((rep, moment))

    def forget(self, lead: LeadFacts, rep: str, moment: datetime) -> None:
        """The rep has lost the lead got at that moment: whoever declines or ignores a lead does not own the person."""
        for owners in self._of(lead):
            owners.remove((rep, moment))

    def last(self, lead: LeadFacts, moment: datetime) -> LastOwners:
        """Of the lead's person and company."""
        stickiness = self._configuration.stickiness
        if stickiness is None:
            return LastOwners()
        since = moment - stickiness.within
        company = company_domain(self._configuration, lead)
        return LastOwners(
            _newest(self._of_person, lead.identity, since), _newest(self._of_company, company, since) if company else {}
        )

    def _of(self, lead: LeadFacts) -> list[list[tuple[str, datetime]]]:
        if self._configuration.stickiness is None:
            return []
        company = company_domain(self._configuration, lead)
        return [self._of_person[lead.identity], *([self._of_company[company]] if company else [])]


def _newest(owners: Mapping[str, list[tuple[str, datetime]]], key: str, since: datetime) -> dict[str, str]:
    had = owners.get(key)
    return {key: had[-1][0]} if had and had[-1][1] >= since else {}
