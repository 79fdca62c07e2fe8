"""Promises about calls of which several messages tell, in any order, kept by the database."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.partner_requests import PARTNERS as SAMPLES

from relance.clock import utc_now
from relance.database import Database
from relance.ids import new_id
from relance_ingest.acceptance import Acceptance, Accepted, KeyUsedTwice
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.partners import PARTNERS
from relance_ingest.partners.new_leads import new_call
from relance_ingest.partners.partner import PartnerCall, ReceivedRequest
from relance_ingest.sources import Source
from relance_local.services import INGEST

RECORDING = "https://api.twilio.com/recording"
AT = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
def ingest_database(open_database: OpenDatabase) -> Database:
    """Ingest's tables."""
    return open_database(INGEST)


async def take(database: Database, kind: str, messages: Sequence[dict[str, Any]]) -> list[bool | None]:
    """Take these messages, one after the other; of each whether it changed the call, None where it was no news."""
    acceptance = Acceptance(database, new_id, utc_now, lambda: None, pseudonyms=Pseudonyms())
    source = Source.model_validate({"id": kind, "partner": {"kind": kind, "secret_from": "RELANCE_IT"}})
    changed: list[bool | None] = []
    for message in messages:
        body = SAMPLES[kind].changed(**message)
        (told,) = PARTNERS[kind].read(ReceivedRequest("POST", "https://leads.example.com/", {}, body, AT))
        outcome: Accepted | KeyUsedTwice | None = None
        if isinstance(told, PartnerCall):
            try:
                outcome = await acceptance.accept(new_call(source, told))
            except KeyUsedTwice as error:
                outcome = error
        changed.append(outcome.revised or not outcome.repeated if isinstance(outcome, Accepted) else None)
    return changed


async def calls(database: Database) -> list[dict[str, Any]]:
    async with database.transaction() as connection:
        return list((await connection.execute(text("SELECT data FROM leads ORDER BY id"))).scalars())


async def test_messages_of_one_call_end_in_one_right_lead_in_whatever_order_they_come(
    ingest_database: Database,
) -> None:
    """Nobody answered; some callers left a voicemail. What Twilio's program did, told late, says nothing against it."""
    missed: dict[str, Any] = {"CallStatus": "in-progress", "DialCallStatus": "no-answer", "DialCallDuration": 0}
    completed = {"CallStatus": "completed", "CallDuration": 30}
    recorded = {"CallStatus": "in-progress", "RecordingUrl": RECORDING, "RecordingDuration": 12, "CallDuration": None}
    transcribed = {"CallStatus": "completed", "RecordingUrl": RECORDING, "TranscriptionText": "Call me"}
    without = list(
        itertools.permutations([missed, completed, {"CallStatus": "ringing"}, {"CallStatus": "in-progress"}])
    )
    orders = [*without, *itertools.permutations([missed, completed, recorded, transcribed, {"CallStatus": "ringing"}])]
    await asyncio.gather(
        *(
            take(ingest_database, "twilio", [{**message, "CallSid": f"CA{n}"} for message in order])
            for n, order in enumerate(orders)
        )
    )
    found = await calls(ingest_database)
    assert len(found) == len(orders)
    numbered = sorted(found, key=lambda lead: int(lead["call"]["call_id"][2:]))
    for lead in numbered[: len(without)]:
        assert lead["call"]["status"] == "missed"
    for lead in numbered[len(without) :]:
        call = lead["call"]
        assert (call["status"], call["recording_url"], call["duration"]) == ("voicemail", RECORDING, 12)
        assert (lead["fields"]["transcription"], lead["fields"]["dial_status"]) == ("Call me", "no-answer")
        assert lead["contact"]["phone"] == "+491711234567"


async def test_a_message_that_comes_late_takes_back_nothing_and_is_no_news(ingest_database: Database) -> None:
    """CallRail's post-call, tried again after what was modified since: nobody is told of it once more."""
    post_call: dict[str, Any] = {"recording": None, "recording_player": None}
    modified = {"note": "wants an offer", "transcription": "Call me", "recording_player": RECORDING}
    assert await take(ingest_database, "callrail", [post_call, modified, post_call, modified]) == [
        True,
        True,
        False,
        False,
    ]
    (lead,) = await calls(ingest_database)
    assert (lead["call"]["recording_url"], lead["fields"]["note"]) == (RECORDING, "wants an offer")
    async with ingest_database.transaction() as connection:
        events = (await connection.execute(text("SELECT type FROM outbox ORDER BY id"))).scalars().all()
    assert events == ["relance.lead.received.v1", "relance.lead.revised.v1"]
