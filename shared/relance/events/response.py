"""What the router says when a rep has answered."""

from typing import ClassVar, Literal

from relance.events.data import EventData, UtcDatetime
from relance.ids import AssignmentId, LeadId

Answer = Literal["acknowledged", "contacted", "declined"]


class ResponseRecorded(EventData):
    """A rep answered for an assignment. Each answer is recorded once; the first one is the response."""

    TYPE: ClassVar[str] = "relance.response.recorded.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    rep: str
    answer: Answer
    responded_at: UtcDatetime
    reason: str | None = None
