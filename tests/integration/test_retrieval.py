"""Leads told by reference survive whatever dies on the way, against the real PostgreSQL; every page's are found."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase

from relance.clock import utc_now
from relance.ids import new_id
from relance_ingest.acceptance import Acceptance
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.partners import meta
from relance_ingest.partners.new_leads import new_lead
from relance_ingest.partners.partner import PartnerLead
from relance_ingest.retrieval import ReferenceStore
from relance_ingest.retrieval.graph_api import GraphApi, NotFetched
from relance_ingest.sources import Source
from relance_local.conditions import free_port
from relance_local.services import INGEST

DOCUMENT = {"id": "123", "field_data": [{"name": "email", "values": ["maria@example.com"]}]}
SOURCE = Source(id="meta", key_sha256="0" * 64)


def fetched() -> PartnerLead:
    found = meta.lead(DOCUMENT)
    assert isinstance(found, PartnerLead)
    return found


async def test_a_crash_between_committing_a_lead_and_forgetting_its_reference_doubles_nothing(
    open_database: OpenDatabase,
) -> None:
    """The lease ends, the lead is fetched again, and its key says that it is there."""
    database = open_database(INGEST)
    store = ReferenceStore(database)
    acceptance = Acceptance(database, new_id, utc_now, lambda: None, pseudonyms=Pseudonyms())
    await store.keep("meta", ["123"])

    async def retrieve() -> Sequence[Any]:
        claimed = await store.claim(10, timedelta())
        return claimed, await acceptance.accept(new_lead(SOURCE, fetched()))

    claimed, first = await retrieve()
    assert [reference.id for reference in claimed] == ["123"]
    # Here the process dies: nothing is settled.
    claimed, second = await retrieve()
    assert [(reference.id, reference.tries) for reference in claimed] == [("123", 2)]
    assert second.repeated
    assert second.lead_id == first.lead_id
    await store.settle(claimed, [])
    assert await store.claim(10, timedelta()) == []
    async with database.transaction() as connection:
        counts = "SELECT (SELECT count(*) FROM leads) AS leads, (SELECT count(*) FROM outbox) AS told"
        row = (await connection.execute(text(counts))).one()
    assert (row.leads, row.told) == (1, 1)


async def test_a_lead_of_the_second_page_is_fetched_with_the_second_pages_token() -> None:
    """An app of Meta's has one address for all its pages, and each page a token of its own.

    Of a lead of another page Meta says code 100 ("does not exist, or missing permissions"), and not 190.
    """

    async def answer(request: web.Request) -> web.Response:
        if request.headers["Authorization"] == "Bearer of-page-2":
            return web.json_response({"id": "7", "field_data": []})
        return web.json_response({"error": {"code": 100, "error_subcode": 33}}, status=400)

    app = web.Application()
    app.router.add_get("/v25.0/7", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with aiohttp.ClientSession() as session:
            api = GraphApi(session, f"http://127.0.0.1:{port}/v25.0")
            assert (await api.lead("7", ["of-page-1", "of-page-2"]))["id"] == "7"
            with pytest.raises(NotFetched, match="answered 400, error code 100; 400, error code 100"):
                await api.lead("7", ["of-page-1", "of-page-3"])
    finally:
        await runner.cleanup()
