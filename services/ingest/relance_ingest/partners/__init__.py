"""Partners that send leads in their own payloads, verified by their own signatures: one module each."""

from collections.abc import Mapping

from relance_ingest.partners import (
    calendly,
    callrail,
    google_ads,
    hubspot,
    meta,
    standard_webhooks,
    twilio,
    typeform,
)
from relance_ingest.partners.partner import Partner

PARTNERS: Mapping[str, Partner] = {
    "calendly": calendly,
    "callrail": callrail,
    "google_ads": google_ads,
    "hubspot": hubspot,
    "meta": meta,
    "standard_webhooks": standard_webhooks,
    "twilio": twilio,
    "typeform": typeform,
}
"""By the `kind` that sources.yaml names."""
