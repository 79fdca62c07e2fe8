"""Ingest: the one place where its parts are wired, and closed in reverse."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import typer
from fastapi import FastAPI

from relance import ids, migrations, service
from relance.clock import utc_now
from relance.command_line import service_commands
from relance.database import Database
from relance.http.serve import HttpServer, guarded
from relance.kafka.publisher import KafkaPublisher
from relance.outbox import OutboxRelay
from relance_ingest.acceptance import Acceptance
from relance_ingest.http import calls, forms, leads, partners
from relance_ingest.retrieval import GraphApi, ReferenceStore, Retrieval
from relance_ingest.settings import IngestSettings
from relance_ingest.sources import Credentials, Sources, SourcesRefused, credentials

SCHEMA = "ingest"


async def migrate(settings: IngestSettings) -> None:
    """Prepare the schema and the topics."""
    folder = Path(__file__).parent / "migrations"
    await migrations.prepare(settings, schema=SCHEMA, folder=folder, groups=[])


def application(settings: IngestSettings, sources: Sources, database: Database, acceptance: Acceptance) -> FastAPI:
    """The HTTP face. Ready means: can commit. Kafka may be away; what is accepted then is published later."""
    app = FastAPI(title="Relance ingest", summary="Takes leads and calls from web forms and partners", version="1")
    guarded(app, settings, {"database": database.ping}, body_limits={partners.PATH: partners.BODY_LIMIT})
    app.state.sources = sources
    app.state.acceptance = acceptance
    for part in (leads, forms, calls):
        app.include_router(part.router)
    return app


def with_partners(
    app: FastAPI,
    settings: IngestSettings,
    known: Mapping[str, Credentials],
    references: ReferenceStore,
    retrieval: Retrieval,
) -> FastAPI:
    """Open the partners' doors."""
    app.state.public_url = str(settings.public_url).rstrip("/") if settings.public_url else None
    app.state.credentials = known
    app.state.references = references
    app.state.retrieval = retrieval
    app.include_router(partners.router)
    return app


async def serve(settings: IngestSettings) -> None:
    """Run until SIGTERM."""
    try:
        sources = Sources.read(settings.sources_file)
        known = credentials(sources, os.environ)
    except SourcesRefused as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    async with AsyncExitStack() as closing:
        database = Database.of(settings, SCHEMA)
        closing.push_async_callback(database.close)
        publisher = KafkaPublisher(settings.kafka_bootstrap_servers, client_id="ingest")
        closing.push_async_callback(publisher.close)
        relay = OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)
        acceptance = Acceptance(
            database,
            ids.new_id,
            utc_now,
            relay.nudge,
            waiting=settings.accept_waiting,
            patience=settings.accept_patience,
        )
        closing.push_async_callback(acceptance.drain)
        session = await closing.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        references = ReferenceStore(database)
        graph_api = GraphApi(session, str(settings.meta_graph_url))
        retrieval = Retrieval(references, graph_api, acceptance, sources, known)
        app = with_partners(
            application(settings, sources, database, acceptance), settings, known, references, retrieval
        )
        await service.run(
            [
                service.Part("http", HttpServer(app, settings)),
                service.Part("retrieval", retrieval),
                service.Part("relay", relay),
            ],
            deadline=settings.shutdown_deadline,
        )


command_line = service_commands("ingest", IngestSettings, serve=serve, migrate=migrate)
