"""What the router measures. Labels are bounded: teams, kinds and reasons come from the configuration or from code."""

from prometheus_client import Counter, Gauge, Histogram

ASSIGNED = Counter("relance_router_assigned_total", "Assignments made.", ["team", "cause"])
UNROUTED = Counter("relance_router_unrouted_decisions_total", "Decisions that found nobody, by reason.", ["reason"])
UNROUTED_NOW = Gauge(
    "relance_router_unrouted_leads",
    "Leads that stand unrouted, by reason; of those that wait for working hours, the reason is closed.",
    ["reason"],
)
REASSIGNMENT_KEPT = Counter(
    "relance_router_reassignment_kept_total", "Reassignment requests after which the lead stayed where it was.", ["why"]
)
RECEIPT_TO_ASSIGNMENT = Histogram(
    "relance_router_receipt_to_assignment_seconds",
    "From the lead's commit in ingest to its first assignment.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 14400, 43200, 86400),
)
ANSWERS = Counter("relance_router_answers_total", "Answers that counted.", ["answer"])
DISPOSITIONS = Counter(
    "relance_router_dispositions_total", "What sales said of leads, corrections included.", ["disposition", "reason"]
)
NOTIFIED = Counter(
    "relance_router_notification_attempts_total", "Attempts, by way and by what they led to.", ["way", "outcome"]
)
NOTIFICATION_SECONDS = Histogram("relance_router_notification_attempt_seconds", "Time of one attempt.")
NOTIFICATIONS_PENDING = Gauge("relance_router_notifications_pending", "Notifications that are still to be delivered.")
NOTIFICATIONS_EXPIRED = Counter(
    "relance_router_notifications_expired_total", "Notifications given up because their endpoint was left alone."
)
ENDPOINT_TURNS = Counter(
    "relance_router_endpoint_turns_total", "Endpoints that were opened, closed or disabled.", ["to"]
)
ENDPOINTS_UNWELL = Gauge("relance_router_endpoints_unwell", "Endpoints left alone for now, or disabled.", ["state"])
CONFIGURATION_VERSION = Gauge("relance_router_configuration_version", "Version of the routing configuration that runs.")
JOINED = Counter("relance_router_leads_joined_total", "Leads that joined an open one of the same person.")
PAUSED = Counter("relance_router_pauses_total", "Reps paused, automatically or by hand.", ["how"])
TERMS_CHANGED = Counter("relance_router_terms_changed_total", "Assignments whose terms changed, by why.", ["because"])
