"""What the router says: who owns a lead, since when, and when that ended."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from relance.calendars import Calendar
from relance.events.data import Channel, EventData, Seconds, UtcDatetime
from relance.ids import AssignmentId, LeadId

StepAction = Literal["remind_rep", "at_risk", "breach", "notify_manager", "notify", "reassign"]
TELLING: frozenset[StepAction] = frozenset({"remind_rep", "notify_manager", "notify"})
"""Actions that tell somebody, whom quiet hours leave alone."""
TELLING_OTHERS = TELLING - {"remind_rep"}
"""Those that tell somebody else than the rep: they go on when the lead is passed on."""
Way = Literal["webhook", "slack", "teams", "email"]
"""How somebody is told."""

ClockName = Literal["response", "contact", "disposition"]
"""What is waited for: the first answer, the first contact, or the word on what the lead was worth."""


class EscalationStep(BaseModel):
    """One step of an escalation policy, as configured when the assignment was made.

    It falls due when `window_fraction` of its clock's window has passed, and `delay` after that: all working time. Then
    it is repeated `repeat_times`, `repeat_every` apart, until its clock stops.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    action: StepAction
    window_fraction: float = Field(gt=0)
    delay: Seconds
    clock: ClockName = "response"
    to: tuple[str, ...] = Field((), description="The contacts that action `notify` tells.")
    via: tuple[Way, ...] = Field((), description="How they are told; empty: by their tool, by e-mail when that fails.")
    repeat_every: Seconds | None = None
    repeat_times: int = Field(0, ge=0)
    urgent: bool = Field(False, description="Whether it is told in quiet hours too.")


class Hold(BaseModel):
    """A span in which an assignment's clocks stand still; without an end, until it is released."""

    model_config = ConfigDict(frozen=True)

    since: UtcDatetime
    until: UtcDatetime | None = None


class SkippedStep(BaseModel):
    """A step that had fired, under terms that held no more when the router heard of it: nobody was told."""

    model_config = ConfigDict(frozen=True)

    clock: ClockName
    step: str
    occurrence: int = Field(ge=1)
    due_at: UtcDatetime


class AssignmentMade(EventData):
    """A lead has a new owner, who is being told, and whose response window is running."""

    TYPE: ClassVar[str] = "relance.assignment.made.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    ordinal: int = Field(ge=1, description="1 for the lead's first owner, 2 for the second, and so on.")
    rep: str
    team: str
    rule: str
    source: str
    channel: Channel
    campaign: str | None
    received_at: UtcDatetime
    assigned_at: UtcDatetime
    response_window: Seconds
    contact_window: Seconds | None = Field(None, description="None: no clock runs for the first contact.")
    disposition_window: Seconds | None = Field(None, description="None: no clock runs for the disposition.")
    calendar: Calendar | None = Field(None, description="Whose working time windows count in; None: all time counts.")
    escalation: tuple[EscalationStep, ...]
    quiet_outside: Calendar | None = Field(
        None, description="Outside of its hours nobody is told but of what is urgent; None: there are no quiet hours."
    )
    configuration: int = Field(description="Version of the routing configuration that decided.")


class AssignmentTermsChanged(EventData):
    """What was promised for an assignment is another from now on: all of it is told anew, the newest revision holds.

    What is past stays: a clock whose deadline had passed by `changed_at` keeps its terms, steps that have fired stay
    fired unless they were `skipped`, and no deadline is moved to before `changed_at`.
    """

    TYPE: ClassVar[str] = "relance.assignment.terms_changed.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    rep: str
    team: str
    revision: int = Field(ge=1, description="1 for the first change, 2 for the second, and so on.")
    changed_at: UtcDatetime
    because: Literal["configuration", "revised", "extended", "held", "released"] = Field(
        description="revised: by what is known of the lead now, its window is shorter."
    )
    by: str | None = Field(None, description="Who changed them by hand.")
    response_window: Seconds = Field(description="Counted from when the assignment was made, extensions included.")
    contact_window: Seconds | None = None
    disposition_window: Seconds | None = None
    extended: dict[ClockName, Seconds] = Field(
        default_factory=dict, description="How much of each window was added by hand."
    )
    skipped: tuple[SkippedStep, ...] = Field((), description="What fires again, at its time under these terms.")
    holds: tuple[Hold, ...] = Field((), description="Apart from each other, the earliest first.")
    calendar: Calendar | None = None
    escalation: tuple[EscalationStep, ...]
    quiet_outside: Calendar | None = None
    configuration: int = Field(description="Version of the routing configuration that these terms are of.")


class AssignmentEnded(EventData):
    """The rep no longer owns the lead."""

    TYPE: ClassVar[str] = "relance.assignment.ended.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    rep: str
    reason: Literal["declined", "reassigned", "erased"]
    ended_at: UtcDatetime
    by: str | None = Field(None, description="Who gave the lead to somebody else by hand.")


class LeadUnrouted(EventData):
    """Nobody could be given the lead; it stands in `unrouted` until somebody can."""

    TYPE: ClassVar[str] = "relance.lead.unrouted.v1"

    lead_id: LeadId
    source: str
    channel: Channel
    campaign: str | None
    received_at: UtcDatetime
    unrouted_at: UtcDatetime
    reason: str
    team: str | None = Field(None, description="The team that its rule names, whose members could not take it.")
    until: UtcDatetime | None = Field(None, description="When it is tried again, as far as that is known.")


class LeadErased(EventData):
    """A lead that stood unrouted was erased: nobody is looked for any more."""

    TYPE: ClassVar[str] = "relance.lead.erased.v1"

    lead_id: LeadId
    erased_at: UtcDatetime
