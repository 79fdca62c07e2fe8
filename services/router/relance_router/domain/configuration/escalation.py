"""What happens, in order, while a rep does not answer."""

from datetime import timedelta
from functools import cached_property
from typing import Self

from pydantic import Field, model_validator

from relance.events import EscalationStep
from relance.events.assignment import TELLING, ClockName, StepAction, Way
from relance_router.domain.configuration.field_types import (
    Document,
    Duration,
    Filled,
    Name,
    Share,
    Whole,
    Window,
    YesNo,
)


class Repeat(Document):
    """A step happens again, until its clock stops."""

    every: Window = Field(description="In working time, as `after` is.")
    times: Whole = Field(ge=1, le=20, description="How often, after the first time.")


class PolicyStep(Document):
    """One step: falls due when `at` of its clock's window has passed, and `after` on top. All of it is working time."""

    name: Name
    action: StepAction = Field(
        description=(
            "remind_rep tells the rep, notify_manager the team's manager, notify the contacts in `to`. at_risk and "
            "breach are for the books; reassign gives the lead to the next rep, or tries again when it is repeated."
        )
    )
    at: Share
    after: Duration = timedelta()
    clock: ClockName = Field(
        "response",
        description=(
            "response: until the first answer. contact: until the lead is contacted (`contact_within`). disposition: "
            "until sales says what it was worth (`decide_within`)."
        ),
    )
    to: tuple[Name, ...] = Field((), description="For notify: the `contacts` that are told.")
    via: tuple[Way, ...] = Field(
        (),
        description="How they are told, in each of these ways; none: by their usual tool, by e-mail when that fails.",
    )
    repeat: Repeat | None = None
    urgent: YesNo = Field(False, description="Told in quiet hours too.")

    @model_validator(mode="after")
    def _told(self) -> Self:
        if self.action == "notify" and not self.to:
            raise ValueError("action notify wants `to`: the contacts that are told")
        if self.action != "notify" and self.to:
            raise ValueError(f"action {self.action} takes no `to`: contacts are told by action notify")
        for key in ("via", "urgent"):
            if self.action not in TELLING and getattr(self, key):
                raise ValueError(f"action {self.action} tells nobody, so it takes no `{key}`")
        if self.repeat and self.action not in TELLING | {"reassign"}:
            raise ValueError(f"action {self.action} takes no `repeat`: once is enough")
        return self


class EscalationPolicy(Document):
    """What happens, in order, while a rep does not answer."""

    id: Name
    quiet_outside: Name | None = Field(
        None,
        description=(
            "The calendar outside of whose hours nobody is told, but of urgent steps: the others wait until it opens; "
            "none: there are no quiet hours."
        ),
    )
    steps: Filled[PolicyStep]

    @cached_property
    def as_told(self) -> tuple[EscalationStep, ...]:
        """The steps as an assignment's event tells them."""
        return tuple(
            EscalationStep(
                name=step.name,
                action=step.action,
                window_fraction=step.at,
                delay=step.after,
                clock=step.clock,
                to=step.to,
                via=step.via,
                repeat_every=step.repeat.every if step.repeat else None,
                repeat_times=step.repeat.times if step.repeat else 0,
                urgent=step.urgent,
            )
            for step in self.steps
        )
