"""The SLA monitor: the one place where its parts are wired, and closed in reverse."""

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from prometheus_client.registry import REGISTRY

from relance import ids, inbox, migrations, service
from relance.command_line import service_commands
from relance.database import Database
from relance.events import Topic
from relance.http.serve import HttpServer, guarded
from relance.kafka.consumer import BatchConsumer, Subscription
from relance.kafka.publisher import KafkaPublisher
from relance.outbox import OutboxRelay
from relance.ticker import Ticker
from relance_sla_monitor.figures import Figures
from relance_sla_monitor.handler import ClockHandler
from relance_sla_monitor.settings import SlaMonitorSettings
from relance_sla_monitor.timers import Timers

SCHEMA = "sla"
GROUP = "sla-monitor"


async def migrate(settings: SlaMonitorSettings) -> None:
    """Prepare the schema and the topics."""
    folder = Path(__file__).parent / "migrations"
    await migrations.prepare(settings, schema=SCHEMA, folder=folder, groups=[GROUP])


async def serve(settings: SlaMonitorSettings) -> None:
    """Run until SIGTERM."""
    async with AsyncExitStack() as closing:
        database = Database.of(settings, SCHEMA)
        closing.push_async_callback(database.close)
        publisher = KafkaPublisher(settings.kafka_bootstrap_servers, client_id=GROUP)
        closing.push_async_callback(publisher.close)
        relay = OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)
        timers = Timers(database, ids.new_id, relay.nudge)
        firing = Ticker("timers", timers.fire_due)
        figures = Figures(database, settings.figures_every)
        REGISTRY.register(figures)

        def committed() -> None:
            timers.look_again()
            firing.nudge()
            relay.nudge()

        consumer = BatchConsumer(
            Subscription(GROUP, (Topic.ASSIGNMENTS, Topic.RESPONSES), ClockHandler(ids.new_id), committed),
            settings,
            database,
            publisher,
        )
        app = guarded(
            FastAPI(title="Relance SLA monitor", summary="Holds reps to the response window"),
            settings,
            {"database": database.ping, "consumer": consumer.check},
        )
        await service.run(
            [
                service.Part("consumer", consumer),
                service.Part("http", HttpServer(app, settings)),
                service.Part("timers", firing),
                service.Part("figures", Ticker("figures", figures.count)),
                service.Part("inbox", Ticker("inbox", partial(inbox.forget, database))),
                service.Part("relay", relay),
            ],
            deadline=settings.shutdown_deadline,
        )


command_line = service_commands("sla-monitor", SlaMonitorSettings, serve=serve, migrate=migrate)
