"""Where ingest holds personal data that is sealed at rest; the outbox is sealed by itself, and soon empty."""

from relance.resealing import SealedColumn

SEALED_COLUMNS = (
    SealedColumn("leads", "data", "jsonb"),
    SealedColumn("quarantine_decisions", "reason", "text", key_type="bigint"),
    SealedColumn("erasures", "reason", "text"),
)
