"""What ingest's command asks every other service when a person wants to know what is held of them."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

MOST_LEADS = 500
"""Of one request."""


class ExportOrder(BaseModel):
    """Which leads are wanted; whose they are, ingest knows."""

    model_config = ConfigDict(extra="forbid")

    lead_ids: list[UUID] = Field(min_length=1, max_length=MOST_LEADS)
