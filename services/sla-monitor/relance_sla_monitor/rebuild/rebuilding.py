"""The whole rebuild: refused while it could do harm, and nothing changed until all of it is done."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import inbox
from relance.clock import utc_now
from relance.database import Database
from relance.events import Topic
from relance.ids import first_id_at, new_id
from relance.kafka.history import Extent, History
from relance.settings import ServiceSettings
from relance_sla_monitor.handler import ClockHandler
from relance_sla_monitor.rebuild import tables
from relance_sla_monitor.rebuild.replay import Replay

TOLD_TO_US = (Topic.ASSIGNMENTS, Topic.RESPONSES)
TOLD_BY_US = Topic.SLA


class RebuildRefused(RuntimeError):
    """It is not the time for it; says why and what to do. Nothing was changed."""


@dataclass(frozen=True)
class Plan:
    """What is to be done: how many messages are to be read of each topic, and rows there are now."""

    messages: Mapping[str, int]
    missing: Mapping[str, int]
    """Messages that were there once, of topics that have lost some."""
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """What was done."""

    messages: Mapping[str, int]
    refused: int
    refusals: Sequence[str]
    """The first messages that could not be handled: topic, partition, offset, reason."""
    missing: Mapping[str, int]
    stray_steps: int
    rows: Mapping[str, int]
    rows_before: Mapping[str, int]
    offsets_stored: bool
    """If not, the service is given again what its inbox knows, and drops it."""


class Rebuilding:
    """One rebuild of a service's tables, on one connection."""

    def __init__(self, settings: ServiceSettings, database: Database, history: History, group: str) -> None:
        self._prefix = settings.topic_prefix
        self._schema = database.schema
        self._history = history
        self._group = group

    async def run(
        self,
        connection: AsyncConnection,
        *,
        partial: bool,
        agreed: Callable[[Plan], bool],
        progress: Callable[[str, int], None],
    ) -> Outcome | None:
        """Do it, unless the plan is not agreed to; `progress` is told of messages done, by topic.

        Raises:
            RebuildRefused: the service runs, has things to say, or topics have lost messages and `partial` is not set.
        """
        async with connection.begin():
            if not await tables.may_create(connection):
                raise RebuildRefused(
                    "The service's role may not create temporary tables in this database: as a superuser, run "
                    "deploy/postgres/roles.sql there once more."
                )
            before = await tables.read_state(connection, self._schema, self._group)
            rows = await tables.count_rows(connection, self._schema)
        await self._refuse_while_running(before)
        extents = await self._history.extents(self._prefix + topic for topic in (*TOLD_TO_US, TOLD_BY_US))
        handled = self._handled(extents, before)
        # Where a topic has lost its end, what is there now is all that can be read.
        until = {partition: min(offset, extents[partition].ends) for partition, offset in handled.items()}
        plan = Plan(self._to_read(extents, until), self._missing(extents, handled), rows)
        if plan.missing and not partial:
            raise RebuildRefused(_gone(plan.missing))
        if not agreed(plan):
            return None
        now = utc_now()
        replay = Replay(connection, ClockHandler(new_id), self._group)
        async with connection.begin():
            await tables.create_temporary(connection, self._schema)
        done: Counter[str] = Counter()
        async for records in self._history.read(until):
            await replay.take(records)
            for topic, count in Counter(record.topic.removeprefix(self._prefix) for record in records).items():
                done[topic] += count
                progress(topic, count)
        await replay.finish()
        mine = {each: offset for each, offset in until.items() if self._topic(each) in TOLD_TO_US}
        rebuilt = await self._take_over(connection, before, mine, now)
        return Outcome(
            messages=dict(done),
            refused=replay.refused,
            refusals=replay.refusals,
            missing=plan.missing,
            stray_steps=replay.stray_steps,
            rows=rebuilt,
            rows_before=rows,
            offsets_stored=await self._stored(mine),
        )

    async def _stored(self, offsets: Mapping[TopicPartition, int]) -> bool:
        try:
            await self._history.commit(offsets)
        except KafkaError:
            return False
        return True

    async def _take_over(
        self, connection: AsyncConnection, before: tables.State, mine: Mapping[TopicPartition, int], now: datetime
    ) -> dict[str, int]:
        async with connection.begin():
            await tables.lock(connection, self._schema)
            state = await tables.read_state(connection, self._schema, self._group)
            await self._refuse_while_running(state)
            if state != before:
                raise RebuildRefused("The SLA monitor has run meanwhile. Stop every replica of it and start again.")
            reached = {(self._topic(each), each.partition): offset for each, offset in mine.items() if offset}
            oldest = first_id_at(now - inbox.REMEMBER)
            await tables.take_over(connection, self._schema, self._group, reached, oldest)
            return await tables.count_rows(connection, self._schema)

    async def _refuse_while_running(self, state: tables.State) -> None:
        if members := await self._history.members():
            raise RebuildRefused(
                f"The SLA monitor runs: consumer group {self._prefix + self._group} has {members} members. Stop every "
                "replica; one that was killed is forgotten within a minute."
            )
        if state.unpublished:
            raise RebuildRefused(
                f"The SLA monitor has {state.unpublished} events that Kafka does not have yet. Start it, wait until "
                "relance_outbox_depth is 0, and stop it again."
            )

    def _handled(self, extents: Mapping[TopicPartition, Extent], before: tables.State) -> dict[TopicPartition, int]:
        # Not to the end: what has not been handled yet is left to the service, which tells others of it. Where nobody
        # knows any more what has been, all of it has.
        known = {
            partition: max(extent.committed or 0, before.consumed.get((self._topic(partition), partition.partition), 0))
            for partition, extent in extents.items()
            if self._topic(partition) in TOLD_TO_US
        }
        ends = {partition: extent.ends for partition, extent in extents.items()}
        return ends | known if any(known.values()) else ends

    def _to_read(self, extents: Mapping[TopicPartition, Extent], until: Mapping[TopicPartition, int]) -> dict[str, int]:
        messages: Counter[str] = Counter()
        for partition, extent in extents.items():
            messages[self._topic(partition)] += max(0, until[partition] - extent.begins)
        return dict(messages)

    def _missing(
        self, extents: Mapping[TopicPartition, Extent], handled: Mapping[TopicPartition, int]
    ) -> dict[str, int]:
        missing: Counter[str] = Counter()
        for partition, extent in extents.items():
            lost_first, lost_last = min(extent.begins, handled[partition]), handled[partition] - extent.ends
            missing[self._topic(partition)] += lost_first + max(0, lost_last)
        return dict(+missing)

    def _topic(self, partition: TopicPartition) -> str:
        return partition.topic.removeprefix(self._prefix)


def _gone(missing: Mapping[str, int]) -> str:
    lost = ", ".join(f"{count} of {topic}" for topic, count in missing.items())
    return (
        f"Kafka has lost messages that had been handled: {lost}. Without them clocks and figures that are "
        "there now would be gone. --partial goes on all the same. For the future see RELANCE_TOPIC_RETENTION."
    )
