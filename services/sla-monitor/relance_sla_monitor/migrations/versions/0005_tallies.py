"""Running totals of what clocks and steps do, so that counting does not read what is over."""

from alembic import op

from relance.migrations import statements

revision = "0005"
down_revision = "0002"

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
    COMMENT ON TABLE tallies IS 'Changes, added up by whoever counts; never falls';
    COMMENT ON COLUMN tallies.seen IS 'The first change: campaigns are listed in this order';
    CREATE INDEX open_clocks ON clocks (clock, team, source, campaign) INCLUDE (deadline) WHERE stopped_at IS NULL
"""
# A clock counts as breached while it is open beyond its deadline, or stopped beyond it. When that turns out to be
# wrong, `withdrawn` takes its place: the sum of the three, which is what is published, never falls.
ANSWERED = """
    SELECT c.clock, c.team, c.source, coalesce(c.campaign, '') AS campaign, t.what, t.detail, sum(t.amount) AS amount
    FROM {clocks} c,
        LATERAL (SELECT extract(epoch FROM c.stopped_at - c.started_at) AS seconds,
            extract(epoch FROM c.stopped_at - c.started_at) / nullif(extract(epoch FROM c.deadline - c.started_at), 0)
                AS ratio) taken,
        LATERAL (VALUES
            ('seconds', coalesce((SELECT min(le) FROM unnest(ARRAY[
                5, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 259200
            ]) le WHERE le >= seconds)::text, '+Inf'), 1),
            ('ratio', coalesce((SELECT min(le) FROM unnest(ARRAY[
                0.1, 0.25, 0.5, 0.8, 1, 1.25, 1.5, 2, 5, 10
            ]) le WHERE le >= ratio)::text, '+Inf'), 1),
            ('seconds', 'sum', seconds),
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
    so_far = (TURNS.format(clocks="clocks"), ANSWERED.format(clocks="clocks"), STEPS.format(steps="steps"))
    for statement in (
        *statements(TABLES),
        *_trigger("tally_started", "INSERT", "clocks", "NEW TABLE AS after", TURNS.format(clocks="after")),
        *_trigger("tally_changed", "UPDATE", "clocks", "OLD TABLE AS before NEW TABLE AS after", *turned),
        *_trigger("tally_steps", "INSERT", "steps", "NEW TABLE AS fired", STEPS.format(steps="fired")),
        *(f"{INSERT} {select}" for select in so_far),
    ):
        op.execute(statement)
