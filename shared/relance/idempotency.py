"""The key by which a request that is sent again is known."""

from typing import Annotated

from pydantic import StringConstraints

from relance.storable import STORABLE

IDEMPOTENCY_HEADER = "Idempotency-Key"

IdempotencyKey = Annotated[str, StringConstraints(min_length=1, max_length=255), STORABLE]
"""Chosen by the sender: another one for another request, the same when it is sent again."""
