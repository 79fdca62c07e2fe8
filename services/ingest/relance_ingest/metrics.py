"""What ingest measures. Labels are bounded: sources come from sources.yaml."""

from prometheus_client import Counter, Gauge, Histogram

ACCEPTED = Counter("relance_ingest_accepted_total", "Leads committed.", ["source", "channel"])
REPEATED = Counter("relance_ingest_repeated_total", "Submissions that had been accepted before.", ["source", "channel"])
REVISED = Counter("relance_ingest_revised_total", "Submissions that told more of a lead.", ["source", "channel"])
REFUSED = Counter("relance_ingest_refused_total", "Submissions refused, by what was wrong.", ["why"])
ACCEPT_SECONDS = Histogram(
    "relance_ingest_accept_seconds",
    "Time to commit one submission.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
QUARANTINED = Counter(
    "relance_ingest_quarantined_total",
    "Leads quarantined, once for each reason that they were suspected for.",
    ["source", "reason"],
)
QUARANTINE_DECISIONS = Counter(
    "relance_ingest_quarantine_decisions_total", "Quarantined leads released or discarded.", ["source", "decision"]
)
QUARANTINE_WAITING = Gauge(
    "relance_ingest_quarantine_waiting", "Leads that wait for somebody to look at them; of all replicas.", ["source"]
)
QUARANTINE_OLDEST = Gauge(
    "relance_ingest_quarantine_oldest_age_seconds", "How long the oldest of them has waited.", ["source"]
)
RATE_LIMITED = Counter(
    "relance_ingest_rate_limited_total", "Submissions answered with 429, by the limit (source or address).",
    ["source", "limit"],
)  # fmt: skip
QUEUE_DEPTH = Gauge("relance_ingest_waiting", "Submissions that wait for the next transaction.", ["work"])
QUEUE_SECONDS = Histogram(
    "relance_ingest_waiting_seconds",
    "How long a submission waited for its transaction to begin.",
    ["work"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
BATCH_SIZE = Histogram(
    "relance_ingest_batch_size",
    "Submissions in one transaction.",
    ["work"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200),
)
SIGNATURES_REFUSED = Counter(
    "relance_ingest_signatures_refused_total",
    "Requests to a partner's source that the partner had not signed (missing, wrong), or too long ago (stale).",
    ["source", "reason"],
)
PARTNER_IGNORED = Counter(
    "relance_ingest_partner_ignored_total",
    "What partners told, properly signed, that is no lead: tests, calls that still ring, outbound calls.",
    ["source", "reason"],
)
PARTNER_UNREADABLE = Counter(
    "relance_ingest_partner_unreadable_total",
    "Properly signed, and not of the shape that the partner documents.",
    ["source"],
)
REFERENCES = Gauge(
    "relance_ingest_references", "Leads of which only the id was told, and that are not fetched yet.", ["state"]
)
REFERENCES_FORGOTTEN = Counter(
    "relance_ingest_references_forgotten_total",
    "Leads of which only the id was told, never fetched, and deleted at the end of their source's retention.",
    ["source"],
)
RETRIEVED = Counter("relance_ingest_retrieved_total", "What came of fetching leads, by try.", ["source", "outcome"])
ERASURES_OPEN = Gauge(
    "relance_ingest_erasures_open", "Erasures that not every service has proven yet; of all replicas."
)
ERASURES_OLDEST = Gauge("relance_ingest_erasures_oldest_age_seconds", "How long the oldest of them has been open.")
