"""What happens, in order, while a rep does not answer."""

from datetime import timedelta
from functools import cached_property

from pydantic import Field

from relance.events import EscalationStep
from relance.events.assignment import ClockName, StepAction
from relance_router.domain.configuration.field_types import Document, Duration, Filled, Name, Share


class PolicyStep(Document):
    """One step: falls due when `at` of its clock's window has passed, and `after` on top. All of it is working time."""

    name: Name
    action: StepAction
    at: Share
    after: Duration = timedelta()
    clock: ClockName = Field(
        "response",
        description=(
            "response: until the first answer. contact: until the lead is contacted (`contact_within`). disposition: "
            "until sales says what it was worth (`decide_within`)."
        ),
    )


class EscalationPolicy(Document):
    """What happens, in order, while a rep does not answer."""

    id: Name
    steps: Filled[PolicyStep]

    @cached_property
    def as_told(self) -> tuple[EscalationStep, ...]:
        """The steps as an assignment's event tells them."""
        return tuple(
            EscalationStep(
                name=step.name, action=step.action, window_fraction=step.at, delay=step.after, clock=step.clock
            )
            for step in self.steps
        )
