"""Whether a rule's condition holds for a lead, and in words why not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from relance.calendars import Calendar, Span, is_open
from relance.calendars.calendar import WEEKDAYS
from relance_router.domain.comparisons import MOST_NAMED, any_of, shown
from relance_router.domain.configuration.conditions import Condition, Membership, Operators
from relance_router.domain.configuration.received import Received
from relance_router.domain.lead_facts import LeadFacts

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Circumstances:
    """A lead, and what the configuration makes of it."""

    lead: LeadFacts
    territories: frozenset[str]
    calendars: Mapping[str, Calendar]


def failure(condition: Condition, given: Circumstances) -> str | None:
    """The first entry that does not hold, with what the lead has and what is wanted; None when all hold."""
    fields = given.lead.fields
    for name, operators in condition.compared:
        failed = _comparison_failure(name, operators, fields.get(name))
        if failed:
            return failed
    if condition.territory:
        failed = _territory_failure(condition.territory, given)
        if failed:
            return failed
    if condition.received:
        failed = _received_failure(condition.received, given)
        if failed:
            return failed
    return _nested_failure(condition, given)


def _nested_failure(condition: Condition, given: Circumstances) -> str | None:
    for each in condition.all or ():
        failed = failure(each, given)
        if failed:
            return failed
    if condition.any:
        failures = [failed for failed in (failure(each, given) for each in condition.any) if failed]
        if len(failures) == len(condition.any):
            more = [f"and {len(failures) - MOST_NAMED} more"] if len(failures) > MOST_NAMED else []
            return f"any of: {'; '.join([*failures[:MOST_NAMED], *more])}"
    for each in condition.none or ():
        if failure(each, given) is None:
            return f"none of: {_held(each, given)}, which is excluded"
    return None


def _comparison_failure(name: str, operators: Operators, actual: str | None) -> str | None:
    if actual is None:
        if operators.exists is False:
            return None
        wanted = " and ".join(comparison.wanted for comparison in operators.comparisons) or "given"
        return f"{name} is not given, wanted {wanted}"
    if operators.exists is False:
        return f"{name} is {shown(actual)}, wanted not given"
    for comparison in operators.comparisons:
        if not comparison.holds(actual):
            return f"{name} is {shown(actual)}, wanted {comparison.wanted}"
    return None


def _territory_failure(membership: Membership, given: Circumstances) -> str | None:
    if membership.exists is not None and membership.exists != bool(given.territories):
        return f"{_territory(given)}, wanted {'given' if membership.exists else 'not given'}"
    if membership.in_ and given.territories.isdisjoint(membership.in_):
        return f"{_territory(given)}, wanted {any_of(membership.in_)}"
    return None


def _received_failure(received: Received, given: Circumstances) -> str | None:
    if received.zone and not _by_the_clock(received, given.lead.received_at):
        times = ", ".join(str(span) for span in received.time or ())
        days = " or ".join(received.days or ())
        return f"{_received(received, given)}, wanted {' on '.join(part for part in (times, days) if part)}"
    if received.during and not is_open(given.calendars[received.during], given.lead.received_at):
        return f"received outside of {received.during}, wanted during it"
    if received.outside and is_open(given.calendars[received.outside], given.lead.received_at):
        return f"received during {received.outside}, wanted outside of it"
    return None


def _by_the_clock(received: Received, moment: datetime) -> bool:
    local = moment.astimezone(ZoneInfo(str(received.zone)))
    shown_time = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
    spans = received.time or (Span(timedelta(), _DAY),)
    # A span that began yesterday may still last.
    for days_ago, time in ((0, shown_time), (1, shown_time + _DAY)):
        day = WEEKDAYS[(local.weekday() - days_ago) % 7]
        if (not received.days or day in received.days) and any(span.begin <= time < span.end for span in spans):
            return True
    return False


def _held(condition: Condition, given: Circumstances) -> str:
    """What a condition that holds found."""
    return " and ".join(_findings(condition, given)) or "any lead"


def _findings(condition: Condition, given: Circumstances) -> Iterator[str]:
    for name, _ in condition.compared:
        actual = given.lead.fields.get(name)
        yield f"{name} is {'not given' if actual is None else shown(actual)}"
    if condition.territory:
        yield _territory(given)
    if condition.received:
        yield _received(condition.received, given)
    for each in condition.all or ():
        yield from _findings(each, given)
    if condition.any:
        yield from _findings(next(each for each in condition.any if failure(each, given) is None), given)
    if condition.none:
        yield "none of its exceptions"


def _territory(given: Circumstances) -> str:
    return f"territory is {' and '.join(sorted(given.territories)) or 'not given'}"


def _received(received: Received, given: Circumstances) -> str:
    if received.zone is None:
        return "received " + " and ".join(
            f"{how} {calendar}"
            for how, calendar in (("during", received.during), ("outside of", received.outside))
            if calendar
        )
    local = given.lead.received_at.astimezone(ZoneInfo(received.zone))
    return f"received {WEEKDAYS[local.weekday()]} {local:%H:%M} in {received.zone}"
