"""Each team's line and everybody's load: loaded under lock, stored when changed.

Whoever gives a rep a lead holds the rows of all the rep's teams, so that capacity is never overrun from two teams at
once. Locks are taken in one order everywhere (leads, counts of ignored leads, teams by name, reps by name):
transactions queue up behind each other and never deadlock.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance_router.domain.availability import Availability, Load, day_begins, local_day, presence_calendar
from relance_router.domain.configuration import Configuration
from relance_router.domain.fair_choice import Place, Turns
from relance_router.domain.routing import RoutingState

_NEW_TEAMS = text("""
    INSERT INTO teams (team) SELECT unnest(CAST(:teams AS text[])) ORDER BY 1 ON CONFLICT DO NOTHING
""")
_TEAMS = text("""
    SELECT team, virtual_time, changes, returned FROM teams WHERE team = ANY(CAST(:teams AS text[]))
    ORDER BY team FOR UPDATE
""")
_PLACES = text("""
    SELECT team, rep, start, away_since, away_because FROM places WHERE team = ANY(CAST(:teams AS text[]))
""")
_PAUSES = text("SELECT rep, because FROM pauses WHERE resumed_at IS NULL")
_OPEN = text("SELECT rep, open_leads FROM reps WHERE rep = ANY(CAST(:reps AS text[]))")
# A declined lead was given back: it used up nobody's hour or day.
_RECENT = text("""
    SELECT given.rep, count(*) FILTER (WHERE a.assigned_at > CAST(:now AS timestamptz) - interval '1 hour') AS hour,
        count(*) FILTER (WHERE a.assigned_at >= given.day) AS today
    FROM unnest(CAST(:reps AS text[]), CAST(:days AS timestamptz[])) AS given (rep, day)
    JOIN assignments a ON a.rep = given.rep AND a.state <> 'declined'
        AND a.assigned_at >= least(given.day, CAST(:now AS timestamptz) - interval '1 hour')
    GROUP BY given.rep
""")
_STORE_TEAMS = text("""
    UPDATE teams SET virtual_time = given.virtual_time, changes = given.changes, returned = given.returned
    FROM unnest(
        CAST(:teams AS text[]), CAST(:times AS numeric[]), CAST(:changes AS bigint[]), CAST(:returned AS integer[])
    ) AS given (team, virtual_time, changes, returned)
    WHERE teams.team = given.team
""")
_STORE_CHANGES = text("""
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:teams AS text[]), CAST(:numbers AS bigint[]), CAST(:reps AS text[]), CAST(:starts AS numeric[]),
            CAST(:aways AS numeric[]), CAST(:reasons AS text[])
        ) AS given (team, number, rep, start, away_since, away_because)
    ),
    newest AS (SELECT DISTINCT ON (team, rep) * FROM given ORDER BY team, rep, number DESC),
    stored AS (
        INSERT INTO places (team, rep, start, away_since, away_because)
        SELECT team, rep, start, away_since, away_because FROM newest
        ON CONFLICT (team, rep) DO UPDATE SET
            start = excluded.start, away_since = excluded.away_since, away_because = excluded.away_because
    )
    INSERT INTO place_changes (team, number, rep, start, away_since, away_because) SELECT * FROM given
""")
# Who ends a lead need not hold the lines of its rep: a manager may have given it to somebody of any team.
_LOCK_REPS = text("SELECT FROM reps WHERE rep = ANY(CAST(:reps AS text[])) ORDER BY rep FOR UPDATE")
_MORE_IN_HAND = text("""
    INSERT INTO reps (rep, open_leads)
    SELECT * FROM unnest(CAST(:reps AS text[]), CAST(:more AS integer[])) AS given (rep, more) ORDER BY rep
    ON CONFLICT (rep) DO UPDATE SET open_leads = reps.open_leads + excluded.open_leads
""")
_LESS_IN_HAND = text("""
    UPDATE reps SET open_leads = open_leads - given.less
    FROM unnest(CAST(:reps AS text[]), CAST(:less AS integer[])) AS given (rep, less)
    WHERE reps.rep = given.rep
""")


class LockedState:
    """The state of some teams and their reps, locked until the transaction ends."""

    def __init__(self, configuration: Configuration, state: RoutingState) -> None:
        self.state = state
        self._configuration = configuration
        self._in_hand: dict[str, int] = {}

    @classmethod
    async def load(
        cls,
        connection: AsyncConnection,
        configuration: Configuration,
        teams: Collection[str],
        others: Iterable[str],
        now: datetime,
    ) -> "LockedState":
        """Lock the teams, and all teams that share a rep with them or have one of the `others`; read their lines.

        Teams that are new start at nothing.
        """
        members = {member.rep for team in teams for member in configuration.teams_by_id[team].members} | set(others)
        locked = sorted(set(teams).union(*(configuration.teams_of.get(rep, ()) for rep in members)))
        rows = (await connection.execute(_TEAMS, {"teams": locked})).all()
        if len(rows) < len(locked):
            await connection.execute(_NEW_TEAMS, {"teams": locked})
            rows = (await connection.execute(_TEAMS, {"teams": locked})).all()
        places: dict[str, dict[str, Place]] = {team: {} for team in teams}
        for row in await connection.execute(_PLACES, {"teams": list(teams)}):
            places[row.team][row.rep] = Place(int(row.start), _whole(row.away_since), row.away_because)
        turns = {
            row.team: Turns(int(row.virtual_time), places[row.team], changes_before=row.changes, returned=row.returned)
            for row in rows
            if row.team in places
        }
        state = RoutingState(await _people(connection, configuration, teams, members, now), turns)
        for team in teams:
            state.observe(configuration, team)
        return cls(configuration, state)

    def given(self, rep: str) -> None:
        """The rep has one lead more to store; decisions have told the state already."""
        self._in_hand[rep] = self._in_hand.get(rep, 0) + 1

    def ended(self, rep: str) -> None:
        """The rep has one lead less in hand."""
        self.state.ended(self._configuration, rep)
        self._in_hand[rep] = self._in_hand.get(rep, 0) - 1

    async def store(self, connection: AsyncConnection) -> None:
        """Write what decisions have changed."""
        # The clock moves only when a turn is taken, which is a change.
        changed = {team: turns for team, turns in self.state.turns.items() if turns.changes}
        if changed:
            await _store_lines(connection, changed)
        more = sorted((rep, leads) for rep, leads in self._in_hand.items() if leads > 0)
        less = sorted((rep, -leads) for rep, leads in self._in_hand.items() if leads < 0)
        if less:
            await connection.execute(_LOCK_REPS, {"reps": list(self._in_hand)})
        if more:
            await connection.execute(_MORE_IN_HAND, {"reps": [rep for rep, _ in more], "more": [n for _, n in more]})
        if less:
            await connection.execute(_LESS_IN_HAND, {"reps": [rep for rep, _ in less], "less": [n for _, n in less]})


async def everybody(connection: AsyncConnection, configuration: Configuration, now: datetime) -> Availability:
    """Everybody's availability, for whoever only looks."""
    return await _people(connection, configuration, (), configuration.reps_by_id, now)


async def _people(
    connection: AsyncConnection,
    configuration: Configuration,
    teams: Iterable[str],
    members: Iterable[str],
    now: datetime,
) -> Availability:
    pauses = {row.rep: row.because for row in await connection.execute(_PAUSES)}
    loads = await _loads(connection, configuration, teams, members, now)
    return Availability(configuration, now, pauses=pauses, loads=loads)


async def _store_lines(connection: AsyncConnection, lines: Mapping[str, Turns]) -> None:
    await connection.execute(
        _STORE_TEAMS,
        {
            "teams": list(lines),
            "times": [Decimal(turns.virtual_time) for turns in lines.values()],
            "changes": [turns.last_change for turns in lines.values()],
            "returned": [turns.returned for turns in lines.values()],
        },
    )
    changes = [(team, change) for team, turns in lines.items() for change in turns.changes]
    if changes:
        aways = [change.place.away_since for _, change in changes]
        columns: dict[str, Sequence[object]] = {
            "teams": [team for team, _ in changes],
            "numbers": [change.number for _, change in changes],
            "reps": [change.rep for _, change in changes],
            "starts": [Decimal(change.place.start) for _, change in changes],
            "aways": [None if away is None else Decimal(away) for away in aways],
            "reasons": [change.place.away_because for _, change in changes],
        }
        await connection.execute(_STORE_CHANGES, columns)


async def _loads(
    connection: AsyncConnection,
    configuration: Configuration,
    teams: Iterable[str],
    members: Iterable[str],
    now: datetime,
) -> dict[str, Load]:
    """The loads that decisions will ask for: of reps with limits, and of teams that choose by load."""
    by_load = {
        member.rep
        for team in teams
        if configuration.teams_by_id[team].choose == "least_loaded"
        for member in configuration.teams_by_id[team].members
    }
    reps = [rep for name in members if (rep := configuration.reps_by_id.get(name))]
    counted = [rep.id for rep in reps if rep.capacity.open or rep.id in by_load]
    timed = [rep for rep in reps if rep.capacity.per_hour or rep.capacity.per_day]
    loads: dict[str, Load] = {}
    if counted:
        loads = {rep: Load(leads) for rep, leads in await connection.execute(_OPEN, {"reps": counted})}
    if timed:
        days = [
            day_begins(calendar, local_day(calendar, now))
            for calendar in (presence_calendar(configuration, rep) for rep in timed)
        ]
        for row in await connection.execute(_RECENT, {"reps": [rep.id for rep in timed], "days": days, "now": now}):
            loads[row.rep] = Load(loads.get(row.rep, Load()).open, row.hour, row.today)
    return loads


def _whole(number: Decimal | None) -> int | None:
    return None if number is None else int(number)
