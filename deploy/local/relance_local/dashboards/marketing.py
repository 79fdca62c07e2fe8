"""For marketing and sales, both directions: what was done with each source's leads, and what they were worth."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from relance_local.dashboards.panels import PER_SECOND, REPORTING, SHARE, assembled, choice, listing, series
from relance_local.dashboards.queries import ANSWER_COLUMNS, ANSWER_UNITS, happened, kept_share, per_second

SOURCE = 'source=~"$source"'
SOURCES = "SELECT source FROM reporting.leads UNION SELECT source FROM reporting.spend_days ORDER BY source LIMIT 1000"
"""Also those of which no lead was ever given to anybody."""


def dashboard() -> Dashboard:
    """The dashboard."""
    done = [
        listing(
            "What sales did with the leads",
            "Assignments of the time shown: answered in time, breached, not answered yet, and how fast.",
            f"""SELECT source, coalesce(campaign, '-') AS campaign, count(DISTINCT lead_id) AS leads, {ANSWER_COLUMNS}
            FROM reporting.clocks
            WHERE clock = 'response' AND source IN ($source) AND $__timeFilter(started_at)
            GROUP BY source, campaign ORDER BY leads DESC, source, campaign""",
            units=ANSWER_UNITS,
        ),
        series(
            "Kept windows by source",
            "Of the response windows that ended in the hour before.",
            {"{{source}}": kept_share(SOURCE, by="source", over="1h")},
            unit=SHARE,
        ),
        series(
            "Breaches by campaign",
            "Windows that passed unanswered in the hour before.",
            {
                "{{source}} {{campaign}}": happened(
                    "relance_sla_windows_breached_total", f'clock="response", {SOURCE}', by="source, campaign"
                )
            },
            stacked=True,
        ),
    ]
    worth = [
        listing(
            "What the leads were worth",
            "Of the leads received in the time shown, what sales said of them last; a lead that was won was accepted. "
            "Whoever came again counts for each source that they came by, so that rows add up to more than leads; "
            "first came here adds up.",
            """SELECT source, coalesce(campaign, '-') AS campaign, count(DISTINCT lead) AS leads,
            count(*) FILTER (WHERE joined IS NULL) AS first_came_here, count(joined) AS came_again,
            count(DISTINCT lead) FILTER (WHERE disposition IN ('accepted', 'won', 'lost')) AS accepted,
            count(DISTINCT lead) FILTER (WHERE disposition = 'rejected') AS rejected,
            count(DISTINCT lead) FILTER (WHERE disposition = 'won') AS won,
            count(DISTINCT lead) FILTER (WHERE disposition = 'lost') AS lost,
            count(DISTINCT lead) FILTER (WHERE disposition IS NULL) AS nothing_said,
            round((count(DISTINCT lead) FILTER (WHERE disposition IN ('accepted', 'won', 'lost')))::numeric
                / nullif(count(DISTINCT lead) FILTER (WHERE disposition IS NOT NULL), 0), 3) AS acceptance
            FROM (SELECT *, coalesce(joined, lead_id) AS lead FROM reporting.scorecard_credits) AS credits
            WHERE source IN ($source) AND $__timeFilter(received_at)
            GROUP BY source, campaign ORDER BY leads DESC, source, campaign""",
            units={"acceptance": SHARE},
            width=16,
        ),
        listing(
            "Rejected, and why",
            "What sales said last of an assignment, where that was no.",
            """SELECT source, coalesce(reason, '-') AS reason, count(*) AS rejected FROM reporting.dispositions
            WHERE newest AND disposition = 'rejected' AND source IN ($source) AND $__timeFilter(recorded_at)
            GROUP BY source, reason ORDER BY rejected DESC, source, reason""",
            width=8,
        ),
        listing(
            "What they cost",
            "Spent on the days shown (UTC), and for each lead received in the time shown that was accepted, or won. "
            "What was spent on a whole source (campaign -) is not divided by its leads without a campaign. "
            "Amounts in several currencies are not added up.",
            """SELECT source, campaign, spent, currency, accepted, won,
            CASE WHEN has_cost THEN round(spent / nullif(accepted, 0), 2) END AS cost_per_accepted,
            CASE WHEN has_cost THEN round(spent / nullif(won, 0), 2) END AS cost_per_won
            FROM (
                SELECT source, coalesce(campaign, '-') AS campaign, campaign IS NOT NULL AS has_cost,
                    CASE WHEN count(DISTINCT currency) = 1 THEN round(sum(amount), 2) END AS spent,
                    string_agg(DISTINCT currency, ' + ') AS currency,
                    count(DISTINCT lead) FILTER (WHERE disposition IN ('accepted', 'won', 'lost')) AS accepted,
                    count(DISTINCT lead) FILTER (WHERE disposition = 'won') AS won
                FROM (
                    SELECT source, campaign, coalesce(joined, lead_id) AS lead, disposition,
                        CAST(NULL AS numeric) AS amount, CAST(NULL AS text) AS currency
                    FROM reporting.scorecard_credits WHERE $__timeFilter(received_at)
                    UNION ALL
                    SELECT source, campaign, NULL, NULL, amount, currency
                    FROM reporting.spend_days WHERE $__timeFilter(day)
                ) AS facts
                WHERE source IN ($source) GROUP BY source, campaign
            ) AS costs
            WHERE currency IS NOT NULL ORDER BY spent DESC NULLS LAST, source, campaign""",
        ),
        listing(
            "Came again",
            "Who was being spoken with and came again in the time shown: by what, and by what they had come before.",
            """SELECT t.source AS again_by, coalesce(t.campaign, '-') AS campaign, l.source AS first_by,
            coalesce(l.campaign, '-') AS first_campaign, count(*) AS touches, count(DISTINCT t.joined) AS leads
            FROM reporting.scorecard_credits t JOIN reporting.scorecard_leads l ON l.lead_id = t.joined
            WHERE t.source IN ($source) AND $__timeFilter(t.received_at)
            GROUP BY 1, 2, 3, 4 ORDER BY touches DESC, 1, 2, 3, 4""",
            width=16,
        ),
        series(
            "Touches",
            "Leads that joined another one of the same person in the hour before, by source.",
            {"{{source}}": happened("relance_sla_touches_total", SOURCE, by="source")},
            width=8,
        ),
    ]
    received = [
        listing(
            "Leads by week",
            "Received in the time shown, by week (from Monday, UTC), source and channel.",
            """SELECT date_trunc('week', received_at, 'UTC') AS week, source, channel, count(*) AS leads
            FROM reporting.leads WHERE source IN ($source) AND $__timeFilter(received_at)
            GROUP BY week, source, channel ORDER BY week DESC, leads DESC, source, channel""",
            width=12,
        ),
        listing(
            "Kept out as spam",
            "Leads received in the time shown that were suspected, by each of their reasons, and what became of them.",
            """SELECT source, reason, count(*) AS leads,
            count(*) FILTER (WHERE state = 'waiting') AS waiting,
            count(*) FILTER (WHERE state = 'released') AS released,
            count(*) FILTER (WHERE state = 'discarded') AS discarded
            FROM reporting.quarantine, unnest(suspicions) AS reason
            WHERE source IN ($source) AND $__timeFilter(received_at)
            GROUP BY source, reason ORDER BY leads DESC, source, reason""",
            width=12,
        ),
        series(
            "Leads received",
            "Accepted by ingest, by source and channel.",
            {"{{source}} {{channel}}": per_second(f"relance_ingest_accepted_total{{{SOURCE}}}", by="source, channel")},
            unit=PER_SECOND,
            width=24,
            stacked=True,
        ),
    ]
    return assembled(
        "relance-marketing",
        "Relance: marketing scorecard",
        "Both directions, by source and campaign: what sales did with the leads, and what they were worth.",
        {"What sales did": done, "What they were worth": worth, "What came": received},
        since="now-30d",
        variables=[choice("Source", "source", SOURCES, REPORTING)],
    )
