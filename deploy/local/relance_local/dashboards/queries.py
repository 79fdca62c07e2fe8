"""What several panels ask. All replicas report the same business figures: PromQL takes `max` over them.

How fast counters rise is asked of what rules/figures.yml records, which takes `max` first: a new replica begins new
series.
"""

from relance_sla_monitor.domain.clocks import NO_ANSWER

WINDOW = "$__rate_interval"
RANGE = "$__range"


def once(expression: str) -> str:
    """Figures that every replica reports, once."""
    return f"max without (instance, job) ({expression})"


def kept_share(matching: str = "", *, by: str = "", over: str = RANGE) -> str:
    """The share of response windows that were kept, of those that ended."""
    kept, breached, withdrawn = (
        f"sum{_by(by)} (increase(once:relance_sla_{name}_total:max{{{_response(matching)}}}[{over}]))"
        for name in ("windows_kept", "windows_breached", "breaches_withdrawn")
    )
    return f"{kept} / ({kept} + {breached} - {withdrawn})"


def happened(name: str, matching: str = "", *, by: str) -> str:
    """How often within the hour before, of a business counter."""
    return f"round(sum{_by(by)} (increase(once:{name}:max{{{matching}}}[1h])))"


def open_clocks(matching: str = "") -> str:
    """Leads that wait for a first answer, by state."""
    return f"sum by (state) ({once(f'relance_sla_open{{{_response(matching)}}}')})"


def first_answer(share: float, matching: str = "", *, by: str = "") -> str:
    """Within how many seconds this share of first answers came."""
    labels = ", ".join(["le", *([by] if by else [])])
    rate = f"rate(once:relance_sla_response_seconds_bucket:max{{{_response(matching)}}}[1h])"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate}))"


def per_second(counter: str, *, by: str = "") -> str:
    """How fast a counter that each replica has of its own rises, all together."""
    return f"sum{_by(by)} (rate({counter}[{WINDOW}]))"


def quantile(share: float, histogram: str, *, by: str = "") -> str:
    """A quantile of what each replica has measured itself."""
    labels = ", ".join(["le", *([by] if by else [])])
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket[{WINDOW}])))"


def median_and_worst(histogram: str) -> dict[str, str]:
    """The same of half and of 99 in a hundred, by the names of these quantiles."""
    return {"p50": quantile(0.5, histogram), "p99": quantile(0.99, histogram)}


def _response(matching: str) -> str:
    return ", ".join(['clock="response"', *([matching] if matching else [])])


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


ANSWERED = f"stopped_by NOT IN {NO_ANSWER}"
ANSWER_COLUMNS = f"""
    count(*) AS assignments,
    count(*) FILTER (WHERE {ANSWERED} AND NOT breached) AS in_time,
    count(*) FILTER (WHERE breached) AS breached,
    count(*) FILTER (WHERE stopped_at IS NULL) AS unanswered,
    round((count(*) FILTER (WHERE {ANSWERED} AND NOT breached))::numeric
        / nullif(count(*) FILTER (WHERE breached OR {ANSWERED} AND NOT breached), 0), 3) AS kept,
    extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY worked)
        FILTER (WHERE {ANSWERED})) AS median,
    extract(epoch FROM percentile_cont(0.9) WITHIN GROUP (ORDER BY worked)
        FILTER (WHERE {ANSWERED})) AS p90
"""
"""Of reporting.clocks: what sales did."""
ANSWER_UNITS = {"kept": "percentunit", "median": "s", "p90": "s"}
