"""The SLA monitor: the one place where its parts are wired, and closed in reverse."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from fastapi import FastAPI
from prometheus_client.registry import REGISTRY

from relance import faults, ids, inbox, migrations, service
from relance.command_line import load_settings, service_commands
from relance.database import Database
from relance.events import Topic
from relance.http.operators import operator_only
from relance.http.serve import HttpServer, guarded
from relance.kafka.consumer import BatchConsumer, Subscription
from relance.kafka.publisher import KafkaPublisher
from relance.outbox import OutboxRelay
from relance.ticker import Ticker
from relance_sla_monitor.board.access import Access, BoardLinks
from relance_sla_monitor.board.live import LiveBoard
from relance_sla_monitor.board.reading import read_facts, read_teams
from relance_sla_monitor.board.routes import STREAM, board_routes
from relance_sla_monitor.board.templates import Pages
from relance_sla_monitor.exports import exports_api
from relance_sla_monitor.figures import Figures
from relance_sla_monitor.handler import ClockHandler
from relance_sla_monitor.rebuild.command import rebuild_command
from relance_sla_monitor.scorecards.api import scorecards_api
from relance_sla_monitor.scorecards.spend_api import spend_api
from relance_sla_monitor.settings import SlaMonitorSettings
from relance_sla_monitor.timeline import timeline_api
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
        # A report may take long, and whoever asks for many waits for them; timers and clocks do not.
        reports = Database(
            settings.database_url,
            schema=SCHEMA,
            pool_size=settings.reports_pool_size,
            timeout=settings.reports_timeout,
        )
        closing.push_async_callback(reports.close)
        publisher = KafkaPublisher(settings.kafka_bootstrap_servers, client_id=GROUP)
        closing.push_async_callback(publisher.close)
        relay = OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)
        timers = Timers(database, ids.new_id, relay.nudge)
        firing = Ticker("timers", timers.fire_due)
        figures = Figures(database, settings.figures_every)
        REGISTRY.register(figures)
        pages = Pages(settings.board_zone)
        board = LiveBoard(partial(read_facts, database, settings.board_zone), pages.part)

        def committed() -> None:
            timers.look_again()
            firing.nudge()
            relay.nudge()
            board.nudge()

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
            streams={STREAM: settings.board_viewers},
        )
        app.include_router(board_routes(board, _board_links(settings), pages))
        operators = operator_only(settings.operator_token.get_secret_value())
        of_reports = settings.reports_token.get_secret_value() if settings.reports_token else None
        readers = operator_only(settings.operator_token.get_secret_value(), of_reports)
        app.include_router(scorecards_api(reports, readers))
        app.include_router(spend_api(reports, operators, readers))
        app.include_router(timeline_api(reports, readers))
        app.include_router(exports_api(reports, operators))
        await service.run(
            [
                service.Part("consumer", consumer),
                service.Part("board", board),
                service.Part("http", HttpServer(app, settings)),
                service.Part("timers", firing),
                service.Part("figures", Ticker("figures", figures.count)),
                service.Part("inbox", Ticker("inbox", partial(inbox.forget, database))),
                service.Part("relay", relay),
            ],
            deadline=settings.shutdown_deadline,
        )


def _board_links(settings: SlaMonitorSettings) -> BoardLinks | None:
    if settings.board_secret is None:
        return None
    return BoardLinks(public_url=str(settings.board_url), secret=settings.board_secret.get_secret_value())


command_line = service_commands("sla-monitor", SlaMonitorSettings, serve=serve, migrate=migrate)
command_line.command("rebuild")(rebuild_command(SCHEMA, GROUP))


@command_line.command("board-link")
def board_link(
    team: Annotated[str | None, typer.Option(help="Show this team only; all when it is left out.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the link works.")] = 30,
) -> None:
    """Print a link that opens the board. Whoever has it may look, and changes nothing."""
    settings = load_settings(SlaMonitorSettings)
    links = _board_links(settings)
    if links is None:
        typer.echo("The board is off: set RELANCE_BOARD_SECRET, for the service too. See docs/settings.md.", err=True)
        raise typer.Exit(2)
    if team is not None and (doubt := asyncio.run(_doubt(settings, team))):
        typer.echo(doubt, err=True)
    typer.echo(links.url(Access(team, datetime.now(UTC) + timedelta(days=days))))


async def _doubt(settings: SlaMonitorSettings, team: str) -> str:
    """What speaks against a board of this team; nothing when it has had a lead."""
    database = Database.of(settings, SCHEMA)
    try:
        teams = await read_teams(database)
    except Exception as error:
        if not faults.is_transient(error):
            raise
        return f"Whether there is a team {team} is not known: PostgreSQL cannot be reached."
    finally:
        await database.close()
    if team in teams:
        return ""
    return f"No lead was ever given to a team {team}; its board is empty. Teams that had some: {', '.join(teams)}."
