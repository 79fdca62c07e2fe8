"""Who may send leads, and how: sources.yaml, read once at start."""

from relance_ingest.sources.source import Source
from relance_ingest.sources.sources import Sources, SourcesRefused

__all__ = ["Source", "Sources", "SourcesRefused"]
