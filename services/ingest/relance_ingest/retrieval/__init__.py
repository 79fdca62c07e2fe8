"""Fetching leads of which a partner told only the id."""

from relance_ingest.retrieval.graph_api import GraphApi
from relance_ingest.retrieval.reference_store import ReferenceStore
from relance_ingest.retrieval.retrieval import Retrieval

__all__ = ["GraphApi", "ReferenceStore", "Retrieval"]
