"""For a team's manager: what waits, how it went, and what was escalated."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from relance_local.dashboards.panels import PROMETHEUS, SECONDS, SHARE, assembled, choice, listing, numbers, series
from relance_local.dashboards.queries import (
    ANSWER_COLUMNS,
    ANSWER_UNITS,
    first_answer,
    happened,
    kept_share,
    open_clocks,
)

TEAM = 'team=~"$team"'


def dashboard() -> Dashboard:
    """The dashboard."""
    now = [
        numbers("Open leads", "By where their window stands.", {"{{state}}": open_clocks(TEAM)}, width=10),
        numbers(
            "Kept windows",
            "Share of response windows that were kept, of those that ended in the time shown.",
            {"kept": kept_share(TEAM)},
            unit=SHARE,
            turns=((None, "red"), (0.9, "orange"), (0.95, "green")),
            width=7,
        ),
        numbers(
            "First answer",
            "Of the last hour: half came sooner, nine of ten came sooner.",
            {"median": first_answer(0.5, TEAM), "9 of 10": first_answer(0.9, TEAM)},
            unit=SECONDS,
            width=7,
        ),
    ]
    window = f'rate(once:relance_sla_response_window_ratio_bucket:max{{clock="response", {TEAM}}}[1h])'
    over_time = [
        series("Open leads over time", "By where their window stands.", {"{{state}}": open_clocks(TEAM)}, stacked=True),
        series(
            "Share of the window used",
            "1 is the deadline. Half of the first answers of the last hour came before, nine of ten came before.",
            {
                "median": f"histogram_quantile(0.5, sum by (le) ({window}))",
                "9 of 10": f"histogram_quantile(0.9, sum by (le) ({window}))",
            },
        ),
        series(
            "Breaches by source",
            "Windows that passed unanswered in the hour before.",
            {"{{source}}": happened("relance_sla_windows_breached_total", f'clock="response", {TEAM}', by="source")},
            stacked=True,
        ),
        series(
            "Escalation steps",
            "Steps that fired in the hour before, by name.",
            {"{{step}}": happened("relance_sla_steps_total", TEAM, by="step")},
            stacked=True,
        ),
    ]
    tables = [
        listing(
            "Where their leads came from",
            "Assignments of the time shown, by source and campaign.",
            f"""SELECT source, coalesce(campaign, '-') AS campaign, {ANSWER_COLUMNS} FROM reporting.clocks
            WHERE clock = 'response' AND team IN ($team) AND $__timeFilter(started_at)
            GROUP BY source, campaign ORDER BY assignments DESC, source, campaign""",
            units=ANSWER_UNITS,
        ),
        listing(
            "By day",
            "Assignments of the time shown, by the day on which they were made (UTC).",
            f"""SELECT date_trunc('day', started_at, 'UTC') AS day, {ANSWER_COLUMNS} FROM reporting.clocks
            WHERE clock = 'response' AND team IN ($team) AND $__timeFilter(started_at)
            GROUP BY day ORDER BY day DESC""",
            units=ANSWER_UNITS,
            width=16,
        ),
        listing(
            "Declined",
            "Why reps of the team gave leads back.",
            """SELECT coalesce(w.reason, '-') AS reason, count(*) AS declined
            FROM reporting.answers w JOIN reporting.assignments a USING (assignment_id)
            WHERE w.answer = 'declined' AND a.team IN ($team) AND $__timeFilter(w.responded_at)
            GROUP BY w.reason ORDER BY declined DESC""",
            width=8,
        ),
    ]
    return assembled(
        "relance-team",
        "Relance: team",
        "What waits in a team, how fast it answers, and what was escalated.",
        {"Now": now, "Over time": over_time, "Details": tables},
        since="now-24h",
        variables=[choice("Team", "team", "label_values(relance_sla_clocks_started_total, team)", PROMETHEUS)],
    )
