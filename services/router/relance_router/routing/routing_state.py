"""Each team's line and each rep's leads in hand: loaded under lock, stored when changed.

Locks are taken in one order everywhere (leads, teams by name, reps by name), so that transactions queue up behind each
other and never deadlock.
"""

from collections.abc import Iterable
from decimal import Decimal

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance_router.domain.fair_choice import Place, Turns
from relance_router.domain.routing import RoutingState

_NEW_TEAMS = text("""
    INSERT INTO teams (team) SELECT unnest(CAST(:teams AS text[])) ORDER BY 1 ON CONFLICT DO NOTHING
""")
_TEAMS = text("""
    SELECT team, virtual_time FROM teams WHERE team = ANY(CAST(:teams AS text[])) ORDER BY team FOR UPDATE
""")
_PLACES = text("SELECT team, rep, start, away_since FROM places WHERE team = ANY(CAST(:teams AS text[]))")
_NEW_REPS = text("""
    INSERT INTO reps (rep) SELECT unnest(CAST(:reps AS text[])) ORDER BY 1 ON CONFLICT DO NOTHING
""")
_REPS = text("SELECT rep, open_leads FROM reps WHERE rep = ANY(CAST(:reps AS text[])) ORDER BY rep FOR UPDATE")
_STORE_TEAMS = text("""
    UPDATE teams SET virtual_time = given.virtual_time
    FROM unnest(CAST(:teams AS text[]), CAST(:times AS numeric[])) AS given (team, virtual_time)
    WHERE teams.team = given.team
""")
_STORE_PLACES = text("""
    INSERT INTO places (team, rep, start, away_since)
    SELECT * FROM unnest(
        CAST(:teams AS text[]), CAST(:reps AS text[]), CAST(:starts AS numeric[]), CAST(:aways AS numeric[])
    )
    ON CONFLICT (team, rep) DO UPDATE SET start = excluded.start, away_since = excluded.away_since
""")
_STORE_REPS = text("""
    UPDATE reps SET open_leads = given.open_leads
    FROM unnest(CAST(:reps AS text[]), CAST(:open AS integer[])) AS given (rep, open_leads)
    WHERE reps.rep = given.rep
""")


class LockedState:
    """The state of some teams and reps, locked until the transaction ends."""

    def __init__(self, state: RoutingState) -> None:
        self.state = state
        self._times = {team: turns.virtual_time for team, turns in state.turns.items()}
        self._places = {
            (team, rep): place for team, turns in state.turns.items() for rep, place in turns.places.items()
        }
        self._open = dict(state.open_leads)

    @classmethod
    async def load(cls, connection: AsyncConnection, teams: Iterable[str], reps: Iterable[str]) -> "LockedState":
        """Lock and read; teams and reps that are new start at nothing."""
        chosen = {"teams": list(teams)}
        members = {"reps": list(reps)}
        times = await _pairs(connection, _TEAMS, chosen)
        if len(times) < len(chosen["teams"]):
            await connection.execute(_NEW_TEAMS, chosen)
            times = await _pairs(connection, _TEAMS, chosen)
        turns = {team: Turns(time) for team, time in times.items()}
        for team, rep, start, away_since in await connection.execute(_PLACES, chosen):
            turns[team].places[rep] = Place(int(start), None if away_since is None else int(away_since))
        in_hand = await _pairs(connection, _REPS, members)
        if len(in_hand) < len(members["reps"]):
            await connection.execute(_NEW_REPS, members)
            in_hand = await _pairs(connection, _REPS, members)
        return cls(RoutingState(turns, in_hand))

    async def store(self, connection: AsyncConnection) -> None:
        """Write what decisions have changed."""
        times = {
            team: turns.virtual_time
            for team, turns in self.state.turns.items()
            if turns.virtual_time != self._times.get(team)
        }
        places = {
            (team, rep): place
            for team, turns in self.state.turns.items()
            for rep, place in turns.places.items()
            if place != self._places.get((team, rep))
        }
        in_hand = {rep: count for rep, count in self.state.open_leads.items() if count != self._open.get(rep)}
        if times:
            await connection.execute(
                _STORE_TEAMS, {"teams": list(times), "times": [Decimal(time) for time in times.values()]}
            )
        if places:
            columns = {
                "teams": [team for team, _ in places],
                "reps": [rep for _, rep in places],
                "starts": [Decimal(place.start) for place in places.values()],
                "aways": [None if place.away_since is None else Decimal(place.away_since) for place in places.values()],
            }
            await connection.execute(_STORE_PLACES, columns)
        if in_hand:
            await connection.execute(_STORE_REPS, {"reps": list(in_hand), "open": list(in_hand.values())})


async def _pairs(connection: AsyncConnection, query: TextClause, values: dict[str, list[str]]) -> dict[str, int]:
    return {name: int(number) for name, number in await connection.execute(query, values)}
