"""Ingest: the one place where its parts are wired, and closed in reverse."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import aiohttp
import typer
from fastapi import FastAPI
from pydantic import SecretStr

from relance import ids, inbox, migrations, service
from relance.clock import utc_now
from relance.command_line import service_commands
from relance.database import Database
from relance.encrypt_command import encrypt_command
from relance.events import Topic
from relance.http.operators import operator_only
from relance.http.serve import HttpServer, guarded
from relance.kafka.consumer import BatchConsumer, Subscription
from relance.kafka.publisher import KafkaPublisher
from relance.outbox import OutboxRelay, check_waiting
from relance.personal_data import PersonalData
from relance.start_up import StartCheck
from relance.ticker import Ticker
from relance_ingest import identity_secrets
from relance_ingest.acceptance import Acceptance
from relance_ingest.acceptance.naming import name_all
from relance_ingest.command_line import quarantine_commands
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.http import calls, demo, form_tokens, forms, leads, partners, snippet
from relance_ingest.http.form_edge import FormEdge
from relance_ingest.http.privacy import privacy_api
from relance_ingest.http.quarantine import quarantine_api
from relance_ingest.person_commands import person_commands
from relance_ingest.privacy import Erasures, ProofHandler, Retention
from relance_ingest.retrieval import GraphApi, ReferenceStore, Retrieval
from relance_ingest.sealed_columns import SEALED_COLUMNS
from relance_ingest.settings import IngestSettings
from relance_ingest.sources import Credentials, Sources, SourcesRefused, credentials
from relance_ingest.spam.captcha import CaptchaProviders, captcha_secrets
from relance_ingest.spam.form_tokens import form_tokens_of
from relance_ingest.spam.quarantine import Waiting
from relance_ingest.spam.rate_limits import RateLimits
from relance_ingest.spam.repetitions import Repetitions
from relance_ingest.spam.screening import Screening

SCHEMA = "ingest"
GROUP = "ingest"


async def migrate(settings: IngestSettings) -> None:
    """Prepare the schema and the topics."""
    folder = Path(__file__).parent / "migrations"
    await migrations.prepare(settings, schema=SCHEMA, folder=folder, groups=[GROUP])


def application(
    settings: IngestSettings, sources: Sources, database: Database, acceptance: Acceptance, screening: Screening
) -> FastAPI:
    """The HTTP face. Ready means: can commit. Kafka may be away; what is accepted then is published later."""
    app = FastAPI(
        title="Relance ingest",
        summary="Takes leads and calls from web forms and partners",
        version="1",
        # FastAPI's own, of OpenTelemetry, which is not installed: it looks for it with every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    limits = {partners.PATH: partners.BODY_LIMIT, **forms.body_limits(sources, settings.http_body_limit)}
    guarded(app, settings, {"database": database.ping}, body_limits=limits)
    app.add_middleware(FormEdge, sources=sources)
    app.state.sources = sources
    app.state.acceptance = acceptance
    app.state.screening = screening
    app.state.rate_limits = RateLimits()
    parts = (leads, forms, form_tokens, snippet, calls, *([demo] if settings.demo_page else []))
    # As if they stood here, and first: FastAPI looks at one route after another, and through an included router twice.
    # Behind the routes of operators and of documentation a request takes a twentieth longer, included a tenth.
    app.router.routes[:0] = [route for part in parts for route in part.router.routes]
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
    app.state.large_bodies = asyncio.Semaphore(partners.LARGE_AT_ONCE)
    app.state.references = references
    app.state.retrieval = retrieval
    app.router.routes.extend(partners.router.routes)
    return app


async def serve(settings: IngestSettings) -> None:
    """Run until SIGTERM."""
    try:
        sources = Sources.read(settings.sources_file)
        secrets = captcha_secrets(sources, os.environ)
        tokens = form_tokens_of(sources, settings.form_token_secret)
        known = credentials(sources, os.environ)
    except SourcesRefused as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    async with AsyncExitStack() as closing:
        database = Database.of(settings, SCHEMA, PersonalData(settings.personal_data_keys))
        closing.push_async_callback(database.close)
        secret, previous = settings.identity_secret, settings.identity_secrets_previous
        pseudonyms = Pseudonyms(_key(secret) if secret else None, tuple(_key(each) for each in previous))
        publisher = KafkaPublisher(settings.kafka_bootstrap_servers, client_id="ingest")
        closing.push_async_callback(publisher.close)
        session = await closing.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        relay = OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)
        unchecked = Database.of(settings, SCHEMA, database.personal_data)
        closing.push_async_callback(unchecked.close)

        async def check() -> None:
            await identity_secrets.check(unchecked, pseudonyms)
            await check_waiting(unchecked)
            await unchecked.close()  # what it holds; it is needed no more

        start_check = StartCheck(database, check)
        await start_check.passes()  # before anything runs, if it can be
        acceptance = Acceptance(
            database,
            ids.new_id,
            utc_now,
            relay.nudge,
            pseudonyms=pseudonyms,
            waiting=settings.accept_waiting,
            patience=settings.accept_patience,
        )
        closing.push_async_callback(acceptance.drain)
        repetitions = Repetitions(database)
        screening = Screening(tokens, CaptchaProviders(session, secrets), repetitions, utc_now, pseudonyms)
        references = ReferenceStore(database)
        graph_api = GraphApi(session, str(settings.meta_graph_url))
        retrieval = Retrieval(references, graph_api, acceptance, screening, sources=sources, credentials=known)
        app = with_partners(
            application(settings, sources, database, acceptance, screening), settings, known, references, retrieval
        )
        operators = operator_only(settings.operator_token.get_secret_value())
        app.include_router(quarantine_api(database, operators, relay.nudge))
        erasures = Erasures(
            database,
            pseudonyms,
            ids.new_id,
            utc_now,
            on_committed=relay.nudge,
            figures_every=settings.figures_every,
        )
        erasing = Ticker("erasures", erasures.turn)
        privacy = privacy_api(
            database,
            erasures,
            pseudonyms,
            operators,
            on_requested=erasing.nudge,
            messages_kept=settings.topic_retention_received,
            dead_letters_kept=settings.topic_retention_dead_letters,
        )
        app.include_router(privacy)
        kept = {source.id: source.retention for source in sources if source.retention}
        retention = Retention(database, kept, ids.new_id, relay.nudge)
        proofs = BatchConsumer(
            Subscription(GROUP, (Topic.PRIVACY,), ProofHandler(), erasing.nudge), settings, database, publisher
        )
        waiting = Waiting(database, settings.figures_every)
        await service.run(
            [
                service.Part("http", HttpServer(app, settings)),
                service.Part("start-check", start_check),
                service.Part("retrieval", retrieval),
                service.Part("proofs", proofs),
                service.Part("erasures", erasing),
                service.Part("retention", Ticker("retention", retention.turn)),
                service.Part("inbox", Ticker("inbox", partial(inbox.forget, database))),
                service.Part("quarantine", Ticker("quarantine", waiting.count)),
                service.Part("repetitions", Ticker("repetitions", repetitions.forget)),
                service.Part("relay", relay),
            ],
            deadline=settings.shutdown_deadline,
        )


def _key(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()


command_line = service_commands("ingest", IngestSettings, serve=serve, migrate=migrate)
command_line.add_typer(quarantine_commands, name="quarantine")
command_line.add_typer(person_commands, name="person")
command_line.command("encrypt")(encrypt_command(IngestSettings, SCHEMA, SEALED_COLUMNS, name_all))
