"""What operators may do to the terms of an assignment by hand, and why they sometimes may not."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from relance.events.assignment import ClockName
from relance_router.domain.terms import Deadlines, Terms, hold_at, passed
from relance_router.domain.time_left import duration_words

LONGEST = timedelta(days=366)
"""What takes longer than this is a slip of the pen."""


class HoldOutOfReach(ValueError):
    """The end of the hold is not ahead, or too far."""


class InterventionRefused(RuntimeError):
    """It cannot be done as things stand; the sentence is for the operator."""


class KeyUsedTwice(ValueError):
    """The idempotency key came with another order for the lead before. Nothing was done."""


@dataclass(frozen=True)
class Situation:
    """An assignment at a moment: its terms, each clock's deadline, and which clocks run."""

    rep: str
    terms: Terms
    deadlines: Deadlines
    running: frozenset[ClockName]
    now: datetime


def extend(situation: Situation, clock: ClockName, by_how_long: timedelta) -> Terms:
    """The terms with more time on a clock.

    Raises:
        InterventionRefused: there is no such clock, it was stopped, or its deadline has passed.
    """
    due = situation.deadlines.get(clock)
    if clock not in situation.terms.windows:
        raise InterventionRefused(f"No {clock} clock runs for this lead: nothing of the kind was promised for it.")
    if clock not in situation.running:
        raise InterventionRefused(f"The {clock} clock has stopped: {situation.rep} has done what it waited for.")
    if due is not None and passed(due, situation.now):
        raise InterventionRefused(
            f"The {clock} deadline passed {duration_words(situation.now - due)} ago, at {due:%Y-%m-%d %H:%M:%S} UTC:"
            " more time does not undo a breach. Reassign the lead, or leave it with its rep."
        )
    return situation.terms.more(clock, by_how_long)


def hold(situation: Situation, until: datetime | None) -> Terms:
    """The terms with every clock standing still from now on.

    Raises:
        HoldOutOfReach: `until` does not lie ahead, or is too far.
        InterventionRefused: no clock runs, or they stand still already.
    """
    if until and not situation.now < until <= situation.now + LONGEST:
        raise HoldOutOfReach(f"must lie ahead, at most {LONGEST.days} days: it is {situation.now:%Y-%m-%d %H:%M} UTC")
    if lasting := hold_at(situation.terms.holds, situation.now):
        ends = f"until {lasting.until:%Y-%m-%d %H:%M:%S} UTC" if lasting.until else "until it is released"
        raise InterventionRefused(f"The lead is on hold already, {ends}. Release it first.")
    if not situation.running & situation.terms.windows.keys():
        raise InterventionRefused(
            f"No clock runs for this lead any more: {situation.rep} has done what was waited for."
        )
    return situation.terms.held(situation.now, until)


def release(situation: Situation) -> Terms:
    """The terms with every clock running again.

    Raises:
        InterventionRefused: the lead is not on hold.
    """
    if hold_at(situation.terms.holds, situation.now) is None:
        raise InterventionRefused("The lead is not on hold.")
    return situation.terms.released(situation.now)
