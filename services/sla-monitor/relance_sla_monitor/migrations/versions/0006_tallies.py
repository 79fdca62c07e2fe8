"""Running totals of what clocks and steps do, so that counting reads only what is overdue."""

from alembic import op

from relance.migrations import statements

revision = "0006"
down_revision = "0005"

TABLES = """
    CREATE TABLE tally_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        clock text NOT NULL,
        team text NOT NULL,
        source text NOT NULL,
        campaign text NOT NULL,
        what text NOT NULL,
        detail text NOT NULL,
        amount double precision NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
    COMMENT ON TABLE tally_changes IS 'Written by triggers; appended only, so that writers never wait for each other';
    CREATE TABLE tallies (
        clock text NOT NULL,
        team text NOT NULL,
        source text NOT NULL,
        campaign text NOT NULL,
        what text NOT NULL,
        detail text NOT NULL,
        amount double precision NOT NULL,
        seen bigint NOT NULL,
        PRIMARY KEY (clock, team, source, campaign, what, detail)
    ) WITH (fillfactor = 70);
    COMMENT ON TABLE tallies IS 'Changes, added up by whoever counts';
    COMMENT ON COLUMN tallies.seen IS 'The first change: campaigns are listed in this order';
    -- Of one expression, so that the planner knows that few clocks are overdue: deadlines of stopped clocks lie in the
    -- past too, and taking two conditions for independent it would expect most of the table, and read all of it.
    CREATE INDEX overdue ON clocks ((CASE WHEN stopped_at IS NULL THEN deadline END)) WHERE stopped_at IS NULL;
    CREATE STATISTICS overdue_clocks ON (CASE WHEN stopped_at IS NULL THEN deadline END) FROM clocks
"""
# A clock counts as breached while it is open beyond its deadline, or stopped beyond it. When that turns out to be
# wrong, `withdrawn` takes its place: the sum of the three, which is what is published, never falls.
ANSWERED = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, '') AS campaign, t.what, t.detail, sum(t.amount) AS amount
    FROM {clocks} c,
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
INSERT = "INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)"
TURNS = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), t.what, '', sum(t.amount)
    FROM {clocks} c,
        LATERAL (VALUES
            ('started', 1),
            ('stopped', (c.stopped_at IS NOT NULL)::integer),
            ('kept', (c.stopped_at <= c.deadline AND c.stopped_by <> 'reassigned')::integer),
            ('late', (c.stopped_at > c.deadline)::integer)
        ) t (what, amount)
    WHERE t.amount > 0
    GROUP BY 1, 2, 3, 4, 5
"""
CHANGED = """
    SELECT n.clock, n.team, n.source, coalesce(n.campaign, ''), t.what, '', sum(t.amount)
    FROM before o JOIN after n USING (assignment_id, clock),
        LATERAL (SELECT
            coalesce(o.stopped_at <= o.deadline AND o.stopped_by <> 'reassigned', false) AS was_kept,
            coalesce(n.stopped_at <= n.deadline AND n.stopped_by <> 'reassigned', false) AS is_kept,
            coalesce(o.stopped_at > o.deadline, false) AS was_late,
            coalesce(n.stopped_at > n.deadline, false) AS is_late,
            coalesce(o.stopped_at, clock_timestamp()) > o.deadline AS was_breached,
            coalesce(n.stopped_at, clock_timestamp()) > n.deadline AS is_breached
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
STEPS = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), 'step', s.action || ' ' || s.step, count(*)
    FROM {steps} s JOIN clocks c USING (assignment_id, clock)
    GROUP BY 1, 2, 3, 4, 5, 6
"""
# Open clocks that have been at risk: whatever number of such steps a policy has, a clock counts once.
RISKY = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), 'risky', '', count(*)
    FROM (SELECT DISTINCT assignment_id, clock FROM {steps} WHERE action = 'at_risk') r
        JOIN clocks c USING (assignment_id, clock)
    WHERE c.stopped_at IS NULL AND NOT EXISTS (
        SELECT FROM steps s
        WHERE s.assignment_id = r.assignment_id AND s.clock = r.clock AND s.action = 'at_risk' AND NOT EXISTS (
            SELECT FROM {steps} f
            WHERE f.assignment_id = s.assignment_id AND f.clock = s.clock AND f.step = s.step
        )
    )
    GROUP BY 1, 2, 3, 4
"""
NEWLY_STOPPED = """(SELECT n.* FROM before o JOIN after n USING (assignment_id, clock)
        WHERE o.stopped_at IS NULL AND n.stopped_at IS NOT NULL)"""


def _trigger(name: str, event: str, table: str, rows: str, *selects: str) -> list[str]:
    body = "".join(f"{INSERT} {select};\n" for select in selects)
    function = f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            {body} RETURN NULL;
        END
        $$
    """
    trigger = f"""
        CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {rows}
        FOR EACH STATEMENT EXECUTE FUNCTION {name}()
    """
    return [function, trigger]


def upgrade() -> None:
    turned = (CHANGED, ANSWERED.format(clocks=NEWLY_STOPPED))
    fired = (STEPS.format(steps="fired"), RISKY.format(steps="fired"))
    so_far = (
        TURNS.format(clocks="clocks"),
        ANSWERED.format(clocks="clocks"),
        STEPS.format(steps="steps"),
        RISKY.format(steps="steps"),
    )
    for statement in (
        *statements(TABLES),
        *_trigger("tally_started", "INSERT", "clocks", "NEW TABLE AS after", TURNS.format(clocks="after")),
        *_trigger("tally_changed", "UPDATE", "clocks", "OLD TABLE AS before NEW TABLE AS after", *turned),
        *_trigger("tally_steps", "INSERT", "steps", "NEW TABLE AS fired", *fired),
        *(f"{INSERT} {select}" for select in so_far),
    ):
        op.execute(statement)
