"""The router: the one place where its parts are wired, and closed in reverse."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import typer
from fastapi import Depends, FastAPI

from relance import ids, inbox, migrations, service
from relance.clock import utc_now
from relance.command_line import load_settings, service_commands
from relance.database import Database
from relance.encrypt_command import encrypt_command
from relance.events import Topic
from relance.http.operators import operator_only
from relance.http.serve import HttpServer, guarded
from relance.kafka.consumer import BatchConsumer, Subscription
from relance.kafka.publisher import KafkaPublisher
from relance.outbox import OutboxRelay, check_waiting
from relance.personal_data import PersonalData
from relance.start_up import once_there
from relance.ticker import Ticker
from relance_router.answers.api import answer_api
from relance_router.answers.links import AnswerLinks
from relance_router.answers.page import answer_page
from relance_router.answers.recording import AnswerRecorder
from relance_router.configuration import bootstrap
from relance_router.configuration.api import configuration_api
from relance_router.configuration.exported_leads import export_api
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries import delivery_log
from relance_router.deliveries.api import deliveries_api
from relance_router.deliveries.couriers import Couriers
from relance_router.deliveries.endpoints import signing_secret
from relance_router.deliveries.formats import MessageFormat, Slack, StandardWebhook, Teams
from relance_router.deliveries.mailer import Mailer, MailServer
from relance_router.deliveries.sender import Sender
from relance_router.deliveries.worker import DeliveryWorker
from relance_router.domain.configuration import Format
from relance_router.privacy.api import privacy_api
from relance_router.routing.api import routing_api
from relance_router.routing.assigning import Assigner
from relance_router.routing.explanations import Explanations
from relance_router.routing.handler import RoutingHandler
from relance_router.routing.people import People
from relance_router.routing.unrouted import UnroutedLeads
from relance_router.sealed_columns import SEALED_COLUMNS, fill
from relance_router.settings import RouterSettings
from relance_router.terms.api import terms_api
from relance_router.terms.applied import AppliedTerms
from relance_router.terms.by_hand import TermsByHand
from relance_router.terms.reassigning import Reassignment
from relance_router.terms.separating import Separation

SCHEMA = "router"
GROUP = "router"


async def migrate(settings: RouterSettings) -> None:
    """Prepare the schema and the topics."""
    folder = Path(__file__).parent / "migrations"
    await migrations.prepare(settings, schema=SCHEMA, folder=folder, groups=[GROUP])


async def serve(settings: RouterSettings) -> None:
    """Run until SIGTERM."""
    async with AsyncExitStack() as closing:
        database = Database.of(settings, SCHEMA, PersonalData(settings.personal_data_keys))
        closing.push_async_callback(database.close)
        versions = ConfigurationVersions(GROUP)
        if settings.routing_file:
            await _seed(database, versions, settings.routing_file)
        publisher = KafkaPublisher(settings.kafka_bootstrap_servers, client_id=GROUP)
        closing.push_async_callback(publisher.close)
        sender = Sender(
            allowed_hosts=settings.webhook_allowed_hosts,
            timeout=settings.webhook_timeout,
            clock=utc_now,
        )
        closing.push_async_callback(sender.close)

        links = AnswerLinks(
            public_url=str(settings.public_url),
            secret=settings.link_secret.get_secret_value(),
            lifetime=settings.answer_link_lifetime,
        )
        couriers = Couriers(sender, _mailer(settings), _formats(settings, links), links)
        assigner = Assigner(ids.new_id)
        relay = OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)
        await once_there(partial(check_waiting, database))
        deliveries = DeliveryWorker(
            database,
            versions,
            couriers,
            concurrency=settings.webhook_concurrency,
            per_endpoint=settings.webhook_concurrency_per_endpoint,
            mails=settings.smtp_concurrency,
            email_after=settings.email_fallback_after,
            lease=3 * settings.webhook_timeout,
        )

        def committed() -> None:
            relay.nudge()
            deliveries.ticker.nudge()

        unrouted_leads = UnroutedLeads(database, versions, assigner, ids.new_id, committed)
        unrouted = Ticker("unrouted", unrouted_leads.retry)

        def answered(freed: str | None) -> None:
            committed()
            if freed:
                somebody_is_free(freed)

        def somebody_is_free(rep: str) -> None:
            unrouted_leads.is_free(versions.teams_of(rep))
            unrouted.nudge()

        terms = Ticker("terms", AppliedTerms(database, versions, ids.new_id, relay.nudge).bring)

        def applied() -> None:
            unrouted.nudge()
            terms.nudge()

        handler = RoutingHandler(versions, assigner, ids.new_id, somebody_is_free)
        consumer = BatchConsumer(
            Subscription(GROUP, (Topic.RECEIVED, Topic.SLA), handler, committed), settings, database, publisher
        )

        app = guarded(
            FastAPI(title="Relance router", summary="Takes reps' answers and operators' orders"),
            settings,
            {
                "database": database.ping,
                "consumer": consumer.check,
                "configuration": partial(bootstrap.check, database, versions),
            },
            body_limits={"/v1/configurations": settings.configuration_limit},
        )
        recorder = AnswerRecorder(database, versions, assigner, ids.new_id, answered)
        app.include_router(answer_api(recorder, links))
        app.include_router(answer_page(recorder, links))
        operators = operator_only(settings.operator_token.get_secret_value())
        app.include_router(configuration_api(database, versions, operators, applied))
        app.include_router(export_api(database, operators))
        app.include_router(privacy_api(database, operators))
        explanations = Explanations(database, versions)
        people = People(database, versions, ids.new_id)
        app.include_router(routing_api(explanations, people, operators, somebody_is_free, committed))
        app.include_router(
            terms_api(
                TermsByHand(database, versions, ids.new_id, committed),
                Reassignment(database, versions, assigner, ids.new_id, answered),
                Separation(database, versions, assigner, ids.new_id, committed),
                operators,
            )
        )
        app.include_router(
            deliveries_api(database, versions, deliveries.ticker.nudge), dependencies=[Depends(operators)]
        )
        await service.run(
            [
                service.Part("consumer", consumer),
                service.Part("http", HttpServer(app, settings)),
                service.Part("unrouted", unrouted),
                service.Part("terms", terms),
                service.Part("deliveries", deliveries.ticker),
                service.Part("deliveries-looked-after", Ticker("deliveries-looked-after", deliveries.look_after)),
                service.Part("delivery-log", Ticker("delivery-log", partial(delivery_log.forget, database))),
                service.Part("inbox", Ticker("inbox", partial(inbox.forget, database))),
                service.Part("relay", relay),
            ],
            deadline=settings.shutdown_deadline,
        )


def _formats(settings: RouterSettings, links: AnswerLinks) -> Mapping[Format, MessageFormat]:
    secrets = [
        secret.get_secret_value() for secret in (settings.webhook_secret, settings.webhook_secret_previous) if secret
    ]
    return {"webhook": StandardWebhook(links, secrets, utc_now), "slack": Slack(links), "teams": Teams(links)}


def _mailer(settings: RouterSettings) -> Mailer:
    server = None
    if settings.smtp_host and settings.smtp_from:
        server = MailServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            sender=settings.smtp_from,
            security=settings.smtp_security,
            username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        )
    return Mailer(server, timeout=settings.webhook_timeout)


async def _seed(database: Database, versions: ConfigurationVersions, file: Path) -> None:
    try:
        await bootstrap.seed(database, versions, file)
    except bootstrap.SeedRefused as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


command_line = service_commands("router", RouterSettings, serve=serve, migrate=migrate)
command_line.command("encrypt")(encrypt_command(RouterSettings, SCHEMA, SEALED_COLUMNS, fill))


@command_line.command()
def secret(endpoint: str) -> None:
    """Print the secret that signs what is sent to an endpoint: `rep:<id>`, `manager:<team>` or `contact:<id>`."""
    settings = load_settings(RouterSettings)
    typer.echo(signing_secret(settings.webhook_secret.get_secret_value(), endpoint))
