"""What the board shows of what was read: whose leads, in which order, in which words. No I/O.

It holds moments and no durations, so that it changes only when there is something to tell; pages count the seconds.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from relance_sla_monitor.board.chart import Chart, draw
from relance_sla_monitor.board.durations import time_of_day, written
from relance_sla_monitor.board.reading import ROWS, Facts, LateLead, OpenLead

State = Literal["in_time", "at_risk", "breached", "on_hold"]

LATE_ROWS = 5
_NEVER = datetime.max.replace(tzinfo=UTC)
_UNANSWERED = {"declined": "declined", "reassigned": "taken away", "erased": "erased"}
"""What stops a clock and is no answer."""


@dataclass(frozen=True)
class Row:
    """An open lead. Moments are milliseconds since 1970, as browsers count."""

    lead: str
    rep: str
    team: str
    origin: str
    channel: str
    state: State
    started: int
    deadline: int | None
    risk: int | None
    due: str


@dataclass(frozen=True)
class Breach:
    """A window that passed today. `ending` says what became of the lead; empty while nobody has answered."""

    lead: str
    rep: str
    team: str
    origin: str
    due: str
    ending: str


@dataclass(frozen=True)
class Tile:
    """A figure. `state` gives the colour, when there is something to colour."""

    name: str
    label: str
    value: str
    state: State | None = None


@dataclass(frozen=True)
class Board:
    """Everything on the page but the time."""

    team: str | None
    tiles: tuple[Tile, ...]
    rows: tuple[Row, ...]
    more: int
    breaches: tuple[Breach, ...]
    more_breaches: int
    chart: Chart | None
    nobody: str
    """How many leads nobody has, and since when; empty when there is none."""
    said: str
    """What a screen reader is told when it changes."""


def board(facts: Facts, team: str | None, zone: ZoneInfo) -> Board:
    """What a viewer of this team, or of all when None, is shown."""
    standings = [each for each in facts.standings if team in {None, each.team}]
    count, at_risk, overdue, on_hold = (
        sum(getattr(each, name) for each in standings) for name in ("open", "at_risk", "overdue", "on_hold")
    )
    kept = sum(each.kept_today for each in standings)
    breached = sum(each.breached_today for each in standings)
    urgent = sorted((lead for lead in facts.urgent if team in {None, lead.team}), key=_urgency)
    rows = tuple(_row(lead, facts.now, zone) for lead in urgent[:ROWS])
    breaches = _breaches(facts, team, zone)[:LATE_ROWS]
    hours = [hour for hour in facts.hours if hour.team == team]
    return Board(
        team=team,
        tiles=(
            Tile("open", "open", str(count)),
            Tile("at-risk", "at risk", str(at_risk), "at_risk" if at_risk else None),
            Tile("overdue", "overdue", str(overdue), "breached" if overdue else None),
            Tile("on-hold", "on hold", str(on_hold)),
            Tile("breached", "breached today", str(breached), "breached" if breached else None),
            Tile("kept", "kept today", str(kept)),
            Tile("share", "share kept", _share(kept, breached)),
        ),
        rows=rows,
        more=count - len(rows),
        breaches=breaches,
        more_breaches=max(0, breached - len(breaches)),
        chart=draw(hours, facts.now, zone),
        nobody=(nobody := _nobody(facts, team, zone)),
        said=", ".join([f"{at_risk} at risk", f"{overdue} overdue", *([nobody] if nobody else [])]),
    )


def _nobody(facts: Facts, team: str | None, zone: ZoneInfo) -> str:
    # A team's board shows what the team had or could not take.
    waiting = [each for each in facts.waiting if team in {None, each.team}]
    leads = sum(each.leads for each in waiting)
    if not leads:
        return ""
    since = time_of_day(min(each.since for each in waiting), facts.now, zone)
    return f"nobody has 1 lead, since {since}" if leads == 1 else f"nobody has {leads} leads, the first since {since}"


def short(lead_id: UUID) -> str:
    """The end of an id: its beginning is a time, which leads of one minute share."""
    return lead_id.hex[-6:]


def milliseconds(moment: datetime) -> int:
    """Since 1970, as browsers count."""
    return int(moment.timestamp() * 1000)


def _urgency(lead: OpenLead) -> tuple[bool, datetime, UUID]:
    """What is on hold comes last, and of it what nobody knows the end of."""
    return lead.on_hold, lead.deadline or _NEVER, lead.lead_id


def _row(lead: OpenLead, now: datetime, zone: ZoneInfo) -> Row:
    return Row(
        lead=short(lead.lead_id),
        rep=lead.rep,
        team=lead.team,
        origin=_origin(lead),
        channel=lead.channel,
        state=_state(lead, now),
        started=milliseconds(lead.started_at),
        deadline=milliseconds(lead.deadline) if lead.deadline else None,
        risk=milliseconds(lead.risk_at) if lead.risk_at else None,
        due=time_of_day(lead.deadline, now, zone) if lead.deadline else "",
    )


def _state(lead: OpenLead, now: datetime) -> State:
    if lead.on_hold or lead.deadline is None:
        return "on_hold"
    if lead.deadline <= now:
        return "breached"
    return "at_risk" if lead.risk_at and lead.risk_at <= now else "in_time"


def _breaches(facts: Facts, team: str | None, zone: ZoneInfo) -> tuple[Breach, ...]:
    """Of today, the newest first."""
    midnight = facts.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    leads: list[OpenLead | LateLead] = [*facts.overdue, *facts.late]
    passed = ((lead.deadline, lead) for lead in leads if lead.deadline and midnight <= lead.deadline <= facts.now)
    newest = sorted(passed, key=lambda each: (each[0], each[1].lead_id), reverse=True)
    return tuple(
        Breach(
            short(lead.lead_id),
            lead.rep,
            lead.team,
            _origin(lead),
            f"{deadline.astimezone(zone):%H:%M}",
            _ending(lead),
        )
        for deadline, lead in newest
        if team in {None, lead.team}
    )


def _ending(lead: OpenLead | LateLead) -> str:
    if isinstance(lead, OpenLead):
        return ""
    return f"{_UNANSWERED.get(lead.stopped_by, '')} {written(lead.stopped_at - lead.deadline)} late".strip()


def _origin(lead: OpenLead | LateLead) -> str:
    return f"{lead.source} · {lead.campaign}" if lead.campaign else lead.source


def _share(kept: int, breached: int) -> str:
    # Rounded down: 100 % means that nothing was breached.
    return f"{100 * kept // (kept + breached)} %" if kept + breached else "none"
