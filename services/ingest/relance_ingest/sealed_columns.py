"""Where ingest holds personal data that is sealed at rest."""

from relance.outbox import WAITING_EVENTS
from relance.resealing import SealedColumn

SEALED_COLUMNS = (
    SealedColumn("leads", "data", "jsonb"),
    SealedColumn("quarantine_decisions", "reason", "text", key_type="bigint"),
    SealedColumn("erasures", "reason", "text"),
    WAITING_EVENTS,
)
