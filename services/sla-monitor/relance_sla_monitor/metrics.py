"""What the SLA monitor measures itself; figures.py adds what it counts in the database."""

from prometheus_client import Histogram

TIMER_LATENESS = Histogram(
    "relance_sla_timer_lateness_seconds",
    "From a step's due time to the moment at which it was found due.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
