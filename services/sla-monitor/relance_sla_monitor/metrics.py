"""What the SLA monitor measures itself; figures.py adds what it counts in the database."""

from prometheus_client import Counter, Histogram

TIMER_LATENESS = Histogram(
    "relance_sla_timer_lateness_seconds",
    "From a step's due time to the moment at which it was found due.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
RESPONSE_SECONDS = Histogram(
    "relance_sla_response_seconds",
    "From assignment to the rep's first answer.",
    ["team", "source"],
    buckets=(5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400),
)
WITHDRAWN = Counter(
    "relance_sla_breaches_withdrawn_total", "Breaches announced although the answer had come in time.", ["team"]
)
