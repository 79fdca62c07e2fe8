"""Metrics that every service has, each with its meaning. A service's own stand in its own metrics.py."""

from prometheus_client import Counter, Gauge, Histogram

OUTBOX_PUBLISHED = Counter("relance_outbox_published_total", "Events acknowledged by Kafka and deleted.")
OUTBOX_DEPTH = Gauge("relance_outbox_depth", "Events committed and not yet published; every replica says the same.")
OUTBOX_AGE = Gauge(
    "relance_outbox_oldest_age_seconds", "Since when the oldest unpublished event has stood in the outbox."
)
OUTBOX_RELAY_FAULTS = Counter("relance_outbox_relay_faults_total", "Times the relay lost PostgreSQL or Kafka.")

WORK_DUE = Gauge(
    "relance_work_due_timestamp_seconds",
    "When this work is to be done again, in seconds since 1970; long past when it does not get done.",
    ["work"],
)

CONSUMED = Counter("relance_consumer_messages_total", "Messages taken from Kafka.", ["consumer", "topic", "outcome"])
CONSUMER_BATCH = Histogram(
    "relance_consumer_batch_seconds", "Time to handle and commit one polled batch.", ["consumer"]
)
CONSUMER_LAG = Gauge(
    "relance_consumer_lag", "Messages behind the end of the partition.", ["consumer", "topic", "partition"]
)
CONSUMER_RETRIES = Counter("relance_consumer_retries_total", "Batches tried again after a passing fault.", ["consumer"])
CONSUMER_HALTED = Gauge("relance_consumer_halted", "1 when too many dead letters stopped the consumer.", ["consumer"])

HTTP_REQUESTS = Counter("relance_http_requests_total", "Requests answered.", ["method", "route", "status"])
HTTP_SECONDS = Histogram("relance_http_request_seconds", "Time to answer a request.", ["method", "route"])
HTTP_IN_FLIGHT = Gauge("relance_http_requests_in_flight", "Requests being worked on.")
HTTP_ARRIVING = Gauge("relance_http_requests_arriving", "Requests of which only a part is there yet.")
HTTP_STREAMS = Gauge("relance_http_streams", "Streams that somebody follows.", ["path"])
