"""Promises of `rebuild`: out of the topics alone, the same clocks, steps, figures and scorecards as before."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from fastapi import FastAPI
from pydantic_core import MultiHostUrl
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.integration.asgi import ask
from tests.integration.conftest import OpenDatabase
from tests.integration.test_both_sides import agreed_numbers
from tests.integration.test_clocks_in_database import answered, assigned, disposed, terms
from tests.integration.test_figures import numbers
from tests.topics import message_on
from typer.testing import CliRunner

from relance import tracing
from relance.calendars import Calendar
from relance.clock import utc_now
from relance.database import Database
from relance.events import (
    TOPICS,
    AssignmentEnded,
    AssignmentMade,
    Envelope,
    EscalationStep,
    Hold,
    LeadJoined,
    LeadSeparated,
    LeadUnrouted,
    SkippedStep,
    Topic,
)
from relance.events.data import EventData
from relance.ids import EventId, LeadId, new_id
from relance.kafka.consumer import BatchConsumer, Subscription
from relance.kafka.history import History
from relance.kafka.publisher import KafkaPublisher, Message
from relance.kafka.topics import create_topics
from relance.outbox import OutboxRelay
from relance.service import Runnable
from relance.settings import ServiceSettings
from relance.ticker import Ticker
from relance_local.broker import Broker
from relance_local.conditions import wait_until
from relance_local.database_server import DatabaseServer
from relance_sla_monitor.board.reading import Facts, read_facts
from relance_sla_monitor.figures import Figures
from relance_sla_monitor.handler import ClockHandler
from relance_sla_monitor.main import GROUP, command_line
from relance_sla_monitor.rebuild import tables
from relance_sla_monitor.rebuild.rebuilding import Outcome, Rebuilding, RebuildRefused
from relance_sla_monitor.scorecards.api import scorecards_api
from relance_sla_monitor.scorecards.spend import Spend, put_spend
from relance_sla_monitor.timers import Timers

MINUTES = timedelta(minutes=1)
SCHEMA = "sla"
OFFICE = Calendar.model_validate(
    {
        "id": "office",
        "zone": "Europe/Berlin",
        "hours": {key: ["00:00-11:50", "12:00-24:00"] for key in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
    }
)


@dataclass
class Monitor:
    """The parts of an SLA monitor that take and tell, and topics of its own."""

    settings: ServiceSettings
    database: Database
    publisher: KafkaPublisher
    heard: int = 0

    async def say(self, *said: EventData, raw: Sequence[Message] = ()) -> None:
        """What the router would say."""
        messages = list(raw)
        for data in said:
            subject = str(getattr(data, "lead_id", ""))
            envelope = Envelope(EventId(new_id()), "relance/router", subject, utc_now(), tracing.child_of(None), data)
            messages.append(message_on(self.settings.topic_prefix + TOPICS[type(data)], envelope.to_message()))
        assert await self.publisher.publish(messages) == (len(messages), None)
        self.heard += len(said)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Consumer, timers and relay, as the service has them."""
        relay = OutboxRelay(self.database, self.publisher, topic_prefix=self.settings.topic_prefix)
        timers = Timers(self.database, new_id, relay.nudge)
        firing = Ticker("timers", timers.fire_due)

        def committed() -> None:
            timers.look_again()
            firing.nudge()

        topics = (Topic.ASSIGNMENTS, Topic.RESPONSES)
        consumer = BatchConsumer(
            Subscription(GROUP, topics, ClockHandler(new_id), committed), self.settings, self.database, self.publisher
        )
        parts: tuple[Runnable, ...] = (consumer, firing, relay)
        tasks = [asyncio.create_task(part.run()) for part in parts]
        try:
            yield
        finally:
            for part, task in zip(parts, tasks, strict=True):
                part.request_stop()
                await asyncio.wait_for(task, 30)

    async def all_heard(self) -> None:
        """Wait until everything said has been handled, everything due has fired, and everybody has been told."""
        await self.until(f"SELECT count(*) >= {self.heard} FROM inbox", "everything to be heard of")
        quiet = "next_due_at <= now() + interval '2 seconds'"
        await self.until(f"SELECT NOT EXISTS (SELECT FROM clocks WHERE {quiet})", "everything due to fire")
        await self.until("SELECT NOT EXISTS (SELECT FROM outbox)", "everything to be told")

    async def until(self, query: str, what: str) -> None:
        async def reached() -> bool:
            return bool((await self.rows(query))[0][0])

        await wait_until(reached, what=what)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.transaction() as connection:
            return [tuple(row) for row in await connection.execute(text(query))]

    async def rebuild(
        self, *, partial: bool = False, meanwhile: Callable[[AsyncConnection], Awaitable[None]] | None = None
    ) -> Outcome:
        """A rebuild; `meanwhile` is done once it has begun to read."""
        async with History.of(self.settings, GROUP) as history, self.database.engine.connect() as connection:
            done: dict[str, int] = {}
            rebuilding = Rebuilding(self.settings, self.database, history, GROUP)
            read = history.read

            async def read_then(until: Mapping[TopicPartition, int]) -> Any:
                async for records in read(until):
                    yield records
                if meanwhile:
                    async with self.database.transaction() as other:
                        await meanwhile(other)

            history.read = read_then  # type: ignore[method-assign]
            try:
                outcome = await rebuilding.run(
                    connection,
                    partial=partial,
                    agreed=lambda plan: bool(plan.messages),
                    progress=lambda topic, count: done.update({topic: done.get(topic, 0) + count}),
                )
            finally:
                # A command's connection ends with it.
                await connection.invalidate()
        assert outcome
        assert done == outcome.messages
        return outcome


@dataclass(frozen=True)
class Numbers:
    """Everything that topics tell, and everything that is made of it."""

    tables: dict[str, list[tuple[Any, ...]]]
    consumed: list[tuple[Any, ...]]
    figures: dict[str, float]
    documents: dict[str, Any]
    board: Facts = field(repr=False)


async def read_numbers(monitor: Monitor) -> Numbers:
    found = {table: sorted(await monitor.rows(f"SELECT each::text FROM {table} AS each")) for table in tables.REBUILT}
    consumed = await monitor.rows("SELECT topic, partition, next_offset FROM consumed ORDER BY 1, 2")
    figures = Figures(monitor.database, MINUTES)
    await figures.count()
    app = FastAPI()
    app.include_router(scorecards_api(monitor.database, lambda: None))
    documents: dict[str, Any] = {}
    for side in ("sales", "marketing"):
        for by in ("source,campaign,week", "team,rep", "channel"):
            documents[f"{side} by {by}"] = json.loads((await ask(app, f"/v1/scorecards/{side}", f"by={by}"))[1])
            documents[f"{side} by {by} as CSV"] = await ask(app, f"/v1/scorecards/{side}", f"by={by}&format=csv")
    documents["leads"] = json.loads((await ask(app, "/v1/scorecards/leads", "per=assignment&limit=1000"))[1])
    board = await read_facts(monitor.database, ZoneInfo("Europe/Berlin"))
    return Numbers(found, consumed, numbers(figures.collect()), documents, replace(board, now=utc_now().min))


async def some_history(monitor: Monitor) -> None:
    """Every kind of thing that happens, while the monitor runs."""
    policy = (
        EscalationStep(name="remind", action="remind_rep", window_fraction=0.5, delay=timedelta()),
        EscalationStep(name="at-risk", action="at_risk", window_fraction=0.8, delay=timedelta()),
        EscalationStep(name="breach", action="breach", window_fraction=1, delay=timedelta()),
        EscalationStep(name="later", action="reassign", window_fraction=1, delay=timedelta(hours=20)),
        EscalationStep(name="word", action="notify_manager", window_fraction=0.5, delay=timedelta(), clock="contact"),
    )

    def given(ago: int, window: int = 10, **more: Any) -> AssignmentMade:
        made = assigned(ago * MINUTES, window * MINUTES, **{"escalation": policy, **more})
        return made.model_copy(update={"campaign": "spring"})

    def ended(made: AssignmentMade, after: int, reason: str, by: str | None = None) -> AssignmentEnded:
        return AssignmentEnded.model_validate(
            {
                "assignment_id": made.assignment_id, "lead_id": made.lead_id, "rep": made.rep, "reason": reason,
                "ended_at": made.assigned_at + after * MINUTES, "by": by,
            }
        )  # fmt: skip

    def reminded(made: AssignmentMade) -> tuple[SkippedStep]:
        return (SkippedStep(clock="response", step="remind", occurrence=1, due_at=made.assigned_at + 5 * MINUTES),)

    def passed_on(made: AssignmentMade, ago: int, **more: Any) -> AssignmentMade:
        again = given(ago, **more)
        told = {"lead_id": made.lead_id, "received_at": made.received_at, "ordinal": made.ordinal + 1, "rep": "ben"}
        return again.model_copy(update=told)

    fresh, risky, overdue = given(0, 600), given(540, 600), given(15)
    in_time, late, heard_late, declined, taken = given(5), given(30), given(20), given(8), given(45)
    erased, erased_late, erased_on_hold = given(5), given(30), given(6)
    worked, three = (
        given(300, 60, calendar=OFFICE),
        given(200, 30, contact_window=100 * MINUTES, disposition_window=600 * MINUTES),
    )
    extended, held, released, gone_before, overtaken, overtaken_late = (given(6) for _ in range(6))
    calmed = given(9)
    chain = (
        EscalationStep(name="next", action="reassign", window_fraction=1, delay=5 * MINUTES),
        EscalationStep(
            name="head", action="notify", window_fraction=1, delay=MINUTES, to=("head",),
            repeat_every=8 * MINUTES, repeat_times=4,
        ),
    )  # fmt: skip
    ignored, ignored_twice, moved = (given(30, escalation=chain) for _ in range(3))
    repeated = given(4, escalation=(EscalationStep(
        name="again", action="remind_rep", window_fraction=0.1, delay=timedelta(), repeat_every=MINUTES,
        repeat_times=2,
    ),))  # fmt: skip
    await monitor.say(
        *(
            LeadUnrouted(
                lead_id=lead, source="ads", channel="call", campaign=None, received_at=utc_now() - 50 * MINUTES,
                unrouted_at=utc_now() - 50 * MINUTES, reason="nobody works",
            )
            for lead in (LeadId(new_id()), overdue.lead_id)
        )
    )  # fmt: skip
    await monitor.say(fresh, risky, overdue, in_time, late, heard_late, declined, taken, worked, three)
    await monitor.say(extended, held, released, gone_before, repeated, overtaken, overtaken_late, calmed)
    await monitor.say(ignored, ignored_twice, moved)
    await monitor.say(erased, erased_late, erased_on_hold)
    # An answer that comes before its assignment.
    early = given(3)
    await monitor.say(answered(early, MINUTES))
    await monitor.say(answered(in_time, 2 * MINUTES), ended(declined, 3, "declined"), ended(taken, 20, "reassigned"))
    await monitor.say(*(ended(made, 16, "reassigned", by) for made, by in ((ignored, None), (moved, "mia"))))
    await monitor.all_heard()
    # What is to come of the first goes on, twice; of one that a manager moved nothing does.
    second = passed_on(ignored_twice, 16, escalation=chain)
    await monitor.say(passed_on(ignored, 14, escalation=chain), passed_on(moved, 14, escalation=chain))
    await monitor.say(ended(ignored_twice, 14, "reassigned"), second)
    await monitor.all_heard()
    third = passed_on(second, 1, escalation=chain)
    await monitor.say(ended(second, 15, "reassigned"), third, terms(third, 1, "configuration", by=None))
    await monitor.say(
        early,
        passed_on(declined, 4),
        passed_on(taken, 25),
        answered(late, 13 * MINUTES),
        # Steps had fired, and the breach had been announced.
        answered(heard_late, 2 * MINUTES),
        answered(three, 5 * MINUTES),
        answered(worked, 30 * MINUTES, "contacted"),
    )
    await monitor.say(
        disposed(in_time, 3 * MINUTES, "accepted"),
        disposed(in_time, 4 * MINUTES, "won"),
        disposed(worked, 40 * MINUTES, "rejected"),
        disposed(late, 14 * MINUTES, "accepted"),
    )
    now = utc_now()
    more = {"response_window": 60 * MINUTES, "extended": {"response": 50 * MINUTES}}
    await monitor.say(
        terms(extended, 1, "extended", **more),
        terms(held, 1, "held", holds=(Hold(since=now, until=None),)),
        terms(released, 1, "held", holds=(Hold(since=now - 2 * MINUTES, until=None),)),
        terms(gone_before, 1, "extended", **more),
        # With a clock that it did not have.
        terms(repeated, 1, "configuration", contact_window=90 * MINUTES),
        terms(overdue, 1, "extended", **more),
        # It was at risk, and is again when most of the time is gone.
        terms(calmed, 1, "extended", **more),
        # Reminders that nobody was told of: one is to come, one fires again at once.
        terms(overtaken, 1, "extended", **more, skipped=reminded(overtaken)),
        terms(overtaken_late, 1, "extended", response_window=11 * MINUTES, skipped=reminded(overtaken_late)),
        terms(erased_on_hold, 1, "held", holds=(Hold(since=now, until=None),)),
    )
    await monitor.all_heard()
    await monitor.say(terms(released, 2, "released", holds=(Hold(since=now - 2 * MINUTES, until=now),)))
    # Answered before its terms were changed, by which it does not count.
    await monitor.say(answered(gone_before, 3 * MINUTES), answered(held, 8 * MINUTES))
    await monitor.say(ended(erased, 4, "erased"), ended(erased_late, 20, "erased"), ended(erased_on_hold, 8, "erased"))
    stays, leaves = (
        LeadJoined(
            lead_id=LeadId(new_id()), joined=in_time.lead_id, source="fairs", channel="form", campaign="autumn",
            recognised_by=("email",), received_at=now, joined_at=now,
        )
        for _ in range(2)
    )  # fmt: skip
    separated = LeadSeparated(lead_id=leaves.lead_id, joined=leaves.joined, by="mia", separated_at=now + MINUTES)
    await monitor.say(stays, leaves, separated)
    # A correction that was said before, and comes after.
    await monitor.say(disposed(late, 13 * MINUTES, "lost"))
    await monitor.all_heard()


async def skipped_after_it_went_on(monitor: Monitor) -> None:
    """What had gone on with the next rep was told to nobody, as a manager had given that rep more time meanwhile."""
    head = EscalationStep(name="head", action="notify", window_fraction=1, delay=10 * MINUTES, to=("head",))
    taken = EscalationStep(name="next", action="reassign", window_fraction=1, delay=5 * MINUTES)
    first, second = assigned(30 * MINUTES, escalation=(taken, head)), assigned(14 * MINUTES, 60 * MINUTES)
    second = second.model_copy(update={"lead_id": first.lead_id, "ordinal": 2, "escalation": (taken, head)})
    ended = AssignmentEnded(
        assignment_id=first.assignment_id, lead_id=first.lead_id, rep=first.rep, reason="reassigned",
        ended_at=second.assigned_at,
    )  # fmt: skip
    await monitor.say(first, ended, second)
    await monitor.all_heard()
    step = SkippedStep(clock="response", step="head", occurrence=1, due_at=first.assigned_at + 20 * MINUTES)
    more = {"response_window": 70 * MINUTES, "extended": {"response": 10 * MINUTES}}
    extended = terms(second, 1, "extended", **more)
    await monitor.say(extended, terms(second, 2, "extended", by=None, skipped=(step,), **more))
    await monitor.all_heard()


async def told_before_terms_changed(monitor: Monitor) -> None:
    """What others were told before a change would have moved it; then one lead goes on, one had been looked at."""
    chain = (
        EscalationStep(name="next", action="reassign", window_fraction=0.1, delay=timedelta()),
        EscalationStep(
            name="head", action="notify", window_fraction=0.5, delay=timedelta(), to=("head",),
            repeat_every=2 * MINUTES, repeat_times=2,
        ),
    )  # fmt: skip

    def goes_on(first: AssignmentMade, after: timedelta, pause: timedelta) -> tuple[AssignmentEnded, AssignmentMade]:
        ended_at = first.assigned_at + after
        end = AssignmentEnded(
            assignment_id=first.assignment_id, lead_id=first.lead_id, rep=first.rep, reason="reassigned",
            ended_at=ended_at,
        )  # fmt: skip
        then = {"lead_id": first.lead_id, "ordinal": 2, "assigned_at": ended_at + pause}
        return end, assigned(timedelta(), 60 * MINUTES, escalation=chain).model_copy(update=then)

    told, waited = (assigned(8 * MINUTES, escalation=chain) for _ in range(2))
    end, looked_at = goes_on(waited, 4 * MINUTES, 4 * MINUTES)
    await monitor.say(told, waited, end, looked_at)
    await monitor.all_heard()
    more = {"extended": {"response": 10 * MINUTES}}
    await monitor.say(
        terms(told, 1, "extended", response_window=20 * MINUTES, **more),
        terms(looked_at, 1, "extended", response_window=70 * MINUTES, **more),
        terms(looked_at, 2, "configuration", by=None, response_window=80 * MINUTES, **more),
    )
    await monitor.say(*goes_on(told, utc_now() - told.assigned_at, timedelta()))
    await monitor.all_heard()


def nonsense(monitor: Monitor) -> Message:
    headers = [("ce_specversion", b"1.0"), ("ce_type", b"relance.nonsense.v9")]
    return Message(monitor.settings.topic_prefix + Topic.RESPONSES, b"k", b"{}", headers)


@pytest.fixture
async def monitor(
    real_parts: tuple[DatabaseServer, Broker], database: str, open_database: OpenDatabase
) -> AsyncIterator[Monitor]:
    """A monitor with topics of its own."""
    server, broker = real_parts
    settings = ServiceSettings(
        database_url=MultiHostUrl(server.url(SCHEMA, database)),
        kafka_bootstrap_servers=broker.bootstrap_servers,
        topic_prefix=f"r{uuid.uuid4().hex}.",
        topic_partitions=3,
    )
    await create_topics(settings, [GROUP])
    publisher = KafkaPublisher(settings.kafka_bootstrap_servers, client_id="tests")
    yield Monitor(settings, open_database(SCHEMA), publisher)
    await publisher.close()


async def told_by_monitor(monitor: Monitor) -> int:
    """How many events it has told."""
    async with History.of(monitor.settings, GROUP) as history:
        extents = await history.extents([monitor.settings.topic_prefix + Topic.SLA])
    return sum(extent.ends for extent in extents.values())


@pytest.mark.parametrize("lost", [False, True])
async def test_topics_give_the_same_numbers_again_and_the_service_goes_on_where_it_was(
    monitor: Monitor, lost: bool
) -> None:
    """Over the tables as they are, and over tables whose rows are all gone: every row, figure, document and line."""
    async with monitor.database.transaction() as connection:
        # Once with series of its own, once among others.
        listed = (
            "INSERT INTO campaigns (source, campaign, listed, active_at) VALUES ('website', 'spring', :lost, now())"
        )
        await connection.execute(text(listed), {"lost": lost})
    async with monitor.running():
        await some_history(monitor)
        await skipped_after_it_went_on(monitor)
        await told_before_terms_changed(monitor)
        await monitor.say(raw=[nonsense(monitor)])
        await monitor.say(*(assigned(MINUTES, timedelta(days=2)) for _ in range(3)))
        await monitor.all_heard()
    spent = Spend.model_validate({"source": "website", "month": "2026-11", "amount": "100", "currency": "EUR"})
    await put_spend(monitor.database, [spent])
    before, told = await read_numbers(monitor), await told_by_monitor(monitor)
    agreed = await agreed_numbers(monitor.database)
    assert all(before.tables.values()), "nothing of some kind happened"
    assert (before.figures["breaches_withdrawn_total"], before.figures["touches_total"]) == (3, 2)
    # Said while the monitor was down: not for the rebuild, but for the service.
    unheard = assigned(MINUTES, timedelta(days=1))
    await monitor.say(unheard)
    if lost:
        emptied = ", ".join((*tables.REBUILT, *tables.COUNTED, "inbox", "consumed"))
        async with monitor.database.transaction() as connection:
            await connection.execute(text(f"TRUNCATE {emptied}"))
    outcome = await monitor.rebuild()
    after = await read_numbers(monitor)
    assert after.tables == before.tables
    # What was buried behind the last event that was handled counts as handled too.
    reached = {(topic, partition): offset for topic, partition, offset in after.consumed}
    assert all(reached[topic, partition] >= offset for topic, partition, offset in before.consumed)
    assert after.figures == before.figures
    assert after.documents == before.documents
    assert after.board == before.board
    assert await agreed_numbers(monitor.database) == agreed
    assert (outcome.refused, outcome.stray_steps, outcome.missing) == (1, 0, {})
    assert outcome.rows == {table: len(found) for table, found in before.tables.items()}
    assert await told_by_monitor(monitor) == told

    async with monitor.running():
        await monitor.say(answered(unheard, MINUTES), assigned(15 * MINUTES))
        await monitor.until(f"SELECT count(*) = {len(before.tables['clocks']) + 2} FROM clocks", "both clocks")
        await monitor.until("SELECT NOT EXISTS (SELECT FROM clocks WHERE next_due_at < now())", "what is due to fire")
        await monitor.until("SELECT NOT EXISTS (SELECT FROM outbox)", "everything to be told")
    assert await told_by_monitor(monitor) == told + 2, "the new lead's reminder and breach, and nothing again"


async def test_rebuilding_waits_for_the_service_to_stop_and_to_have_told_everything(monitor: Monitor) -> None:
    """And says what is in its way; nothing is changed."""
    async with monitor.running():
        await monitor.say(assigned(MINUTES))
        await monitor.all_heard()
        with pytest.raises(RebuildRefused, match="has 1 members"):
            await monitor.rebuild()
    before = await read_numbers(monitor)
    event = "'leads.sla', 'k', 't', '{}', '{}', now()"
    columns = "aggregate_type, aggregate_id, type, payload, headers, occurred_at"
    async with monitor.database.transaction() as connection:
        await connection.execute(text(f"INSERT INTO outbox ({columns}) VALUES ({event})"))
    with pytest.raises(RebuildRefused, match="1 events that Kafka does not have"):
        await monitor.rebuild()
    assert await read_numbers(monitor) == before


async def test_an_interrupted_rebuild_changes_nothing_and_is_run_again(monitor: Monitor) -> None:
    """Also one during which the service has run: it would take back what was done meanwhile."""
    async with monitor.running():
        await monitor.say(*(assigned(15 * MINUTES) for _ in range(4)))
        await monitor.all_heard()
    before = await read_numbers(monitor)

    async def interrupt(_: AsyncConnection) -> None:
        raise KeyError("interrupted")

    async def run(other: AsyncConnection) -> None:
        await other.execute(text("UPDATE consumed SET next_offset = next_offset + 1"))

    with pytest.raises(KeyError, match="interrupted"):
        await monitor.rebuild(meanwhile=interrupt)
    assert await read_numbers(monitor) == before
    with pytest.raises(RebuildRefused, match="has run meanwhile"):
        await monitor.rebuild(meanwhile=run)
    assert (await read_numbers(monitor)).tables == before.tables
    async with monitor.database.transaction() as connection:
        await connection.execute(text("UPDATE consumed SET next_offset = next_offset - 1"))
    await monitor.rebuild()
    assert await read_numbers(monitor) == before


async def test_a_topic_that_has_lost_messages_is_refused_unless_that_is_accepted(monitor: Monitor) -> None:
    """It says how many of which; steps of clocks that are not told of any more are left out, not left behind."""
    async with monitor.running():
        await monitor.say(*(assigned(15 * MINUTES) for _ in range(20)))
        await monitor.all_heard()
    before = await read_numbers(monitor)
    topic = monitor.settings.topic_prefix + Topic.ASSIGNMENTS
    admin = AIOKafkaAdminClient(bootstrap_servers=monitor.settings.kafka_bootstrap_servers)
    await admin.start()
    ends = {part: offset for name, part, offset in before.consumed if name == Topic.ASSIGNMENTS}
    lost = max(ends, key=lambda part: ends[part])
    await admin.delete_records({TopicPartition(topic, lost): RecordsToDelete(ends[lost])})
    await admin.close()
    with pytest.raises(RebuildRefused, match=f"{ends[lost]} of leads.assignments"):
        await monitor.rebuild()
    assert await read_numbers(monitor) == before
    outcome = await monitor.rebuild(partial=True)
    assert outcome.missing == {"leads.assignments": ends[lost]}
    assert outcome.rows["clocks"] == 20 - ends[lost]
    assert outcome.stray_steps == 2 * ends[lost]
    assert outcome.rows["steps"] == 2 * (20 - ends[lost])


async def test_a_topic_that_has_lost_its_end_is_rebuilt_to_where_it_ends_now(monitor: Monitor) -> None:
    """As after a restored backup of Kafka; the service goes on there, and hears what comes next."""
    async with monitor.running():
        await monitor.say(*(assigned(15 * MINUTES) for _ in range(20)))
        await monitor.all_heard()
    before = await read_numbers(monitor)
    async with monitor.database.transaction() as connection:
        await connection.execute(text("UPDATE consumed SET next_offset = next_offset + 3 WHERE partition = 0"))
    lost = sum(3 for _, part, _ in before.consumed if part == 0)
    with pytest.raises(RebuildRefused, match=f"{lost} of leads.assignments"):
        await monitor.rebuild()
    async with asyncio.timeout(30):
        outcome = await monitor.rebuild(partial=True)
    assert (outcome.missing, outcome.offsets_stored) == ({"leads.assignments": lost}, True)
    assert await read_numbers(monitor) == before
    async with monitor.running():
        await monitor.say(*(assigned(15 * MINUTES) for _ in range(20)))
        await monitor.until("SELECT count(*) = 40 FROM clocks", "what comes next to be heard of")


async def test_operators_rebuild_by_a_command_that_says_what_it_does(monitor: Monitor) -> None:
    """It asks first; a program gets a document."""
    async with monitor.running():
        await some_history(monitor)
    before = await read_numbers(monitor)
    environment = {
        "RELANCE_DATABASE_URL": str(monitor.settings.database_url),
        "RELANCE_KAFKA_BOOTSTRAP_SERVERS": monitor.settings.kafka_bootstrap_servers,
        "RELANCE_TOPIC_PREFIX": monitor.settings.topic_prefix,
        "RELANCE_OPERATOR_TOKEN": "t" * 32,
    }

    async def run(*arguments: str, answer: str = "") -> Any:
        invoke = CliRunner().invoke
        return await asyncio.to_thread(invoke, command_line, ["rebuild", *arguments], env=environment, input=answer)

    declined = await run(answer="n\n")
    clocks = len(before.tables["clocks"])
    assert (declined.exit_code, f"{clocks} clocks" in declined.stdout) == (1, True)
    assert "Nothing was changed" in declined.stderr
    done = await run("--yes", "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["rows"] == document["rows_before"]
    assert document["messages"]["leads.sla"] == await told_by_monitor(monitor)
    told = await run("--yes")
    assert (told.exit_code, "goes on where it was" in told.stdout) == (0, True)
    assert replace(await read_numbers(monitor), consumed=[]) == replace(before, consumed=[])


async def test_a_role_without_its_right_is_told_what_to_run(
    monitor: Monitor, real_parts: tuple[DatabaseServer, Broker], database: str
) -> None:
    """In databases that were made before there was a rebuild."""
    superuser = await real_parts[0].connect(database)
    await superuser.execute(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    with pytest.raises(RebuildRefused, match=r"roles\.sql"):
        await monitor.rebuild()
    await superuser.execute(f'GRANT TEMPORARY ON DATABASE "{database}" TO sla')
    await superuser.close()
    assert (await monitor.rebuild()).rows["clocks"] == 0


async def test_every_table_is_rebuilt_or_left_alone_for_a_reason(monitor: Monitor) -> None:
    """A new table must not be forgotten."""
    known = {*tables.REBUILT, *tables.COUNTED, *tables.SPARED, "inbox", "consumed"}
    found = await monitor.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'sla'")
    assert {name for (name,) in found} == known


async def test_a_batch_reads_its_own_rows_of_what_is_filled_however_much_that_is(monitor: Monitor) -> None:
    """Tables that nobody has analyzed: by their index all the same."""
    async with monitor.database.engine.connect() as connection:
        async with connection.begin():
            await tables.create_temporary(connection, SCHEMA)
        await connection.execute(
            text("""
                INSERT INTO clocks (
                    assignment_id, clock, lead_id, ordinal, rep, team, source, channel, received_at, started_at,
                    response_window, steps, traceparent
                ) SELECT gen_random_uuid(), 'response', gen_random_uuid(), 1, 'r', 't', 's', 'form', now(), now(),
                    interval '1 hour', '[]', '' FROM generate_series(1, 5000)
            """)
        )
        some = {"assignment_ids": [new_id() for _ in range(50)]}
        plan = await connection.execute(
            text("EXPLAIN SELECT * FROM clocks WHERE assignment_id = ANY(:assignment_ids)"), some
        )
        assert any("clocks_pkey" in line for line in plan.scalars())
        await connection.invalidate()
