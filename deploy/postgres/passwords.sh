#!/bin/sh
# Gives the roles of roles.sql their passwords, from the container's environment, when the database is first made.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
    --set=ingest="$INGEST_DATABASE_PASSWORD" --set=router="$ROUTER_DATABASE_PASSWORD" \
    --set=sla="$SLA_DATABASE_PASSWORD" --set=reporting="$REPORTING_DATABASE_PASSWORD" <<'SQL'
ALTER ROLE ingest PASSWORD :'ingest';
ALTER ROLE router PASSWORD :'router';
ALTER ROLE sla PASSWORD :'sla';
ALTER ROLE reporting PASSWORD :'reporting';
SQL
