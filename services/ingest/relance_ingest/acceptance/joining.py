"""A call of which several messages tell, each a part of it, and not always in the order in which they were sent."""

from dataclasses import replace
from datetime import timedelta

from relance.events import CallDetails, LeadReceived
from relance_ingest.acceptance.new_lead import NewLead

_UNKNOWN = timedelta()


def joined(known: LeadReceived | NewLead, said: NewLead) -> NewLead:
    """What is said of a call, with what was known of it: what a message leaves out, it does not take back.

    Of what both say the newer holds, but for two things that later messages only know worse: a call that left a
    voicemail was not just missed, and it began at the earliest time told. Anything that is no call stays as it is said.
    """
    if known.call is None or said.call is None:
        return said
    return replace(
        said,
        campaign=said.campaign or known.campaign,
        contact=known.contact.model_copy(update=said.contact.model_dump(exclude_none=True)),
        fields={**known.fields, **said.fields},
        call=_call(known.call, said.call),
    )


def _call(known: CallDetails, said: CallDetails) -> CallDetails:
    best = known if (known.status, said.status) == ("voicemail", "missed") else said
    return best.model_copy(
        update={
            "started_at": min(known.started_at, said.started_at),
            "duration": best.duration or (known.duration if known.status == best.status else _UNKNOWN),
            "recording_url": said.recording_url or known.recording_url,
        }
    )
