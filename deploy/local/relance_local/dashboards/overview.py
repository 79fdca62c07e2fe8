"""For managers: are leads answered in time, and where not."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from relance_local.dashboards.panels import PER_SECOND, SECONDS, SHARE, assembled, listing, numbers, series
from relance_local.dashboards.queries import (
    ANSWER_COLUMNS,
    ANSWER_UNITS,
    first_answer,
    happened,
    kept_share,
    once,
    open_clocks,
    per_second,
    quantile,
)


def dashboard() -> Dashboard:
    """The dashboard."""
    now = [
        numbers(
            "Open leads",
            "Assigned, and not yet answered: within the window, close to its end, and beyond it.",
            {"{{state}}": open_clocks()},
            width=8,
        ),
        numbers(
            "Nobody has them",
            "Leads that stand unrouted, by reason; all of them are tried again.",
            {"{{reason}}": f"sum by (reason) ({once('relance_router_unrouted_leads')}) > 0 or on() vector(0)"},
            turns=((None, "green"), (1, "red")),
            width=4,
        ),
        numbers(
            "Kept windows",
            "Share of response windows within which the first answer came, of those that ended in the time shown.",
            {"kept": kept_share()},
            unit=SHARE,
            turns=((None, "red"), (0.9, "orange"), (0.95, "green")),
            width=4,
        ),
        numbers(
            "First answer",
            "Half of the first answers of the last hour came sooner, nine of ten sooner.",
            {"median": first_answer(0.5), "9 of 10": first_answer(0.9)},
            unit=SECONDS,
            width=4,
        ),
        numbers(
            "Receipt to assignment",
            "99 of 100 leads had a rep sooner than this after they were received.",
            {"p99": quantile(0.99, "relance_router_receipt_to_assignment_seconds")},
            unit=SECONDS,
            width=4,
        ),
    ]
    over_time = [
        series(
            "Leads received",
            "Accepted by ingest, by source.",
            {"{{source}}": per_second("relance_ingest_accepted_total", by="source")},
            unit=PER_SECOND,
            stacked=True,
        ),
        series("Open leads over time", "By where their window stands.", {"{{state}}": open_clocks()}, stacked=True),
        series(
            "Kept windows by team",
            "Of the windows that ended in the hour before.",
            {"{{team}}": kept_share(by="team", over="1h")},
            unit=SHARE,
        ),
        series(
            "First answer by team",
            "Median over the hour before, from assignment to first answer.",
            {"{{team}}": first_answer(0.5, by="team")},
            unit=SECONDS,
        ),
        series(
            "Error budget burnt",
            "How many times faster than the objective allows windows are missed; 1 uses the budget up exactly.",
            {"last hour": "relance:error_budget_burn:1h", "last 6 hours": "relance:error_budget_burn:6h"},
        ),
        series(
            "Escalations",
            "Steps of escalation policies that fired in the hour before, by what they did.",
            {"{{action}}": happened("relance_sla_steps_total", by="action")},
            stacked=True,
        ),
    ]
    tables = [
        listing(
            "Teams",
            "Assignments of the time shown: answered in time, breached, not answered yet, and how fast.",
            f"""SELECT team, {ANSWER_COLUMNS} FROM reporting.clocks
            WHERE clock = 'response' AND $__timeFilter(started_at) GROUP BY team ORDER BY breached DESC, team""",
            units=ANSWER_UNITS,
            width=14,
        ),
        listing(
            "Escalated",
            "Leads of the time shown that the team's manager was told of, or whom else the policy names.",
            """SELECT team, source, count(DISTINCT assignment_id) AS escalated FROM reporting.steps
            WHERE action IN ('notify_manager', 'notify') AND $__timeFilter(fired_at)
            GROUP BY team, source ORDER BY escalated DESC, team, source""",
            width=10,
        ),
    ]
    return assembled(
        "relance-overview",
        "Relance: overview",
        "Are leads answered in time, and where not.",
        {"Now": now, "Over time": over_time, "Who": tables},
        since="now-6h",
    )
