"""Random histories of leads, the events that tell them, and a slow oracle of what scorecards should say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from hypothesis import strategies as st

from relance.events import (
    AssignmentEnded,
    AssignmentMade,
    DispositionRecorded,
    LeadJoined,
    LeadSeparated,
    LeadUnrouted,
    ResponseRecorded,
)
from relance.events.data import Channel, EventData
from relance.events.response import Disposition, RejectionReason
from relance.ids import AssignmentId, LeadId, new_id
from relance_sla_monitor.scorecards.question import DIMENSIONS, Dimension, Per, Question
from relance_sla_monitor.scorecards.reader import ListedLead

START = datetime(2025, 3, 3, tzinfo=UTC)
"""A Monday."""
FAR = timedelta(days=36500)

Stop = tuple[Literal["acknowledged", "contacted", "declined", "reassigned", "erased"], int]
"""What happened, and how many minutes after the assignment."""


@dataclass(frozen=True)
class Owner:
    """One assignment. Minutes count from the one before (or the receipt), and for the rest from the assignment."""

    team: str
    rep: str
    after: int
    window: timedelta
    stops: tuple[Stop, ...]
    said: tuple[tuple[Disposition, RejectionReason | None, int], ...]


@dataclass(frozen=True)
class Touch:
    """The same person again; or somebody else, as was found later: then nobody has them."""

    source: str
    campaign: str | None
    channel: Channel
    received: int
    separated: bool


@dataclass(frozen=True)
class History:
    """One lead."""

    source: str
    campaign: str | None
    channel: Channel
    received: int
    unrouted: bool
    owners: tuple[Owner, ...]
    touches: tuple[Touch, ...] = ()


@dataclass
class Told:
    """The events of leads; what counts of them when leads count, beside that their touches, and when assignments do."""

    events: list[EventData] = field(default_factory=list)
    leads: list[ListedLead] = field(default_factory=list)
    touches: list[ListedLead] = field(default_factory=list)
    assignments: list[ListedLead] = field(default_factory=list)

    def counted(self, question: Question) -> list[ListedLead]:
        """What a question is about."""
        if question.per == "assignment":
            return self.assignments
        return [*self.leads, *self.touches] if question.side == "marketing" else self.leads


_minutes = st.sampled_from((0, 4, 10, 11, 30))
# Few values, so that leads meet in groups, and moments at the edges of windows.
_stop: st.SearchStrategy[Stop] = st.tuples(
    st.sampled_from(("acknowledged", "contacted", "declined", "reassigned", "erased")), _minutes
)
_said: st.SearchStrategy[tuple[Disposition, RejectionReason | None, int]] = st.one_of(
    st.tuples(st.sampled_from(("accepted", "won", "lost")), st.none(), _minutes),
    st.tuples(st.just("rejected"), st.sampled_from(("spam", "not_a_fit")), _minutes),
)
_owner = st.builds(
    Owner,
    team=st.sampled_from(("north", "south")),
    rep=st.sampled_from(("anna", "ben")),
    after=_minutes,
    window=st.sampled_from((timedelta(minutes=10), FAR)),
    stops=st.lists(_stop, max_size=3, unique_by=lambda stop: stop[0]).map(tuple),
    said=st.lists(_said, max_size=2).map(tuple),
)
_whence: dict[str, st.SearchStrategy[Any]] = {
    "source": st.sampled_from(("ads", "website")),
    "campaign": st.sampled_from((None, "spring", "=autumn")),
    "channel": st.sampled_from(("form", "call")),
    "received": st.sampled_from([day * 24 * 60 + minute for day in (0, 4, 8, 9, 20) for minute in (0, 1439)]),
}
histories = st.lists(
    st.builds(
        History,
        **_whence,
        unrouted=st.booleans(),
        touches=st.lists(st.builds(Touch, **_whence, separated=st.booleans()), max_size=2).map(tuple),
        owners=st.one_of(st.lists(_owner, min_size=1, max_size=2), st.lists(_owner, max_size=3)).map(tuple),
    ),
    min_size=8,
    max_size=16,
)


def told(histories: Sequence[History]) -> Told:
    """All that is told of these leads."""
    everything = Told()
    for history in histories:
        _tell(history, everything)
    return everything


def _tell(history: History, everything: Told) -> None:
    lead_id = LeadId(new_id())
    received_at = _received(history)
    events = everything.events
    own: list[ListedLead] = []
    worked: list[timedelta | None] = []
    erased: list[datetime] = []
    if history.unrouted:
        events.append(_unrouted(history, lead_id))
    begun = received_at
    for ordinal, owner in enumerate(history.owners, 1):
        assignment_id = AssignmentId(new_id())
        begun += timedelta(minutes=owner.after)
        made = AssignmentMade(
            assignment_id=assignment_id,
            lead_id=lead_id,
            ordinal=ordinal,
            rep=owner.rep,
            team=owner.team,
            rule="r",
            source=history.source,
            channel=history.channel,
            campaign=history.campaign,
            received_at=received_at,
            assigned_at=begun,
            response_window=owner.window,
            escalation=(),
            configuration=1,
        )
        events.append(made)
        said = _said_of(history, owner, made)
        events += [*_stops_of(owner, made), *said]
        newest = max(said, key=lambda each: each.recorded_at, default=None)
        own.append(_assignment(history, owner, made, newest))
        first = min(owner.stops, key=lambda stop: (stop[1], stop[0]), default=None)
        worked.append(None if first is None else timedelta(minutes=first[1]))
        erased += [begun + timedelta(minutes=after) for cause, after in owner.stops if cause == "erased"]
    lead = _lead(own, worked, min(erased, default=None)) if own else _nobodys(history, lead_id, told=history.unrouted)
    if own or history.unrouted:
        everything.leads.append(lead)
    everything.assignments += own
    for touch in history.touches:
        _touch(touch, lead, everything)


def _touch(touch: Touch, lead: ListedLead, everything: Told) -> None:
    touch_id = LeadId(new_id())
    nobodys = _nobodys(touch, touch_id, told=touch.separated)
    moment = nobodys.received_at
    everything.events.append(
        LeadJoined(
            lead_id=touch_id,
            joined=LeadId(lead.lead_id),
            source=touch.source,
            channel=touch.channel,
            campaign=touch.campaign,
            recognised_by=("email",),
            received_at=moment,
            joined_at=moment,
        )
    )
    if touch.separated:
        everything.events += [
            LeadSeparated(lead_id=touch_id, joined=LeadId(lead.lead_id), by="mia", separated_at=moment),
            _unrouted(touch, touch_id),
        ]
        everything.leads.append(nobodys)
    else:
        said = {name: getattr(lead, name) for name in ("team", "rep", "disposition", "disposition_reason")}
        everything.touches.append(replace(nobodys, joined=lead.lead_id, disposed_at=lead.disposed_at, **said))


def _received(whence: History | Touch) -> datetime:
    return START + timedelta(minutes=whence.received)


def _nobodys(whence: History | Touch, lead_id: LeadId, *, told: bool) -> ListedLead:
    at, team = _received(whence), "north" if told else None
    return ListedLead(
        lead_id, 0, None, whence.source, whence.campaign, whence.channel, team, None, _week(at), at,
        None, None, None, None, None, False, False, False, False, None, None, None,
    )  # fmt: skip


def _unrouted(whence: History | Touch, lead_id: LeadId) -> LeadUnrouted:
    return LeadUnrouted(
        lead_id=lead_id,
        source=whence.source,
        channel=whence.channel,
        campaign=whence.campaign,
        received_at=_received(whence),
        unrouted_at=_received(whence),
        reason="nobody",
        team="north",
    )


def _week(moment: datetime) -> str:
    return "{}-W{:02}".format(*moment.isocalendar()[:2])


def _stops_of(owner: Owner, made: AssignmentMade) -> Iterator[EventData]:
    about = {"assignment_id": made.assignment_id, "lead_id": made.lead_id, "rep": owner.rep}
    for cause, after in owner.stops:
        at = made.assigned_at + timedelta(minutes=after)
        if cause in ("declined", "reassigned", "erased"):
            yield AssignmentEnded.model_validate({**about, "reason": cause, "ended_at": at})
        else:
            yield ResponseRecorded.model_validate({**about, "answer": cause, "responded_at": at})


def _said_of(history: History, owner: Owner, made: AssignmentMade) -> list[DispositionRecorded]:
    return [
        DispositionRecorded(
            assignment_id=made.assignment_id,
            lead_id=made.lead_id,
            rep=owner.rep,
            team=owner.team,
            source=history.source,
            channel=history.channel,
            campaign=history.campaign,
            disposition=disposition,
            reason=reason,
            # After every answer, and apart by seconds across the whole lead, so that there is one newest.
            recorded_at=made.assigned_at + timedelta(minutes=31 + after, seconds=10 * made.ordinal + number),
        )
        for number, (disposition, reason, after) in enumerate(owner.said if owner.stops else ())
    ]


def _assignment(history: History, owner: Owner, made: AssignmentMade, newest: DispositionRecorded | None) -> ListedLead:
    causes = {cause for cause, _ in owner.stops}
    first = min(owner.stops, key=lambda stop: (stop[1], stop[0]), default=None)
    answered = first is not None and first[0] in ("acknowledged", "contacted")
    late = owner.window != FAR and (first is None or first[1] > 10)
    return ListedLead(
        lead_id=made.lead_id,
        ordinal=made.ordinal,
        assignment_id=made.assignment_id,
        source=history.source,
        campaign=history.campaign,
        channel=history.channel,
        team=owner.team,
        rep=owner.rep,
        week=_week(made.received_at),
        received_at=made.received_at,
        given_at=made.assigned_at,
        deadline=made.assigned_at + owner.window,
        answered_at=made.assigned_at + timedelta(minutes=first[1]) if first and answered else None,
        response_seconds=first[1] * 60.0 if first and answered else None,
        in_window=False if late else (True if answered else None),
        never_answered=late and not answered and "declined" not in causes,
        declined="declined" in causes,
        reassigned="reassigned" in causes,
        extended=False,
        disposition=newest.disposition if newest else None,
        disposition_reason=newest.reason if newest else None,
        disposed_at=newest.recorded_at if newest else None,
    )


def _lead(own: Sequence[ListedLead], worked: Sequence[timedelta | None], erased: datetime | None) -> ListedLead:
    first = own[0]
    assert first.given_at
    assert first.deadline
    answers = [each.answered_at for each in own if each.answered_at]
    answered_at = min(answers, default=None)
    seconds = [
        spent.total_seconds()
        for each, spent in zip(own, worked, strict=True)
        if spent is not None and each.given_at and answered_at and each.given_at <= answered_at
    ]
    passed = first.deadline < (answered_at or erased or datetime.now(UTC))
    in_time = answered_at is not None and answered_at <= first.deadline
    said = max((each for each in own if each.disposed_at), key=lambda each: str(each.disposed_at), default=None)
    return replace(
        first,
        answered_at=answered_at,
        response_seconds=sum(seconds) if answered_at else None,
        in_window=True if in_time else (False if passed else None),
        never_answered=answered_at is None and passed,
        declined=any(each.declined for each in own),
        reassigned=any(each.reassigned for each in own),
        disposition=said.disposition if said else None,
        disposition_reason=said.disposition_reason if said else None,
        disposed_at=said.disposed_at if said else None,
    )


def asked_about(question: Question, lead: ListedLead) -> bool:
    """Whether a lead is among those that a question is about."""
    return question.since <= lead.received_at.date() < question.until and all(
        getattr(lead, name) == value for name, value in question.having.items()
    )


def grouped(question: Question, leads: Sequence[ListedLead]) -> dict[tuple[str | None, ...], list[ListedLead]]:
    """The leads that a question is about, by group."""
    groups: dict[tuple[str | None, ...], list[ListedLead]] = {}
    for lead in leads:
        if asked_about(question, lead):
            groups.setdefault(tuple(getattr(lead, name) for name in question.by), []).append(lead)
    return groups if question.by else {(): groups.get((), [])}


def percentile(values: Sequence[float], fraction: float) -> float | None:
    """By linear interpolation between neighbours."""
    if not values:
        return None
    ordered = sorted(values)
    place = fraction * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


_Figures = Mapping[str, int | float | Decimal | str | None]
_WORDS: Mapping[str, Callable[[ListedLead], bool]] = {
    "leads": lambda _: True,
    "given": lambda lead: lead.given_at is not None,
    "not_given": lambda lead: lead.given_at is None,
    "answered": lambda lead: lead.answered_at is not None,
    "in_window": lambda lead: lead.in_window is True,
    "out_of_window": lambda lead: lead.in_window is False,
    "never_answered": lambda lead: lead.never_answered,
    "declined": lambda lead: lead.declined,
    "reassigned": lambda lead: lead.reassigned,
    "extended": lambda lead: lead.extended,
}
_WORTH: Mapping[str, Callable[[ListedLead], bool]] = {
    "leads": lambda _: True,
    "first_touch": lambda lead: lead.joined is None,
    "accepted": lambda lead: lead.disposition in ("accepted", "won", "lost"),
    "rejected": lambda lead: lead.disposition == "rejected",
    "rejected_spam": lambda lead: (lead.disposition, lead.disposition_reason) == ("rejected", "spam"),
    "rejected_not_a_fit": lambda lead: (lead.disposition, lead.disposition_reason) == ("rejected", "not_a_fit"),
    "won": lambda lead: lead.disposition == "won",
    "lost": lambda lead: lead.disposition == "lost",
    "undecided": lambda lead: lead.disposition is None,
}
_TOUCHES: Mapping[str, Callable[[ListedLead], bool]] = {"touches": lambda lead: lead.joined is not None}
BEHIND = {**_WORDS, **_WORTH, **_TOUCHES}
"""Whether a lead is behind a figure."""


def sales_figures(leads: Sequence[ListedLead]) -> _Figures:
    """Sales' figures over these leads, counted one by one."""
    counts = {name: sum(map(behind, leads)) for name, behind in _WORDS.items()}
    decided = counts["in_window"] + counts["out_of_window"]
    seconds = [lead.response_seconds for lead in leads if lead.response_seconds is not None]
    return {
        **counts,
        "share_in_window": counts["in_window"] / decided if decided else None,
        "response_seconds_median": percentile(seconds, 0.5),
        "response_seconds_p90": percentile(seconds, 0.9),
    }


def marketing_figures(leads: Sequence[ListedLead], per: Per = "lead") -> _Figures:
    """Marketing's figures over these leads, without money, counted one by one."""
    counts = {
        name: len({lead.assignment_id if per == "assignment" else lead.joined or lead.lead_id for lead in behind})
        for name, behind in ((name, list(filter(test, leads))) for name, test in _WORTH.items())
    }
    counts["touches"] = sum(lead.joined is not None for lead in leads)
    said = counts["accepted"] + counts["rejected"]
    return {**counts, "acceptance_rate": counts["accepted"] / said if said else None}


_values: Mapping[Dimension, Sequence[str | None]] = {
    "source": ("ads", "website"),
    "campaign": (None, "spring", "=autumn"),
    "channel": ("form", "call"),
    "team": ("north", "south"),
    "rep": ("anna", "ben"),
}
_having: st.SearchStrategy[dict[Dimension, str | None]] = st.sampled_from(
    [{}, *({name: value} for name, values in _values.items() for value in values)]
)
questions = st.builds(
    Question,
    since=st.sampled_from([START.date(), START.date() + timedelta(days=4)]),
    until=st.sampled_from([START.date() + timedelta(days=9), START.date() + timedelta(days=30)]),
    by=st.one_of(st.permutations(("source", "campaign", "week")), st.permutations(DIMENSIONS)).flatmap(
        lambda names: st.integers(0, 2).map(lambda count: tuple(names[:count]))
    ),
    having=st.one_of(st.just({}), _having),
)
"""Every kind of question, per lead."""
