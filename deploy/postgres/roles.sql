-- Roles and schemas of one Relance database; run once, as a superuser, in that database. Repeating it harms nothing.
-- Each service owns its schema and sees no other. `reporting` holds the views that services publish; the role
-- `reporting` (Grafana) reads them and nothing else. Passwords are set by whoever deploys, not here.

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['ingest', 'router', 'sla', 'reporting'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN', role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- made meanwhile for another database of the same server
            END;
        END IF;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ingest, router, sla, reporting', current_database());
    -- What `relance-sla-monitor rebuild` fills before it replaces anything.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO sla', current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS ingest AUTHORIZATION ingest;
CREATE SCHEMA IF NOT EXISTS router AUTHORIZATION router;
CREATE SCHEMA IF NOT EXISTS sla AUTHORIZATION sla;
CREATE SCHEMA IF NOT EXISTS reporting;

GRANT USAGE, CREATE ON SCHEMA reporting TO ingest, router, sla;
GRANT USAGE ON SCHEMA reporting TO reporting;
ALTER DEFAULT PRIVILEGES FOR ROLE ingest, router, sla IN SCHEMA reporting GRANT SELECT ON TABLES TO reporting;
ALTER ROLE reporting SET default_transaction_read_only = on;
ALTER ROLE reporting SET statement_timeout = '30s';
