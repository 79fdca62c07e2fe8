"""How each endpoint is, in the database, so that all replicas leave the same ones alone."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance_router.domain.circuit_breaker import Circuit
from relance_router.domain.delivery_ways import EndpointHealth

MAIL = "smtp"
"""The mail server has a circuit too, under this name."""


@dataclass(frozen=True)
class StoredHealth:
    """What is stored of an endpoint, and of which address."""

    health: EndpointHealth
    address_sha256: str

    def at(self, address: str | None) -> EndpointHealth:
        """What holds for this address: another one starts afresh."""
        return self.health if self.address_sha256 == digest(address) else EndpointHealth()


Healths = Mapping[str, StoredHealth]
"""By endpoint; those that are well have none."""

# One index probe for each endpoint that something waits for: the next endpoint's first row, and the next's. (A "loose
# index scan"; PostgreSQL wiki, https://wiki.postgresql.org/wiki/Loose_indexscan.)
_WAITING = text("""
    WITH RECURSIVE waiting AS (
        (SELECT endpoint FROM notifications WHERE state = 'pending' ORDER BY endpoint LIMIT 1)
        UNION ALL
        SELECT (
            SELECT n.endpoint FROM notifications n
            WHERE n.state = 'pending' AND n.endpoint > waiting.endpoint
            ORDER BY n.endpoint LIMIT 1
        )
        FROM waiting WHERE waiting.endpoint IS NOT NULL
    )
    SELECT endpoint FROM waiting WHERE endpoint IS NOT NULL
""")
_COLUMNS = "endpoint, address_sha256, failures, openings, open_until, disabled_because"
_LOAD = text(f"SELECT {_COLUMNS} FROM endpoints WHERE endpoint = ANY(CAST(:endpoints AS text[]))")
_LOAD_ALL = text(f"SELECT {_COLUMNS} FROM endpoints")
_UNWELL = text("""
    SELECT count(*) FILTER (WHERE disabled_because IS NOT NULL) AS disabled,
        count(*) FILTER (WHERE disabled_because IS NULL AND open_until IS NOT NULL) AS open
    FROM endpoints
""")
_LOCK = text(f"""
    SELECT {_COLUMNS} FROM endpoints WHERE endpoint = ANY(CAST(:endpoints AS text[])) ORDER BY endpoint FOR UPDATE
""")
_MAKE = text("""
    INSERT INTO endpoints (endpoint, address_sha256, failures, openings)
    SELECT endpoint, '', 0, 0 FROM unnest(CAST(:endpoints AS text[])) AS given (endpoint)
    ORDER BY endpoint
    ON CONFLICT DO NOTHING
""")
_STORE = text("""
    UPDATE endpoints e SET
        address_sha256 = given.address_sha256, failures = given.failures, openings = given.openings,
        open_until = given.open_until, disabled_because = given.disabled_because, changed_at = now()
    FROM unnest(
        CAST(:endpoints AS text[]), CAST(:addresses AS text[]), CAST(:failures AS integer[]),
        CAST(:openings AS integer[]), CAST(:open_untils AS timestamptz[]), CAST(:reasons AS text[])
    ) AS given (endpoint, address_sha256, failures, openings, open_until, disabled_because)
    WHERE e.endpoint = given.endpoint
""")
# The probe's lease: until it runs out, other replicas find the circuit open.
_RESERVE = text("""
    SELECT endpoint FROM endpoints
    WHERE endpoint = ANY(CAST(:endpoints AS text[])) AND open_until <= now()
    FOR UPDATE SKIP LOCKED
""")
_PROBE = text("""
    UPDATE endpoints SET open_until = now() + CAST(:lease AS interval)
    WHERE endpoint = ANY(CAST(:endpoints AS text[]))
""")
_FORGET = text("DELETE FROM endpoints WHERE endpoint = :endpoint")


def health_at(healths: Healths, endpoint: str, address: str | None) -> EndpointHealth:
    """How an endpoint is, at the address that it has now."""
    stored = healths.get(endpoint)
    return stored.at(address) if stored else EndpointHealth()


def digest(address: str | None) -> str:
    """What is stored of an address: chat tools' addresses are secrets."""
    return hashlib.sha256((address or "").encode()).hexdigest()


async def endpoints_waiting(connection: AsyncConnection) -> list[str]:
    """The endpoints that have something pending; touches one row of each."""
    return list((await connection.execute(_WAITING)).scalars())


async def load_health(connection: AsyncConnection, endpoints: Sequence[str] | None = None) -> Healths:
    """What is stored of these endpoints, or of all."""
    if endpoints is None:
        rows = await connection.execute(_LOAD_ALL)
    else:
        rows = await connection.execute(_LOAD, {"endpoints": list(endpoints)})
    return {row.endpoint: _stored(*row[1:]) for row in rows}


async def unwell(connection: AsyncConnection) -> dict[str, int]:
    """How many endpoints are `disabled`, and how many circuits are `open` (half open ones too)."""
    return dict((await connection.execute(_UNWELL)).mappings().one())


async def lock_health(connection: AsyncConnection, endpoints: Sequence[str]) -> Healths:
    """What is stored of these endpoints, made where it is missing, and locked."""
    await connection.execute(_MAKE, {"endpoints": sorted(endpoints)})
    rows = await connection.execute(_LOCK, {"endpoints": sorted(endpoints)})
    return {row.endpoint: _stored(*row[1:]) for row in rows}


async def store_health(connection: AsyncConnection, healths: Healths) -> None:
    """Store what has become of endpoints; they are locked."""
    stored = list(healths.values())
    columns = {
        "endpoints": list(healths),
        "addresses": [each.address_sha256 for each in stored],
        "failures": [each.health.circuit.failures for each in stored],
        "openings": [each.health.circuit.openings for each in stored],
        "open_untils": [each.health.circuit.open_until for each in stored],
        "reasons": [each.health.disabled_because for each in stored],
    }
    await connection.execute(_STORE, columns)


async def reserve_probes(connection: AsyncConnection, endpoints: Sequence[str]) -> list[str]:
    """Of these half-open endpoints, those that this transaction may probe; no other can until it ends."""
    if not endpoints:
        return []
    return list((await connection.execute(_RESERVE, {"endpoints": list(endpoints)})).scalars())


async def probe(connection: AsyncConnection, endpoints: Sequence[str], lease: timedelta) -> None:
    """Keep others from probing reserved endpoints until the attempt is over, or lost."""
    if endpoints:
        await connection.execute(_PROBE, {"endpoints": list(endpoints), "lease": lease})


async def forget_health(connection: AsyncConnection, endpoint: str) -> bool:
    """Take an endpoint as well again; returns whether anything was stored of it."""
    return (await connection.execute(_FORGET, {"endpoint": endpoint})).rowcount > 0


def _stored(
    address_sha256: str, failures: int, openings: int, open_until: datetime | None, disabled_because: str | None
) -> StoredHealth:
    return StoredHealth(EndpointHealth(Circuit(failures, openings, open_until), disabled_because), address_sha256)
