"""Clocks whose terms change: holds, extensions, former terms; and steps that are repeated."""

from alembic import op

from relance.migrations import statements

revision = "0007"
down_revision = "0006"

TABLES = """
    ALTER TABLE clocks
        ALTER COLUMN deadline DROP NOT NULL,
        ADD COLUMN extended interval NOT NULL DEFAULT interval '0',
        ADD COLUMN holds tstzmultirange NOT NULL DEFAULT '{}',
        ADD COLUMN revision integer NOT NULL DEFAULT 0;
    COMMENT ON COLUMN clocks.deadline IS 'Null: on hold, nobody knows until when';
    COMMENT ON COLUMN clocks.response_window IS 'The window of this clock, with extensions';
    COMMENT ON COLUMN clocks.extended IS 'How much of the window was added by hand';
    COMMENT ON COLUMN clocks.holds IS 'When it stands still';
    COMMENT ON COLUMN clocks.revision IS 'Of the newest change of terms heard of';
    CREATE INDEX held ON clocks (clock) WHERE stopped_at IS NULL AND holds <> '{}';

    CREATE TABLE former_terms (
        assignment_id uuid NOT NULL,
        clock text NOT NULL,
        revision integer NOT NULL,
        until timestamptz NOT NULL,
        response_window interval NOT NULL,
        extended interval NOT NULL,
        calendar bytea REFERENCES calendars,
        holds tstzmultirange NOT NULL,
        deadline timestamptz,
        PRIMARY KEY (assignment_id, clock, revision)
    );
    COMMENT ON TABLE former_terms IS
        'What ran until a change of this revision: an answer heard of late counts by what ran when it was given';

    ALTER TABLE steps ADD COLUMN occurrence integer NOT NULL DEFAULT 1;
    ALTER TABLE steps DROP CONSTRAINT steps_pkey, ADD PRIMARY KEY (assignment_id, clock, step, occurrence)
"""
# A clock that is stopped without a deadline was on hold, and so kept. Whatever changes, the sum of overdue, late and
# withdrawn never falls: a deadline that moves away from what was overdue counts as withdrawn.
CHANGED = """
    SELECT n.clock, n.team, n.source, coalesce(n.campaign, ''), t.what, '', sum(t.amount)
    FROM before o JOIN after n USING (assignment_id, clock),
        LATERAL (
            SELECT coalesce(o.deadline, 'infinity') AS old_deadline, coalesce(n.deadline, 'infinity') AS deadline
        ) d,
        LATERAL (SELECT
            coalesce(o.stopped_at <= old_deadline AND o.stopped_by <> 'reassigned', false) AS was_kept,
            coalesce(n.stopped_at <= d.deadline AND n.stopped_by <> 'reassigned', false) AS is_kept,
            coalesce(o.stopped_at > old_deadline, false) AS was_late,
            coalesce(n.stopped_at > d.deadline, false) AS is_late,
            coalesce(o.stopped_at, clock_timestamp()) > old_deadline AS was_breached,
            coalesce(n.stopped_at, clock_timestamp()) > d.deadline AS is_breached
        ) turn,
        LATERAL (VALUES
            ('stopped', (o.stopped_at IS NULL AND n.stopped_at IS NOT NULL)::integer),
            ('risky', -(o.stopped_at IS NULL AND n.stopped_at IS NOT NULL AND EXISTS (
                SELECT FROM steps s
                WHERE s.assignment_id = n.assignment_id AND s.clock = n.clock AND s.action = 'at_risk'
            ))::integer),
            ('kept', is_kept::integer - was_kept::integer),
            ('late', is_late::integer - was_late::integer),
            ('withdrawn', (was_breached AND NOT is_breached)::integer)
        ) t (what, amount)
    WHERE t.amount <> 0
    GROUP BY 1, 2, 3, 4, 5
"""
ANSWERED = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, '') AS campaign, t.what, t.detail, sum(t.amount) AS amount
    FROM (SELECT n.* FROM before o JOIN after n USING (assignment_id, clock)
        WHERE o.stopped_at IS NULL AND n.stopped_at IS NOT NULL) c,
        LATERAL (SELECT extract(epoch FROM c.worked) AS seconds,
            extract(epoch FROM c.worked) / nullif(extract(epoch FROM c.response_window), 0) AS ratio) taken,
        LATERAL (VALUES
            ('seconds', coalesce((SELECT min(le) FROM unnest(ARRAY[
                5, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 259200
            ]) le WHERE le >= seconds)::text, '+Inf'), 1),
            ('ratio', coalesce((SELECT min(le) FROM unnest(ARRAY[
                0.1, 0.25, 0.5, 0.8, 1, 1.25, 1.5, 2, 5, 10
            ]) le WHERE le >= ratio)::text, '+Inf'), 1),
            ('seconds', 'sum', coalesce(seconds, 0)),
            ('ratio', 'sum', coalesce(ratio, 0))
        ) t (what, detail, amount)
    WHERE c.stopped_by <> 'reassigned'
    GROUP BY 1, 2, 3, 4, 5, 6
"""
STEPS = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), 'step', s.action || ' ' || s.step, count(*)
    FROM fired s JOIN clocks c USING (assignment_id, clock)
    GROUP BY 1, 2, 3, 4, 5, 6
"""
RISKY = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), 'risky', '', count(*)
    FROM (SELECT DISTINCT assignment_id, clock FROM fired WHERE action = 'at_risk') r
        JOIN clocks c USING (assignment_id, clock)
    WHERE c.stopped_at IS NULL AND NOT EXISTS (
        SELECT FROM steps s
        WHERE s.assignment_id = r.assignment_id AND s.clock = r.clock AND s.action = 'at_risk' AND NOT EXISTS (
            SELECT FROM fired f
            WHERE f.assignment_id = s.assignment_id AND f.clock = s.clock
                AND f.step = s.step AND f.occurrence = s.occurrence
        )
    )
    GROUP BY 1, 2, 3, 4
"""
INSERT = "INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)"
WEEK = """to_char({} AT TIME ZONE 'UTC', 'IYYY-"W"IW')"""
VIEWS = f"""
    CREATE OR REPLACE VIEW reporting.clocks AS
        SELECT assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
            response_window, deadline, stopped_at, stopped_by,
            coalesce(coalesce(stopped_at, now()) > deadline, false) AS breached,
            worked, extended,
            stopped_at IS NULL AND holds @> now() AND coalesce(deadline > now(), true) AS on_hold
        FROM clocks;
    CREATE OR REPLACE VIEW reporting.steps AS
        SELECT s.assignment_id, s.clock, s.step, s.action, s.due_at, s.fired_at, c.rep, c.team, c.source, c.campaign,
            s.occurrence
        FROM steps s JOIN clocks c USING (assignment_id, clock);

    CREATE OR REPLACE VIEW reporting.scorecard_assignments AS
        SELECT c.lead_id, c.ordinal, c.assignment_id, c.source, c.campaign, c.channel, c.team, c.rep, c.received_at,
            {WEEK.format("c.received_at")} AS week, c.started_at AS given_at, c.deadline, a.answered_at,
            CASE WHEN a.answered_at IS NOT NULL THEN w.worked_seconds END AS response_seconds,
            CASE WHEN a.answered_at <= coalesce(c.deadline, 'infinity') THEN true
                WHEN c.deadline < coalesce(c.stopped_at, now()) THEN false END AS in_window,
            a.answered_at IS NULL AND NOT s.declined
                AND coalesce(c.deadline < coalesce(c.stopped_at, now()), false) AS never_answered,
            s.declined, s.reassigned,
            d.disposition, d.reason AS disposition_reason, d.recorded_at AS disposed_at, w.worked_seconds,
            c.extended > interval '0' AS extended
        FROM clocks c
        CROSS JOIN LATERAL (
            SELECT CASE WHEN c.stopped_by NOT IN ('declined', 'reassigned') THEN c.stopped_at END AS answered_at
        ) a
        CROSS JOIN LATERAL (SELECT CAST(extract(epoch FROM c.worked) AS double precision) AS worked_seconds) w
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(cause = 'declined'), false) AS declined,
                coalesce(bool_or(cause = 'reassigned'), false) AS reassigned
            FROM stops WHERE stops.assignment_id = c.assignment_id
        ) s
        LEFT JOIN dispositions d ON d.assignment_id = c.assignment_id
        WHERE c.clock = 'response';

    CREATE OR REPLACE VIEW reporting.scorecard_leads AS
        SELECT f.lead_id, f.ordinal, f.assignment_id, f.source, f.campaign, f.channel, f.team, f.rep, f.received_at,
            f.week, f.given_at, f.deadline, l.answered_at, l.response_seconds,
            CASE WHEN f.deadline IS NULL THEN f.in_window
                WHEN l.answered_at <= f.deadline THEN true
                WHEN f.deadline < coalesce(l.answered_at, now()) THEN false END AS in_window,
            l.answered_at IS NULL AND coalesce(f.deadline < now(), false) AS never_answered,
            l.declined, l.reassigned, l.disposition, l.disposition_reason, l.disposed_at, l.extended
        FROM reporting.scorecard_assignments f
        CROSS JOIN LATERAL (
            SELECT h.first_answered_at AS answered_at,
                sum(h.worked_seconds) FILTER (WHERE h.given_at <= h.first_answered_at) AS response_seconds,
                bool_or(h.declined) AS declined, bool_or(h.reassigned) AS reassigned,
                bool_or(h.extended) AS extended,
                (array_agg(h.disposition ORDER BY h.disposed_at DESC NULLS LAST, h.ordinal DESC))[1] AS disposition,
                (array_agg(h.disposition_reason ORDER BY h.disposed_at DESC NULLS LAST, h.ordinal DESC))[1]
                    AS disposition_reason,
                max(h.disposed_at) AS disposed_at
            FROM (
                SELECT each.*, min(each.answered_at) OVER () AS first_answered_at
                FROM reporting.scorecard_assignments each WHERE each.lead_id = f.lead_id
            ) h
            GROUP BY h.first_answered_at
        ) l
        WHERE f.ordinal = 1
        UNION ALL
        SELECT u.lead_id, 0, NULL, u.source, u.campaign, u.channel, NULL, NULL, u.received_at,
            {WEEK.format("u.received_at")}, NULL, NULL, NULL, NULL, NULL, false, false, false, NULL, NULL, NULL, false
        FROM unrouted_leads u
        WHERE NOT EXISTS (SELECT FROM clocks c WHERE c.lead_id = u.lead_id AND c.clock = 'response' AND c.ordinal = 1)
"""


def _replace_trigger(name: str, *selects: str) -> str:
    body = "".join(f"{INSERT} {select};\n" for select in selects)
    return f"""
        CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            {body} RETURN NULL;
        END
        $$
    """


def upgrade() -> None:
    for statement in (
        *statements(TABLES, VIEWS),
        _replace_trigger("tally_changed", CHANGED, ANSWERED),
        _replace_trigger("tally_steps", STEPS, RISKY),
    ):
        op.execute(statement)
