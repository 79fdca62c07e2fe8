"""Each service against its own OpenAPI document: Schemathesis makes requests, and holds the answers against it."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from tests.partner_requests import PARTNERS
from tests.system import KEYS, OPERATOR_TOKEN, System, running_system

from relance_local.broker import Broker
from relance_local.conditions import free_port
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST, ROUTER, SLA_MONITOR
from relance_sla_monitor.board.routes import STREAM

SOURCES: dict[str, dict[str, Any]] = {
    "website": {
        "forms": {"origins": ["https://www.example.com"]},
        "spam": {"limits": {"per_source": "1000000/minute", "per_address": "1000000/minute"}},
    },
    **{kind: {"partner": {"kind": kind, "secret_from": f"RELANCE_{kind.upper()}"}} for kind in PARTNERS},
}
SOURCES["meta"]["partner"] |= {"verify_token_from": "RELANCE_META_VERIFY", "access_token_from": "RELANCE_META_ACCESS"}
OF_INGEST = f"""
headers = {{ Authorization = "Bearer {KEYS["website"]}" }}
warnings = false

[[operations]]
include-path-regex = "^/v1/quarantine"
headers = {{ Authorization = "Bearer {OPERATOR_TOKEN}" }}

# Nor which addresses and numbers exist.
[[operations]]
include-path-regex = "^/v1/(erasures|exports)"
headers = {{ Authorization = "Bearer {OPERATOR_TOKEN}" }}
checks.positive_data_acceptance.expected-statuses = [200, 202, 404, 422]

# JSON Schema cannot say which numbers can be dialled from a country, nor what a source's form calls its fields.
[[operations]]
include-path-regex = "^/v1/(leads|calls)$"
checks.positive_data_acceptance.expected-statuses = [202, 422]

[[operations]]
include-path-regex = "^/v1/forms/"
parameters = {{ "path.source" = "website" }}
headers = {{ Origin = "https://www.example.com" }}
checks.positive_data_acceptance.expected-statuses = [202, 204, 200, 422]

[[operations]]
include-path-regex = "^/v1/partners/"
parameters = {{ "path.source" = "meta", "query.hub.mode" = "subscribe", "query.hub.verify_token" = "verify" }}
checks.positive_data_acceptance.expected-statuses = [200, 422]
"""

OF_ROUTER = f"""
headers = {{ Authorization = "Bearer {OPERATOR_TOKEN}" }}
warnings = false

[[operations]]
include-path-regex = "^/a/"
parameters = {{ "path.token" = "ANSWER_TOKEN" }}
checks.positive_data_acceptance.expected-statuses = [200, 303, 409, 410, 422]

[[operations]]
include-path-regex = "^/v1/assignments/"
headers = {{ Authorization = "Bearer ANSWER_TOKEN" }}
parameters = {{ "path.assignment_id" = "ASSIGNMENT" }}
checks.positive_data_acceptance.expected-statuses = [200, 409, 422]

[[operations]]
include-path-regex = "^/v1/leads/.lead_id./(explanation|interventions)$"
parameters = {{ "path.lead_id" = "LEAD" }}

# JSON Schema cannot say what a routing.yaml must be, how long a text means, who works here, nor which reason fits.
[[operations]]
include-path-regex = "^/v1/configurations$|/(extend|hold|reassign)$"
checks.positive_data_acceptance.expected-statuses = [200, 201, 404, 409, 422]
"""
OF_SLA_MONITOR = f"""
headers = {{ Authorization = "Bearer {OPERATOR_TOKEN}" }}
# No link opens a board by chance.
warnings = false

[[operations]]
include-path-regex = "^/v1/leads/"
parameters = {{ "path.lead_id" = "LEAD" }}

# JSON Schema cannot say that one day comes after another, nor what a file of spend must be.
[[operations]]
include-path-regex = "^/v1/(scorecards|spend)"
checks.positive_data_acceptance.expected-statuses = [200, 204, 404, 422]
"""
CONFIGURATIONS = {INGEST: OF_INGEST, ROUTER: OF_ROUTER, SLA_MONITOR: OF_SLA_MONITOR}


async def test_every_service_answers_as_its_openapi_document_says(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """Whatever is sent, right or wrong, gets a status, a media type and a document that are declared."""
    databases = {service: f"{database}_{service}" for service in CONFIGURATIONS}
    for name in databases.values():
        await real_parts[0].create_database(name, template=database)
    # At the same time, each in a system of its own: who asks waits for who answers, and half of the machine would idle.
    said = await asyncio.gather(
        *(against_its_document(real_parts, name, tmp_path, service) for service, name in databases.items())
    )
    assert [each for each in said if each] == []


async def against_its_document(
    real_parts: tuple[DatabaseServer, Broker], database: str, folder: Path, service: str
) -> str | None:
    """What Schemathesis finds wrong with a service."""
    environment = {
        **{sample.kind.upper(): sample.secret for sample in PARTNERS.values()},
        "META_VERIFY": "verify",
        "META_ACCESS": "access",
        "META_GRAPH_URL": f"http://127.0.0.1:{free_port()}",
        "DEMO_PAGE": "true",
    }
    own = folder / service
    own.mkdir()
    async with running_system(
        real_parts, database, own, services=[*{INGEST, ROUTER, service}], sources=SOURCES, environment=environment
    ) as system:
        faults = await _faults(system, service, own)
        if service == INGEST:
            leads = await system.rows("SELECT DISTINCT source FROM ingest.leads", role="ingest")
            kinds = PARTNERS.keys() - {"meta", "standard_webhooks"}
            assert {lead["source"] for lead in leads} >= kinds, "what is made up comes no further than the signature"
        return faults


async def _faults(system: System, service: str, own: Path) -> str | None:
    told = await system.told(await system.post_lead())
    known = {
        "LEAD": told.data["lead"]["lead_id"],
        "ASSIGNMENT": told.data["assignment_id"],
        "ANSWER_TOKEN": told.data["answer"]["token"],
    }
    configuration = own / "schemathesis.toml"
    text = CONFIGURATIONS[service]
    for name, value in known.items():
        text = text.replace(name, value)
    configuration.write_text(text)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        "--no-color",
        *("--config-file", configuration, "run", system.url(service, "/openapi.json")),
        # The same requests every time: a change that breaks nothing must not fail for bad luck.
        "--generation-deterministic",
        *("--max-examples", "50", "--phases", "examples,coverage,fuzzing", "--continue-on-failure"),
        # Nor for being slow, or for values that are hard to think of.
        *("--suppress-health-check", "all"),
        # A stream of events has no end to be held against anything.
        *("--exclude-path", STREAM),
        cwd=own,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "SCHEMATHESIS_HOOKS": "tests.partner_hooks"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode() if process.returncode else None
