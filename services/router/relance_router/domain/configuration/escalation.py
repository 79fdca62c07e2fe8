"""What happens, in order, while a rep does not answer."""

from datetime import timedelta

from relance.events.assignment import StepAction
from relance_router.domain.configuration.field_types import Document, Duration, Filled, Name, Share


class PolicyStep(Document):
    """One step: falls due when `at` of the response window has passed, and `after` on top."""

    name: Name
    action: StepAction
    at: Share
    after: Duration = timedelta()


class EscalationPolicy(Document):
    """What happens, in order, while a rep does not answer."""

    id: Name
    steps: Filled[PolicyStep]
