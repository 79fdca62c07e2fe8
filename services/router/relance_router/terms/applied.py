"""After another configuration was applied: every open assignment is brought to its terms.

Assignments with the same promise are compared together, and where nothing is different they are only marked, thousands
in a statement; the others are looked at one by one. Any number of replicas work at it: each takes what no other has
locked, and where one stops another goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance.ids import NewId
from relance_router.configuration.versions import ConfigurationVersions, Running
from relance_router.domain.answers import AssignmentState
from relance_router.domain.terms import PromisedBy, over, terms_under
from relance_router.terms.assignments import COLUMNS, Change, OpenAssignment, Why, store_changes, time_now
from relance_router.terms.promises import arm_unknown, brought, former

LOOK_EVERY = timedelta(seconds=2)
MARKED_AT_ONCE = 10_000
LOOKED_AT_AT_ONCE = 300
NEVER_AGAIN = 2**31 - 1
"""Stored as the version that an assignment was compared with in which no clock runs any more: none begins anew."""

_BEHIND = """
    coalesce(a.compared_with, a.configuration) < :version AND a.ended_at IS NULL AND a.disposition IS NULL
"""
_GROUPS = text(f"""
    SELECT DISTINCT coalesce(a.terms_of, a.configuration) AS terms_of, a.rule, a.arm, a.team, a.rep, a.state
    FROM assignments a WHERE {_BEHIND}
""")
_MARK = text(f"""
    WITH behind AS (
        SELECT a.id, given.terms_of, given.compared_with FROM assignments a
        JOIN unnest(
            CAST(:before AS integer[]), CAST(:rules AS text[]), CAST(:arms AS integer[]), CAST(:teams AS text[]),
            CAST(:reps AS text[]), CAST(:states AS text[]), CAST(:terms_of AS integer[]),
            CAST(:compared_with AS integer[])
        ) AS given (before, rule, arm, team, rep, state, terms_of, compared_with)
            ON coalesce(a.terms_of, a.configuration) = given.before AND a.rule = given.rule
            AND coalesce(a.arm, -1) = coalesce(given.arm, -1) AND a.team = given.team AND a.rep = given.rep
            AND a.state = given.state
        WHERE {_BEHIND}
        LIMIT :batch
        FOR UPDATE OF a SKIP LOCKED
    )
    UPDATE assignments a SET compared_with = behind.compared_with, terms_of = behind.terms_of
    FROM behind WHERE a.id = behind.id
""")
# Nobody is waited for: whoever answers meanwhile has the lead, and it is looked at in the next turn.
_LOOK = text(f"""
    SELECT {COLUMNS} FROM assignments a JOIN leads l ON l.id = a.lead_id
    WHERE {_BEHIND}
    LIMIT :batch
    FOR UPDATE OF l, a SKIP LOCKED
""")
_MARK_EACH = text("""
    UPDATE assignments a SET compared_with = given.compared_with, terms_of = given.terms_of, arm = given.arm
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:arms AS integer[]), CAST(:terms_of AS integer[]), CAST(:compared_with AS integer[])
    ) AS given (id, arm, terms_of, compared_with)
    WHERE a.id = given.id
""")


@dataclass
class _Marking:
    """The groups in which nothing changes under a version, as `_MARK` takes them, until all of them are marked."""

    version: int
    columns: Mapping[str, Sequence[object]]
    done: bool = False


class AppliedTerms:
    """Brings open assignments to the terms of the version that runs."""

    def __init__(
        self, database: Database, versions: ConfigurationVersions, new_id: NewId, on_committed: Callable[[], None]
    ) -> None:
        """`on_committed` is called when there are events to send."""
        self._database = database
        self._versions = versions
        self._new_id = new_id
        self._on_committed = on_committed
        self._marking: _Marking | None = None

    async def bring(self) -> timedelta:
        """Do one batch; returns when to look next."""
        async with self._database.transaction() as connection:
            running = await self._versions.running(connection)
            if self._marking is None or self._marking.version != running.version:
                self._marking = _Marking(running.version, await self._unchanged(connection, running))
            if not self._marking.done:
                values = {**self._marking.columns, "version": running.version, "batch": MARKED_AT_ONCE}
                self._marking.done = (await connection.execute(_MARK, values)).rowcount < MARKED_AT_ONCE
                return timedelta()
            looked_at = await self._look(connection, running)
        if looked_at:
            self._on_committed()
        return timedelta() if looked_at == LOOKED_AT_AT_ONCE else LOOK_EVERY

    async def _unchanged(self, connection: AsyncConnection, running: Running) -> dict[str, list[object]]:
        names = ("before", "rules", "arms", "teams", "reps", "states", "terms_of", "compared_with")
        columns: dict[str, list[object]] = {name: [] for name in names}
        groups = (await connection.execute(_GROUPS, {"version": running.version})).all()
        formers = await former(connection, self._versions, (row.terms_of for row in groups))
        for row in groups:
            made_with = formers[row.terms_of]
            by = PromisedBy(row.rule, row.arm, row.team, row.rep)
            if made_with and arm_unknown(made_with, by):
                continue
            before = terms_under(made_with, by) if made_with else None
            wanted = terms_under(running.configuration, by)
            done = before is not None and over(before, AssignmentState(row.state))
            if wanted is not None and wanted != before and not done:
                continue
            terms_of = running.version if wanted is not None and not done else row.terms_of
            compared_with = NEVER_AGAIN if done else running.version
            for name, value in zip(names, (*row, terms_of, compared_with), strict=True):
                columns[name].append(value)
        return columns

    async def _look(self, connection: AsyncConnection, running: Running) -> int:
        values = {"version": running.version, "batch": LOOKED_AT_AT_ONCE}
        found = [OpenAssignment.of(row) for row in await connection.execute(_LOOK, values)]
        made_with = await former(connection, self._versions, (assignment.terms_of for assignment in found))
        now = await time_now(connection)
        news: list[Change] = []
        settled: list[tuple[object, ...]] = []
        for assignment in found:
            change = brought(made_with[assignment.terms_of], running, assignment, now)
            if change is None:
                settled.append((assignment.id, assignment.by.arm, assignment.terms_of, running.version))
            elif change.before is not None and over(change.before, assignment.state):
                settled.append((assignment.id, change.assignment.by.arm, assignment.terms_of, NEVER_AGAIN))
            elif change.after == change.before:
                settled.append((assignment.id, change.assignment.by.arm, change.terms_of, running.version))
            else:
                news.append(change)
        names = ("ids", "arms", "terms_of", "compared_with")
        await connection.execute(_MARK_EACH, {name: [row[at] for row in settled] for at, name in enumerate(names)})
        await store_changes(connection, news, Why("configuration"), compared_with=running.version, new_id=self._new_id)
        return len(found)
