"""Two router replicas under everything that Kafka, people and crashes do to them, in any order that Hypothesis finds.

The topic is a list and each partition's committed offset a number, so that a crash before the commit, a crash between
the commit and the offset, a message delivered twice and a rebalance with two owners at once are each one step. The
database is the real one. tests/faults has the same on a real Kafka, with real kills.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pydantic_core import MultiHostUrl
from tests.integration.emptying import emptying
from tests.integration.events import envelope, lead
from tests.integration.router_harness import TEAM, Router, erasure, step
from tests.system import Endpoints, routing
from typing_extensions import override

from relance.database import Database
from relance.events import Envelope
from relance.ids import new_id
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import ROUTER
from relance_router.domain.dispositions import Judgement
from relance_router.domain.interventions import InterventionRefused
from relance_router.terms.interventions import Order
from relance_router.terms.separating import Separated

PARTITIONS = 2
PEOPLE = [("a@example.com", None), ("a@example.com", "+491"), ("b@example.com", "+491"), (None, "+491")]
"""Two, until somebody says that they are one."""
_TABLES = (
    "leads", "assignments", "answers", "dispositions", "unrouted", "teams", "places", "place_changes", "reps",
    "pauses", "offers", "ignored_leads", "notifications", "interventions", "outbox", "inbox",
)  # fmt: skip

_NOT_FORGOTTEN = """
    SELECT id FROM leads l WHERE erased_at IS NOT NULL AND (
        identity IS NOT NULL OR company_domain IS NOT NULL OR CAST(data AS text) LIKE '%@%'
        OR EXISTS (SELECT FROM unrouted WHERE lead_id = l.id)
        OR EXISTS (
            SELECT FROM assignments
            WHERE lead_id = l.id AND ended_at IS NULL AND coalesce(disposition, 'accepted') = 'accepted'
        )
        OR EXISTS (SELECT FROM notifications WHERE lead_id = l.id AND (state = 'pending' OR details <> '{}'))
    )
"""


# Neither has been over, or was separated from another lead, ever: the second should have joined the first.
_TWO_OWNERS = """
    SELECT x.id, y.id FROM leads x JOIN leads y ON x.person_keys && y.person_keys AND x.id < y.id
    WHERE x.joined IS NULL AND y.joined IS NULL AND 'support' NOT IN (x.source, y.source)
        AND greatest(x.routed_at, y.routed_at) - least(x.routed_at, y.routed_at) <= interval '7 days'
        AND NOT EXISTS (
            SELECT FROM dispositions d JOIN assignments a ON a.id = d.assignment_id WHERE a.lead_id IN (x.id, y.id)
        )
        AND NOT EXISTS (
            SELECT FROM outbox
            WHERE type = 'relance.lead.separated.v1' AND aggregate_id IN (CAST(x.id AS text), CAST(y.id AS text))
        )
"""
_JOINED_WRONGLY = """
    SELECT t.id FROM leads t JOIN leads root ON root.id = t.joined
    WHERE root.joined IS NOT NULL OR 'support' IN (t.source, root.source)
"""


class Crash(RuntimeError):
    """The replica died before its transaction was committed."""


class Replicas(RuleBasedStateMachine):
    """Two replicas, a topic of two partitions, and the people."""

    runner: asyncio.Runner
    routers: list[Router]

    def __init__(self) -> None:
        super().__init__()
        self.topic: list[list[Envelope]] = [[] for _ in range(PARTITIONS)]
        self.committed = [0] * PARTITIONS
        self.away: set[str] = set()

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        self.run(self.routers[0].execute(emptying(*_TABLES)))
        self.apply()

    def apply(self) -> None:
        reps = {rep: {"available": rep not in self.away, "capacity": 4} for rep in TEAM}
        teams = {"sales": TEAM, "more": TEAM[:2]}
        same_person = {"within": "7d", "except_sources": ["support"]}
        document = yaml.safe_load(routing(Endpoints(), teams, reps=reps))
        self.run(self.routers[0].apply(yaml.safe_dump({**document, "same_person": same_person})))

    @rule(
        partition=st.integers(0, PARTITIONS - 1),
        team=st.sampled_from(["sales", "more"]),
        people=st.lists(st.sampled_from([*PEOPLE, None, None, None]), min_size=1, max_size=3),
        source=st.sampled_from(["website", "website", "support"]),
    )
    def leads_come(
        self, partition: int, team: str, people: list[tuple[str | None, str | None] | None], source: str
    ) -> None:
        for person in people:
            email, phone = person or (f"{new_id()}@example.com", None)
            self.topic[partition].append(envelope(lead(team=team, source=source, email=email, phone=phone)))

    @rule(
        replica=st.integers(0, 1),
        partition=st.integers(0, PARTITIONS - 1),
        crash=st.sampled_from(["not", "not", "before the commit", "before the offset"]),
    )
    def a_batch_is_polled(self, replica: int, partition: int, crash: str) -> None:
        batch = self.topic[partition][self.committed[partition] :]
        if crash == "before the commit":
            try:
                self.run(self.routers[replica].consume(batch, then_die=Crash()))
            except Crash:
                return
        self.run(self.routers[replica].consume(batch))
        if crash == "not":
            self.committed[partition] += len(batch)

    @rule(partition=st.integers(0, PARTITIONS - 1))
    def a_rebalance_gives_a_partition_two_owners(self, partition: int) -> None:
        batch = self.topic[partition][self.committed[partition] :]

        async def both() -> None:
            await asyncio.gather(*(router.consume(batch) for router in self.routers))

        self.run(both())
        self.committed[partition] += len(batch)

    @rule(replica=st.integers(0, 1))
    def both_partitions_at_once(self, replica: int) -> None:
        batches = [self.topic[partition][self.committed[partition] :] for partition in range(PARTITIONS)]

        async def both() -> None:
            await asyncio.gather(
                *(self.routers[(replica + place) % 2].consume(batch) for place, batch in enumerate(batches))
            )

        self.run(both())
        self.committed = [len(messages) for messages in self.topic]

    def owned(self, choice: float) -> dict[str, Any] | None:
        rows: list[dict[str, Any]] = self.run(
            self.routers[0].rows("SELECT * FROM assignments WHERE ended_at IS NULL ORDER BY id")
        )
        return rows[int(choice * len(rows))] if rows else None

    @rule(
        choice=st.floats(0, 1, exclude_max=True),
        answer=st.sampled_from(["acknowledged", "contacted", "declined"]),
        fingers=st.integers(1, 2),
    )
    def a_rep_answers(self, choice: float, answer: Any, fingers: int) -> None:
        owned = self.owned(choice)
        if owned is None:
            return

        async def press() -> None:
            presses = (self.routers[place].recorder.record(owned["id"], answer, None) for place in range(fingers))
            await asyncio.gather(*presses)

        self.run(press())

    @rule(choice=st.floats(0, 1, exclude_max=True), disposition=st.sampled_from(["accepted", "rejected", "won"]))
    def a_rep_says_what_a_lead_is_worth(self, choice: float, disposition: Any) -> None:
        owned = self.owned(choice)
        if owned is not None:
            recorder = self.routers[0].recorder
            self.run(recorder.record(owned["id"], "contacted", None))
            reason = "no_budget" if disposition == "rejected" else None
            self.run(recorder.dispose(owned["id"], Judgement(disposition, reason)))

    @rule(days=st.integers(1, 8))
    def nothing_is_heard_for_days(self, days: int) -> None:
        self.run(self.routers[0].execute(f"UPDATE leads SET routed_at = routed_at - interval '{days} days'"))

    @rule(choice=st.floats(0, 1, exclude_max=True), managers=st.integers(1, 2))
    def a_touch_is_separated(self, choice: float, managers: int) -> None:
        touches = self.run(self.routers[0].rows("SELECT id FROM leads WHERE joined IS NOT NULL ORDER BY id"))
        if not touches:
            return
        touch = touches[int(choice * len(touches))]["id"]

        async def separate() -> list[Any]:
            given = (
                router.separation.separate(Order(touch, "a test", "another")) for router in self.routers[:managers]
            )
            return await asyncio.gather(*given, return_exceptions=True)

        done = [type(each) for each in self.run(separate())]
        # Of one that was erased nobody knows whether it was one.
        erased = self.run(
            self.routers[0].rows("SELECT 1 FROM leads WHERE id = :id AND erased_at IS NOT NULL", id=touch)
        )
        expected = [InterventionRefused] * managers if erased else [Separated, InterventionRefused][:managers]
        assert sorted(done, key=str) == sorted(expected, key=str)

    @rule(choice=st.floats(0, 1, exclude_max=True), times=st.integers(1, 2))
    def a_lead_is_ignored(self, choice: float, times: int) -> None:
        owned = self.owned(choice)
        if owned is not None:
            event = step(owned, "reassign")
            for place in range(times):
                self.run(self.routers[place].consume([event]))

    @rule(choice=st.floats(0, 1, exclude_max=True), to=st.none() | st.sampled_from(TEAM), managers=st.integers(1, 2))
    def a_manager_reassigns(self, choice: float, to: str | None, managers: int) -> None:
        full = {row["rep"] for row in self.run(self.routers[0].rows("SELECT rep FROM reps WHERE open_leads >= 4"))}
        leads = self.run(self.routers[0].rows("SELECT id FROM leads ORDER BY id"))
        if not leads or to in full:
            return
        order = Order(leads[int(choice * len(leads))]["id"], "a test", "a fair week")

        async def give() -> None:
            given = (self.routers[place].reassignment.reassign(order, to) for place in range(managers))
            for each in await asyncio.gather(*given, return_exceptions=True):
                assert not isinstance(each, BaseException) or isinstance(each, InterventionRefused), each

        self.run(give())

    @rule(choice=st.floats(0, 1, exclude_max=True), times=st.integers(1, 2))
    def somebody_is_to_be_forgotten(self, choice: float, times: int) -> None:
        leads = self.run(self.routers[0].rows("SELECT id FROM leads ORDER BY id"))
        if leads:
            event = erasure(leads[int(choice * len(leads))]["id"])
            for place in range(times):
                self.run(self.routers[place].consume([event]))

    @rule(rep=st.sampled_from(TEAM))
    def somebody_goes_on_leave_or_comes_back(self, rep: str) -> None:
        self.away ^= {rep}
        self.apply()

    @rule(rep=st.sampled_from(TEAM))
    def somebody_is_paused(self, rep: str) -> None:
        self.run(self.routers[0].people.pause(rep, because="a pause", by="a test"))

    @rule(rep=st.sampled_from(TEAM))
    def somebody_is_resumed(self, rep: str) -> None:
        self.run(self.routers[1].people.resume(rep, by="a test"))

    @rule()
    def leads_that_stand_are_tried_again(self) -> None:
        async def both() -> None:
            for router in self.routers:
                router.unrouted.is_free(["sales", "more"])
            await asyncio.gather(*(router.unrouted.retry() for router in self.routers))

        self.run(both())

    @precondition(lambda self: any(self.topic))
    @invariant()
    def the_books_are_right(self) -> None:
        """One owner or a place in `unrouted` for each lead that joined no other, counts, one notification each, every
        decision again; and one owner for each person who is being spoken with.
        """
        self.run(self.routers[0].books())
        full = "SELECT rep FROM reps WHERE open_leads > 4"
        assert self.run(self.routers[0].rows(full)) == [], "nobody has more than they take"
        assert self.run(self.routers[0].rows(_NOT_FORGOTTEN)) == [], "nobody knows or works on who was erased"

        assert self.run(self.routers[0].rows(_TWO_OWNERS)) == [], "nobody is spoken with twice"
        assert self.run(self.routers[0].rows(_JOINED_WRONGLY)) == [], "no touch is joined, nor what stands alone"

    @override
    def teardown(self) -> None:
        """Nothing is lost: once all is polled, every lead of the topic is in the books, once."""
        for partition in range(PARTITIONS):
            self.a_batch_is_polled(0, partition, "not")
        sent = {message.data.lead_id for messages in self.topic for message in messages}  # type: ignore[attr-defined]
        kept = {row["id"] for row in self.run(self.routers[0].rows("SELECT id FROM leads"))}
        assert kept == sent
        if sent:
            self.the_books_are_right()


@contextmanager
def replicas(url: MultiHostUrl) -> Iterator[None]:
    """Two routers on one database, in an event loop of their own: a state machine is no coroutine."""
    with asyncio.Runner() as runner:
        databases = [Database(url, schema=ROUTER, pool_size=5, timeout=timedelta(seconds=30)) for _ in range(2)]
        Replicas.runner = runner
        Replicas.routers = [Router(database) for database in databases]
        try:
            yield
        finally:
            for database in databases:
                runner.run(database.close())


def test_replicas_keep_the_books_right_whatever_happens(
    real_parts: tuple[DatabaseServer, Broker], database: str
) -> None:
    """Invariants 1, 2, 3 and 5 under duplicates, rebalances, crashes, leave, pauses, declines and ignored leads."""
    server, _ = real_parts
    with replicas(MultiHostUrl(server.url(ROUTER, database))):
        run_state_machine_as_test(
            Replicas,
            settings=settings(
                max_examples=20,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
