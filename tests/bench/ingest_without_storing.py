"""Ingest that answers without storing anything: the same process, but for its acceptance.

Launches in place of a service's command: `ingest_without_storing.py COMMAND ARGUMENT…`, the command left unread.
"""

import sys
from contextlib import AsyncExitStack

import aiohttp
from typing_extensions import override

from relance import ids, service
from relance.clock import utc_now
from relance.command_line import service_commands
from relance.database import Database
from relance.http.serve import HttpServer
from relance.ids import LeadId
from relance_ingest.acceptance import Acceptance, Accepted, NewLead
from relance_ingest.main import SCHEMA, application, migrate
from relance_ingest.settings import IngestSettings
from relance_ingest.sources import Sources
from relance_ingest.spam.captcha import CaptchaProviders
from relance_ingest.spam.repetitions import Repetitions
from relance_ingest.spam.screening import Screening


class NothingStored(Acceptance):
    """Says that it accepted."""

    def __init__(self) -> None:
        pass

    @override
    async def accept(self, lead: NewLead) -> Accepted:
        """Give it an id."""
        return Accepted(LeadId(ids.new_id()), repeated=False)


async def serve(settings: IngestSettings) -> None:
    """As ingest does, without acceptance and relay."""
    async with AsyncExitStack() as closing:
        database = Database.of(settings, SCHEMA)
        closing.push_async_callback(database.close)
        session = await closing.enter_async_context(aiohttp.ClientSession())
        screening = Screening(None, CaptchaProviders(session, {}), Repetitions(database), utc_now)
        app = application(settings, Sources.read(settings.sources_file), database, NothingStored(), screening)
        await service.run([service.Part("http", HttpServer(app, settings))], deadline=settings.shutdown_deadline)


if __name__ == "__main__":
    del sys.argv[1]
    service_commands("ingest", IngestSettings, serve=serve, migrate=migrate)()
