"""Ids are UUIDv7 (RFC 9562): unique without coordination, and in order of creation, which keeps indexes compact."""

from collections.abc import Callable
from datetime import datetime
from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

LeadId = NewType("LeadId", UUID)
AssignmentId = NewType("AssignmentId", UUID)
EventId = NewType("EventId", UUID)
ErasureId = NewType("ErasureId", UUID)
NotificationId = NewType("NotificationId", UUID)
"""Sent as `webhook-id`: the same for every attempt at one notification, so that a receiver can drop repeats."""

NewId = Callable[[], UUID]
"""Where ids come from; passed in, so that a decision can be repeated."""

new_id: NewId = uuid7


def first_id_at(moment: datetime) -> UUID:
    """The smallest id that could have been made at this moment: UUIDv7 begins with the milliseconds since 1970."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)
