"""Accepting: a lead and its event are committed before anybody is told that it was accepted."""

from relance_ingest.acceptance.acceptance import Acceptance
from relance_ingest.acceptance.group_commit import Overloaded
from relance_ingest.acceptance.new_lead import Accepted, KeyUsedTwice, NewLead
from relance_ingest.acceptance.release import release
from relance_ingest.acceptance.submission import fingerprint

__all__ = ["Acceptance", "Accepted", "KeyUsedTwice", "NewLead", "Overloaded", "fingerprint", "release"]
