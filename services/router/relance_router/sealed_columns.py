"""Where the router holds personal data that is sealed at rest."""

from relance.resealing import SealedColumn

SEALED_COLUMNS = (
    SealedColumn("leads", "data", "jsonb"),
    SealedColumn("replaced_leads", "data", "jsonb", key="lead_id"),
    SealedColumn("answers", "reason", "text", key="assignment_id"),
    SealedColumn("dispositions", "note", "text", key="assignment_id"),
)
# Replicas of the release before wrote leads without these, and nothing looks into sealed ones.
FILL = """
    UPDATE leads SET source = data ->> 'source', channel = data ->> 'channel', campaign = data ->> 'campaign',
        received_at = CAST(data ->> 'received_at' AS timestamptz)
    WHERE source IS NULL
"""
