"""The ways to somebody: their tool, and e-mail beside or instead of it; and what becomes of a notification on each."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from relance_router.domain.circuit_breaker import Circuit, attempts_allowed
from relance_router.domain.configuration import Reachable
from relance_router.domain.retry_schedule import Delivered, Disable, Step, TryAgain

State = Literal["pending", "delivered", "failed", "cancelled"]
EmailState = Literal["unsent", "sent", "failed"]


@dataclass(frozen=True)
class EndpointHealth:
    """What is remembered of an endpoint at its present address; as it is here, the endpoint is well."""

    circuit: Circuit = field(default_factory=Circuit)
    disabled_because: str | None = None
    """The reason for which nothing is sent until the address changes or an operator enables it."""


@dataclass(frozen=True)
class Ways:
    """How what waits for an endpoint may go out now."""

    attempts: int
    """Attempts that may be under way at the tool; 0 when there is none or it is left alone."""
    email_after: timedelta | None
    """The age from which a notification goes by e-mail as well, once; None for never."""


@dataclass(frozen=True)
class Progress:
    """Where a notification stands; `delivered` means that its recipient was told, on whichever way."""

    state: State
    email: EmailState


def ways(contact: Reachable | None, health: EndpointHealth, now: datetime, *, at_most: int, after: timedelta) -> Ways:
    """The ways to a contact; None for one that the configuration no longer has, which is tried in case it comes back.

    By e-mail at once when there is no other way, or when the tool is disabled or its circuit is broken; otherwise once
    a notification is `after` old and not delivered. A pause that the tool asked for is no reason to hurry.
    """
    usable = tool_goes_on(contact, health)
    attempts = attempts_allowed(health.circuit, now, at_most) if usable else 0
    if contact is None or contact.email is None:
        return Ways(attempts, None)
    return Ways(attempts, after if usable and not health.circuit.broken else timedelta())


def tool_goes_on(contact: Reachable | None, health: EndpointHealth) -> bool:
    """Whether the tool is still to be told, whatever e-mail has done: a CRM wants its record although its owner knows.

    Not when there is no tool, or when it is disabled.
    """
    return (contact is None or contact.address is not None) and health.disabled_because is None


def after_tool(progress: Progress, step: Step, *, has_email: bool) -> Progress:
    """The notification after an attempt at the tool.

    What was cancelled meanwhile stays cancelled, unless it has arrived. What a disabled tool did not take is left to
    e-mail, when there is one that has not been tried.
    """
    if isinstance(step, Delivered):
        return replace(progress, state="delivered")
    if progress.state != "pending" or isinstance(step, TryAgain):
        return progress
    if progress.email == "sent":
        return replace(progress, state="delivered")
    left_to_email = isinstance(step, Disable) and has_email and progress.email == "unsent"
    return progress if left_to_email else replace(progress, state="failed")


def after_email(progress: Progress, step: Step, *, tool_goes_on: bool) -> Progress:
    """The notification after an attempt by e-mail. While the tool goes on, what it does decides the state."""
    goes_on = progress.state == "pending" and tool_goes_on
    if isinstance(step, Delivered):
        return Progress("pending" if goes_on else "delivered", "sent")
    if isinstance(step, TryAgain):
        return progress
    return Progress("failed" if progress.state == "pending" and not tool_goes_on else progress.state, "failed")
