"""What counts as an answer, alike wherever it is counted; steps from nought; what is long overdue; whose series.

Counters keep what they held: one that fell would be taken for a restart, in which all of it happened again. Only what
happens from now on counts by these rules; a rebuild counts everything by them.
"""

from alembic import op

from relance.migrations import statements

revision = "0016"
down_revision = "0015"

TABLES = """
    CREATE TABLE overdue_counted (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        until timestamptz NOT NULL
    );
    COMMENT ON TABLE overdue_counted IS 'Open clocks with deadlines until then are in the tallies, as overdue_long';
    CREATE TABLE campaigns (
        source text NOT NULL,
        campaign text NOT NULL,
        listed boolean NOT NULL,
        active_at timestamptz NOT NULL,
        PRIMARY KEY (source, campaign)
    );
    COMMENT ON COLUMN campaigns.listed IS 'Whether it has series of its own. For ever: a sum of others must not fall';
    INSERT INTO campaigns (source, campaign, listed, active_at)
    SELECT source, campaign, place <= 50, coalesce(newest, '-infinity')
    FROM (
        SELECT source, campaign, row_number() OVER (PARTITION BY source ORDER BY min(seen)) AS place
        FROM (SELECT source, campaign, seen FROM tallies UNION ALL SELECT source, campaign, id FROM tally_changes) t
        WHERE campaign <> ''
        GROUP BY source, campaign
    ) known LEFT JOIN (
        SELECT source, campaign, max(received_at) AS newest FROM clocks
        WHERE received_at > now() - interval '30 days'
        GROUP BY source, campaign
    ) heard USING (source, campaign)
"""
INSERT = "INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)"
NO_ANSWER = "('declined', 'reassigned', 'erased')"
# Stored with their end by a rebuild only. Without a deadline they were on hold, and so kept.
STARTED = f"""
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), t.what, '', sum(t.amount)
    FROM after c,
        LATERAL (SELECT coalesce(c.deadline, 'infinity') AS deadline) d,
        LATERAL (VALUES
            ('started', 1),
            ('stopped', (c.stopped_at IS NOT NULL)::integer),
            ('kept', (c.stopped_at <= d.deadline AND c.stopped_by NOT IN {NO_ANSWER})::integer),
            ('late', (c.stopped_at > d.deadline)::integer),
            ('overdue_long', (c.stopped_at IS NULL AND d.deadline <= reached)::integer)
        ) t (what, amount)
    WHERE t.amount > 0
    GROUP BY 1, 2, 3, 4, 5
"""
# Whatever changes, the sum of overdue, overdue_long, late and withdrawn never falls: a deadline that moves away from
# what was overdue counts as withdrawn.
CHANGED = f"""
    SELECT n.clock, n.team, n.source, coalesce(n.campaign, ''), t.what, '', sum(t.amount)
    FROM before o JOIN after n USING (assignment_id, clock),
        LATERAL (
            SELECT coalesce(o.deadline, 'infinity') AS old_deadline, coalesce(n.deadline, 'infinity') AS deadline
        ) d,
        LATERAL (SELECT
            coalesce(o.stopped_at <= old_deadline AND o.stopped_by NOT IN {NO_ANSWER}, false) AS was_kept,
            coalesce(n.stopped_at <= d.deadline AND n.stopped_by NOT IN {NO_ANSWER}, false) AS is_kept,
            coalesce(o.stopped_at > old_deadline, false) AS was_late,
            coalesce(n.stopped_at > d.deadline, false) AS is_late,
            coalesce(o.stopped_at, clock_timestamp()) > old_deadline AS was_breached,
            coalesce(n.stopped_at, clock_timestamp()) > d.deadline AS is_breached,
            o.stopped_at IS NULL AND n.stopped_at IS NOT NULL AS ends,
            (n.stopped_at IS NULL AND d.deadline <= reached)::integer
                - (o.stopped_at IS NULL AND old_deadline <= reached)::integer AS overdue_long
        ) turn,
        LATERAL (SELECT (ends OR overdue_long <> 0) AND EXISTS (
            SELECT FROM steps s
            WHERE s.assignment_id = n.assignment_id AND s.clock = n.clock AND s.action = 'at_risk'
        ) AS risky) r,
        LATERAL (VALUES
            ('stopped', ends::integer),
            ('risky', -(risky AND ends)::integer),
            ('kept', is_kept::integer - was_kept::integer),
            ('late', is_late::integer - was_late::integer),
            ('withdrawn', (was_breached AND NOT is_breached)::integer),
            ('overdue_long', overdue_long),
            ('risky_long', risky::integer * overdue_long)
        ) t (what, amount)
    WHERE t.amount <> 0
    GROUP BY 1, 2, 3, 4, 5
"""
ANSWERED = f"""
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, '') AS campaign, t.what, t.detail, sum(t.amount) AS amount
    FROM {{clocks}} c,
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
    WHERE c.stopped_by NOT IN {NO_ANSWER}
    GROUP BY 1, 2, 3, 4, 5, 6
"""
# Topics are not ordered among each other: an answer may be heard of after the end that followed it.
NEWLY_ANSWERED = f"""(SELECT n.* FROM before o JOIN after n USING (assignment_id, clock)
        WHERE o.stopped_at IS NULL OR o.stopped_by IN {NO_ANSWER})"""
# Nought for what may come: a series that begins with its first event hides it from `rate`.
TO_COME = """
    SELECT DISTINCT c.clock, c.team, c.source, coalesce(c.campaign, ''), 'step',
        (s ->> 'action') || ' ' || (s ->> 'name'), 0
    FROM {clocks} c, jsonb_array_elements(c.steps) s
"""
# Without new terms steps change as those of the rep before go on, which is before any fires; comparing them costs most.
REVISED = """(SELECT n.* FROM before o JOIN after n USING (assignment_id, clock) WHERE n.revision <> o.revision
        OR n.fired = 0 AND n.stopped_at IS NULL AND n.steps <> o.steps)"""
STEPS = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), 'step', s.action || ' ' || s.step, count(*)
    FROM fired s JOIN clocks c USING (assignment_id, clock)
    GROUP BY 1, 2, 3, 4, 5, 6
"""
RISKY = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), t.what, '', sum(t.amount)
    FROM (SELECT DISTINCT assignment_id, clock FROM fired WHERE action = 'at_risk') r
        JOIN clocks c USING (assignment_id, clock),
        LATERAL (VALUES ('risky', 1), ('risky_long', (c.deadline <= reached)::integer)) t (what, amount)
    WHERE t.amount > 0 AND c.stopped_at IS NULL AND NOT EXISTS (
        SELECT FROM steps s
        WHERE s.assignment_id = r.assignment_id AND s.clock = r.clock AND s.action = 'at_risk' AND NOT EXISTS (
            SELECT FROM fired f
            WHERE f.assignment_id = s.assignment_id AND f.clock = s.clock
                AND f.step = s.step AND f.occurrence = s.occurrence AND f.due_at = s.due_at
        )
    )
    GROUP BY 1, 2, 3, 4, 5
"""


def _replace_trigger(name: str, *selects: str) -> str:
    """With `reached`, beyond which nobody moves until the transaction ends: whoever does locks it alone."""
    body = "".join(f"{INSERT} {select};\n" for select in selects)
    return f"""
        CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE reached timestamptz;
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(hashtext('sla.overdue'));
            reached := coalesce((SELECT until FROM overdue_counted), '-infinity');
            {body} RETURN NULL;
        END
        $$
    """


def upgrade() -> None:
    for statement in (
        *statements(TABLES),
        _replace_trigger("tally_started", STARTED, ANSWERED.format(clocks="after"), TO_COME.format(clocks="after")),
        _replace_trigger(
            "tally_changed", CHANGED, ANSWERED.format(clocks=NEWLY_ANSWERED), TO_COME.format(clocks=REVISED)
        ),
        _replace_trigger("tally_steps", STEPS, RISKY),
    ):
        op.execute(statement)
