"""For operators: does every part keep up."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from relance_local.dashboards.panels import PER_SECOND, SECONDS, assembled, numbers, series
from relance_local.dashboards.queries import median_and_worst, once, per_second, quantile

BAD_WHEN_ANY = ((None, "green"), (1, "red"))


def dashboard() -> Dashboard:
    """The dashboard."""
    return assembled(
        "relance-operations",
        "Relance: operations",
        "Does every part keep up. Each alert's description says what to do.",
        {
            "Now": [
                numbers("Replicas up", "That Prometheus reaches, by service.", {"{{job}}": "sum by (job) (up)"}),
                numbers(
                    "Consumers halted",
                    "Stopped by too many dead letters; /readyz says more.",
                    {"{{consumer}}": "max by (consumer) (relance_consumer_halted)"},
                    turns=BAD_WHEN_ANY,
                ),
                numbers(
                    "Endpoints unwell",
                    "Webhooks that are left alone for now (open), or disabled because they answered 410.",
                    {"{{state}}": f"sum by (state) ({once('relance_router_endpoints_unwell')})"},
                    turns=BAD_WHEN_ANY,
                ),
                numbers(
                    "Leads in quarantine",
                    "Suspected as spam; they wait for an operator. GET /v1/quarantine of ingest shows them.",
                    {"{{source}}": f"sum by (source) ({once('relance_ingest_quarantine_waiting')})"},
                ),
                numbers(
                    "Configuration",
                    "Version of the routing configuration that runs.",
                    {"version": once("relance_router_configuration_version")},
                ),
            ],
            "Kafka and the outbox": [
                series(
                    "Consumer lag",
                    "Messages behind the end of the topic.",
                    {"{{consumer}} {{topic}}": "sum by (consumer, topic) (relance_consumer_lag)"},
                ),
                series(
                    "Messages handled",
                    "Taken from Kafka, and buried as dead letters.",
                    {"{{consumer}} {{outcome}}": per_second("relance_consumer_messages_total", by="consumer, outcome")},
                    unit=PER_SECOND,
                ),
                series(
                    "Outbox depth",
                    "Events committed and not yet published.",
                    {"{{job}}": "max by (job) (relance_outbox_depth)"},
                ),
                series(
                    "Outbox age",
                    "Age of the oldest event that is not yet published.",
                    {"{{job}}": "max by (job) (relance_outbox_oldest_age_seconds)"},
                    unit=SECONDS,
                ),
                series(
                    "Time of a batch",
                    "To handle and commit one polled batch, p99.",
                    {"{{consumer}}": quantile(0.99, "relance_consumer_batch_seconds", by="consumer")},
                    unit=SECONDS,
                ),
                series(
                    "Faults passed",
                    "Batches tried again, and times the relay lost PostgreSQL or Kafka.",
                    {
                        "relay of {{job}}": per_second("relance_outbox_relay_faults_total", by="job"),
                        "{{consumer}}": per_second("relance_consumer_retries_total", by="consumer"),
                    },
                    unit=PER_SECOND,
                ),
            ],
            "Work": [
                series(
                    "Late work",
                    "For how long each service has not done what it does again and again. Of figures: how old that is "
                    "what other dashboards show, beyond the time between two counts.",
                    {
                        "{{job}} {{work}}": """clamp_min(time()
                            - max by (job, work) (relance_work_due_timestamp_seconds), 0)"""
                    },
                    unit=SECONDS,
                    width=24,
                ),
            ],
            "HTTP": [
                series(
                    "Requests",
                    "Answered, by service and status.",
                    {"{{job}} {{status}}": per_second("relance_http_requests_total", by="job, status")},
                    unit=PER_SECOND,
                ),
                series(
                    "Time of a request",
                    "p99, by service.",
                    {"{{job}}": quantile(0.99, "relance_http_request_seconds", by="job")},
                    unit=SECONDS,
                ),
                series(
                    "Time to accept a lead",
                    "From request to commit, and how much of it was waiting for a transaction to begin.",
                    {
                        **median_and_worst("relance_ingest_accept_seconds"),
                        "p99 waiting": quantile(0.99, "relance_ingest_waiting_seconds"),
                    },
                    unit=SECONDS,
                ),
                series(
                    "Submissions in hand",
                    "Those that wait for a transaction, and how many share one (half of the transactions, at most).",
                    {
                        "waiting for {{work}}": "sum by (work) (relance_ingest_waiting)",
                        "in a transaction of {{work}}": quantile(0.5, "relance_ingest_batch_size", by="work"),
                    },
                ),
                series(
                    "Refused",
                    "Submissions, by what was wrong.",
                    {"{{why}}": per_second("relance_ingest_refused_total", by="why")},
                    unit=PER_SECOND,
                ),
            ],
            "Partners and spam": [
                series(
                    "What partners sent",
                    "Properly signed: leads and calls, what is none (tests, ringing), and what could not be read.",
                    {
                        "{{source}} {{channel}}": per_second(
                            'relance_ingest_accepted_total{channel=~"partner|call"}', by="source, channel"
                        ),
                        "{{source}} ignored: {{reason}}": per_second(
                            "relance_ingest_partner_ignored_total", by="source, reason"
                        ),
                        "{{source}} unreadable": per_second("relance_ingest_partner_unreadable_total", by="source"),
                    },
                    unit=PER_SECOND,
                ),
                series(
                    "Signatures refused",
                    "Requests to a partner's source that the partner had not signed, or too long ago.",
                    {
                        "{{source}} {{reason}}": per_second(
                            "relance_ingest_signatures_refused_total", by="source, reason"
                        )
                    },
                    unit=PER_SECOND,
                ),
                series(
                    "Leads to fetch",
                    "Of which a partner told only the id: those that wait, and those that were given up.",
                    {"{{state}}": f"sum by (state) ({once('relance_ingest_references')})"},
                ),
                series(
                    "Leads fetched",
                    "Tries, by what came of them.",
                    {"{{source}} {{outcome}}": per_second("relance_ingest_retrieved_total", by="source, outcome")},
                    unit=PER_SECOND,
                ),
                series(
                    "Suspected",
                    "Leads that went to the quarantine, by each of their reasons.",
                    {"{{source}} {{reason}}": per_second("relance_ingest_quarantined_total", by="source, reason")},
                    unit=PER_SECOND,
                ),
            ],
            "Routing and timers": [
                series(
                    "Receipt to assignment",
                    "From the lead's commit in ingest to its first assignment.",
                    median_and_worst("relance_router_receipt_to_assignment_seconds"),
                    unit=SECONDS,
                ),
                series(
                    "Unrouted",
                    "Leads that nobody has, by reason.",
                    {"{{reason}}": f"sum by (reason) ({once('relance_router_unrouted_leads')})"},
                    stacked=True,
                ),
                series(
                    "Timer lateness",
                    "From a step's due time to the moment at which it was found due.",
                    median_and_worst("relance_sla_timer_lateness_seconds"),
                    unit=SECONDS,
                ),
                series(
                    "Steps fired",
                    "Timers that fell due.",
                    {"steps": per_second("relance_sla_timer_lateness_seconds_count")},
                    unit=PER_SECOND,
                ),
            ],
            "Deliveries": [
                series(
                    "Attempts",
                    "Of notifications, by way and by what they led to.",
                    {
                        "{{way}} {{outcome}}": per_second(
                            "relance_router_notification_attempts_total", by="way, outcome"
                        )
                    },
                    unit=PER_SECOND,
                ),
                series(
                    "Waiting",
                    "Notifications that are still to be delivered.",
                    {"pending": once("relance_router_notifications_pending")},
                ),
                series(
                    "Time of an attempt",
                    "From sending to the endpoint's answer.",
                    median_and_worst("relance_router_notification_attempt_seconds"),
                    unit=SECONDS,
                ),
                series(
                    "Endpoints that turned",
                    "Left alone, taken as well again, or disabled.",
                    {"{{to}}": per_second("relance_router_endpoint_turns_total", by="to")},
                    unit=PER_SECOND,
                ),
            ],
        },
        since="now-3h",
    )
