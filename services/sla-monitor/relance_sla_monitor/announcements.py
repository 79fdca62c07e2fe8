"""What the SLA monitor says of clocks."""

from datetime import datetime

from relance.events import BreachWithdrawn, Envelope, StepFired
from relance.events.data import EventData
from relance.ids import NewId
from relance_sla_monitor.clocks import StoredClock
from relance_sla_monitor.domain.clocks import Clock, Step

SOURCE = "relance/sla-monitor"


def step_fired(stored: StoredClock, step: Step, now: datetime, new_id: NewId) -> Envelope:
    """A step fell due and fired now."""
    clock = stored.clock
    assert clock.deadline  # noqa: S101 - narrows the type: nothing fires while nobody knows the deadline
    fired = StepFired(
        assignment_id=stored.assignment_id,
        lead_id=stored.lead_id,
        clock=clock.name,
        step=step.name,
        occurrence=step.occurrence,
        action=step.action,
        to=step.to,
        via=step.via,
        rep=stored.rep,
        team=stored.team,
        due_at=step.due_at,
        fired_at=now,
        deadline=clock.deadline,
        response_window=clock.terms.window,
        passed_on=step.passed_on,
    )
    return _said(stored, fired, now, new_id)


def breach_withdrawal(stored: StoredClock, settled: Clock, new_id: NewId) -> Envelope:
    """A breach that was announced did not happen: the clock had been stopped."""
    assert settled.stopped_at  # noqa: S101 - narrows the type: a withdrawn breach has been answered
    withdrawn = BreachWithdrawn(
        assignment_id=stored.assignment_id,
        lead_id=stored.lead_id,
        clock=settled.name,
        rep=stored.rep,
        team=stored.team,
        responded_at=settled.stopped_at,
        deadline=settled.deadline,
    )
    return _said(stored, withdrawn, settled.stopped_at, new_id)


def _said(about: StoredClock, data: EventData, time: datetime, new_id: NewId) -> Envelope:
    return Envelope.caused_by(
        about.traceparent, data, source=SOURCE, subject=str(about.lead_id), time=time, new_id=new_id
    )
