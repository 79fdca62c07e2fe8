"""What the router says when a rep has answered, and when sales has said what a lead was worth."""

from typing import ClassVar, Literal

from relance.events.data import Channel, EventData, UtcDatetime
from relance.ids import AssignmentId, LeadId

Answer = Literal["acknowledged", "contacted", "declined"]
Disposition = Literal["accepted", "rejected", "won", "lost"]

DeclineReason = Literal["wrong_territory", "wrong_language", "no_time", "conflict_of_interest", "other"]
RejectionReason = Literal["spam", "wrong_contact", "not_a_fit", "duplicate", "no_budget", "unreachable", "other"]
LossReason = Literal["price", "competitor", "no_decision", "no_need", "other"]


class ResponseRecorded(EventData):
    """A rep answered for an assignment. Each answer is recorded once; the first one is the response.

    What people write in their own words stays with the router: this is kept for ever, and may not name anybody.
    """

    TYPE: ClassVar[str] = "relance.response.recorded.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    rep: str
    answer: Answer
    responded_at: UtcDatetime


class DispositionRecorded(EventData):
    """Sales said what a lead was worth, or corrected that: the newest of an assignment counts.

    A lead that was won or lost had been accepted, also where nobody said so before it was won.
    """

    TYPE: ClassVar[str] = "relance.disposition.recorded.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    rep: str
    team: str
    source: str
    channel: Channel
    campaign: str | None
    disposition: Disposition
    reason: RejectionReason | LossReason | None
    recorded_at: UtcDatetime
