"""Privacy: finding a person's leads, erasing them here and with whoever was told of them, and keeping none too long."""

from relance_ingest.privacy.erasures import Erasures, Standing
from relance_ingest.privacy.finding import Person
from relance_ingest.privacy.proofs import ProofHandler
from relance_ingest.privacy.retention import Retention

__all__ = ["Erasures", "Person", "ProofHandler", "Retention", "Standing"]
