"""A call of which several messages tell, each a part of it, and not always in the order in which they were sent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from relance.events import CallDetails, LeadReceived
from relance_ingest.acceptance.new_lead import NewLead
from relance_ingest.domain.submissions import MOST_FIELDS_IN_ALL

_UNKNOWN = timedelta()


def joined(known: LeadReceived | NewLead, said: NewLead) -> NewLead:
    """What is said of a call, with what was known of it: what a message leaves out, it does not take back.

    Of what both say the newer holds, but for two things that later messages only know worse: a call that left a
    voicemail was not just missed, and it began at the earliest time told. Anything that is no call stays as it is said.
    Of fields that were known only so many stay as one submission could have: all has to fit into one event.
    """
    if known.call is None or said.call is None:
        return said
    return replace(
        said,
        campaign=said.campaign or known.campaign,
        contact=known.contact.model_copy(update=said.contact.model_dump(exclude_none=True)),
        fields=_fields(known.fields, said.fields),
        call=_call(known.call, said.call),
    )


def _fields(known: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    others = ((name, text) for name, text in known.items() if name not in said)
    return {**dict(islice(others, max(0, MOST_FIELDS_IN_ALL - len(said)))), **said}


def _call(known: CallDetails, said: CallDetails) -> CallDetails:
    best = known if (known.status, said.status) == ("voicemail", "missed") else said
    return best.model_copy(
        update={
            "started_at": min(known.started_at, said.started_at),
            "duration": best.duration or (known.duration if known.status == best.status else _UNKNOWN),
            "recording_url": said.recording_url or known.recording_url,
        }
    )
