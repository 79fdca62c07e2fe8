"""Who had the last lead of a person or of a company."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance_router.domain.configuration import Configuration
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.owners import LastOwners, company_domain

# Whoever declined or ignored the lead does not own the person. By the leads' time, which has an index: a company may
# have sent thousands, of which the first or second will do.
_NEWEST = """
    SELECT given.known, newest.rep
    FROM unnest(CAST(:known AS text[])) AS given (known)
    CROSS JOIN LATERAL (
        SELECT a.rep FROM leads l JOIN assignments a ON a.lead_id = l.id AND a.ended_at IS NULL
        WHERE l.{column} = given.known AND l.routed_at >= :since
        ORDER BY l.routed_at DESC LIMIT 1
    ) newest
"""
_OF_PERSON = text(_NEWEST.format(column="identity"))
_OF_COMPANY = text(_NEWEST.format(column="company_domain"))


async def last_owners(
    connection: AsyncConnection, configuration: Configuration, leads: Sequence[LeadFacts], now: datetime
) -> LastOwners:
    """The last owners that the configuration wants these leads to stick to."""
    stickiness = configuration.stickiness
    if stickiness is None:
        return LastOwners()
    since = now - stickiness.within
    people = sorted({lead.identity for lead in leads}) if "person" in stickiness.by else []
    domains = {company_domain(configuration, lead) for lead in leads} if "company" in stickiness.by else set()
    companies = sorted(domain for domain in domains if domain)
    of_person = await connection.execute(_OF_PERSON, {"known": people, "since": since}) if people else ()
    of_company = await connection.execute(_OF_COMPANY, {"known": companies, "since": since}) if companies else ()
    return LastOwners({row.known: row.rep for row in of_person}, {row.known: row.rep for row in of_company})
