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
from relance_router.domain.terms import PromisedBy, Terms, terms_under, waits
from relance_router.terms.assignments import COLUMNS, Change, OpenAssignment, Why, store_changes, time_now
from relance_router.terms.promises import arm_unknown, brought, former

LOOK_EVERY = timedelta(seconds=2)
MARKED_AT_ONCE = 10_000
LOOKED_AT_AT_ONCE = 300

_BEHIND = """
    coalesce(a.compared_with, a.configuration) < :version AND a.ended_at IS NULL AND a.disposition IS NULL
"""
_GROUPS = text(f"""
    SELECT DISTINCT coalesce(a.terms_of, a.configuration) AS terms_of, a.rule, a.arm, a.team, a.rep, a.state
    FROM assignments a WHERE {_BEHIND} ORDER BY 1
""")
_MARK = text(f"""
    WITH behind AS (
        SELECT a.id, given.terms_of FROM assignments a
        JOIN unnest(
            CAST(:before AS integer[]), CAST(:rules AS text[]), CAST(:arms AS integer[]), CAST(:teams AS text[]),
            CAST(:reps AS text[]), CAST(:states AS text[]), CAST(:terms_of AS integer[])
        ) AS given (before, rule, arm, team, rep, state, terms_of)
            ON coalesce(a.terms_of, a.configuration) = given.before AND a.rule = given.rule
            AND coalesce(a.arm, -1) = coalesce(given.arm, -1) AND a.team = given.team AND a.rep = given.rep
            AND a.state = given.state
        WHERE {_BEHIND}
        LIMIT :batch
        FOR UPDATE OF a SKIP LOCKED
    )
    UPDATE assignments a SET compared_with = :version, terms_of = behind.terms_of FROM behind WHERE a.id = behind.id
""")
# Nobody is waited for: whoever answers meanwhile has the lead, and it is looked at in the next turn.
_LOOK = text(f"""
    SELECT {COLUMNS} FROM assignments a JOIN leads l ON l.id = a.lead_id
    WHERE {_BEHIND}
    LIMIT :batch
    FOR UPDATE OF l, a SKIP LOCKED
""")
_MARK_EACH = text("""
    UPDATE assignments a SET compared_with = :version, terms_of = given.terms_of, arm = given.arm
    FROM unnest(CAST(:ids AS uuid[]), CAST(:terms_of AS integer[]), CAST(:arms AS integer[]))
        AS given (id, terms_of, arm)
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
        names = ("before", "rules", "arms", "teams", "reps", "states", "terms_of")
        columns: dict[str, list[object]] = {name: [] for name in names}
        for row in await connection.execute(_GROUPS, {"version": running.version}):
            made_with = await former(connection, self._versions, row.terms_of)
            by = PromisedBy(row.rule, row.arm, row.team, row.rep)
            if made_with and arm_unknown(made_with, by):
                continue
            wanted = terms_under(running.configuration, by)
            before = terms_under(made_with, by) if made_with else None
            if wanted is None or not _is_news(before, wanted, AssignmentState(row.state)):
                terms_of = running.version if wanted and wanted == before else row.terms_of
                for name, value in zip(names, (*row, terms_of), strict=True):
                    columns[name].append(value)
        return columns

    async def _look(self, connection: AsyncConnection, running: Running) -> int:
        values = {"version": running.version, "batch": LOOKED_AT_AT_ONCE}
        found = [OpenAssignment.of(row) for row in await connection.execute(_LOOK, values)]
        now = await time_now(connection)
        news: list[Change] = []
        settled: list[tuple[object, ...]] = []
        for assignment in found:
            change = await brought(connection, self._versions, running, assignment, now)
            if change and _is_news(change.before, change.after, assignment.state):
                news.append(change)
            else:
                same = change is not None and change.before == change.after
                known = change.assignment if change else assignment
                settled.append((known.id, change.terms_of if change and same else known.terms_of, known.by.arm))
        await self._settle(connection, running, settled)
        await store_changes(connection, news, Why("configuration"), compared_with=running.version, new_id=self._new_id)
        return len(found)

    async def _settle(
        self, connection: AsyncConnection, running: Running, settled: Sequence[tuple[object, ...]]
    ) -> None:
        columns = {name: [row[place] for row in settled] for place, name in enumerate(("ids", "terms_of", "arms"))}
        await connection.execute(_MARK_EACH, {**columns, "version": running.version})


def _is_news(before: Terms | None, after: Terms, state: AssignmentState) -> bool:
    """Whether terms are others for somebody who may still be waited for."""
    clocks = {*after.windows, *(before.windows if before else ())}
    return before != after and any(waits(clock, state, disposed=False) for clock in clocks)
