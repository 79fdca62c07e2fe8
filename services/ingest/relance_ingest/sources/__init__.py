"""Who may send leads, and how: sources.yaml, read once at start."""

from relance_ingest.sources.credentials import Credentials, credentials
from relance_ingest.sources.source import Source
from relance_ingest.sources.sources import Sources, SourcesRefused

__all__ = ["Credentials", "Source", "Sources", "SourcesRefused", "credentials"]
