"""Promises of docker-compose.yml, as far as they can be kept without a container engine."""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.prometheus import dashboards, panels

from relance.settings import ServiceSettings
from relance_ingest.settings import IngestSettings
from relance_router.settings import RouterSettings
from relance_sla_monitor.settings import SlaMonitorSettings

ROOT = Path(__file__).parents[2]
SETTINGS: dict[str, type[ServiceSettings]] = {
    "ingest": IngestSettings,
    "router": RouterSettings,
    "sla-monitor": SlaMonitorSettings,
}
# Read by commands, beside the settings.
OF_COMMANDS = {"RELANCE_ROUTER_URL", "RELANCE_SLA_MONITOR_URL"}


def example_environment() -> dict[str, str]:
    """What example.env asks for, filled in."""
    lines = (ROOT / "deploy/containers/example.env").read_text().splitlines()
    names = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value or "s" * 48 for name, value in names.items()}


async def resolved(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What docker-compose makes of the file: checked against the schema, variables put in."""
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is missing: install it with `apt-get install docker-compose`")
    with tempfile.NamedTemporaryFile() as empty:  # in the place of the .env that somebody may have here
        return await asyncio.to_thread(
            subprocess.run,
            [command, "--env-file", empty.name, "--file", str(ROOT / "docker-compose.yml"), "config"],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **environment},
        )


async def test_the_compose_file_is_valid_and_asks_for_every_secret() -> None:
    """Right with example.env filled in; refused, with a sentence, when one is missing."""
    environment = example_environment()
    done = await resolved(environment)
    assert done.returncode == 0, done.stderr
    for name in environment:
        missing = await resolved({key: value for key, value in environment.items() if key != name})
        assert missing.returncode
        assert "set it in .env" in missing.stderr


async def test_services_are_told_what_their_settings_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each service's environment in the compose file makes valid settings, without a misspelt one."""
    services: dict[str, Any] = yaml.safe_load((await resolved(example_environment())).stdout)["services"]
    for name, kind in SETTINGS.items():
        given = {key: each for key, each in services[name]["environment"].items() if key not in OF_COMMANDS}
        assert {key.removeprefix("RELANCE_").lower() for key in given} <= kind.model_fields.keys()
        environment = {key: str(value) for key, value in given.items() if value is not None}
        with monkeypatch.context() as patched:
            for key, value in environment.items():
                patched.setenv(key, value)
            assert kind().kafka_bootstrap_servers == "kafka:9092"
        assert services[f"{name}-migrate"]["environment"] == services[name]["environment"]


def test_relance_in_the_routers_container_needs_no_options() -> None:
    """`docker compose exec router relance history` finds the program, the router and the token."""
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["router"]
    image = (ROOT / "deploy/containers/Dockerfile").read_text()
    assert "PATH=/relance/bin:$PATH" in image
    assert re.findall(r"RELANCE_URL=(\S+)", image) == [
        f"http://127.0.0.1:{RouterSettings.model_fields['http_port'].default}"
    ]
    assert service["environment"]["RELANCE_OPERATOR_TOKEN"]


async def test_export_in_ingests_container_needs_no_options() -> None:
    """`docker compose exec ingest relance-ingest person export` finds the router and the SLA monitor."""
    service = yaml.safe_load((await resolved(example_environment())).stdout)["services"]["ingest"]
    assert {name: service["environment"].get(name) for name in OF_COMMANDS} == {
        "RELANCE_ROUTER_URL": f"http://router:{RouterSettings.model_fields['http_port'].default}",
        "RELANCE_SLA_MONITOR_URL": f"http://sla-monitor:{SlaMonitorSettings.model_fields['http_port'].default}",
    }


def test_replicas_have_ports_of_their_own() -> None:
    """With a range in .env, `--scale` finds a free one for each; without, the ports are those of the README."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert services["ingest"]["ports"] == ["${INGEST_PORTS:-8080}:8080"]
    assert services["router"]["ports"] == ["${ROUTER_PORTS:-8081}:8080"]
    assert services["sla-monitor"]["ports"] == ["${SLA_MONITOR_PORTS:-8082}:8080"]


def test_asking_kafka_for_its_health_starts_no_jvm() -> None:
    """On a busy machine it would not answer in time, and `up` and `run` would refuse to start what waits for Kafka."""
    kafka = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["kafka"]
    port = kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"].rpartition(":")[2]
    assert kafka["healthcheck"]["test"] == ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]


def test_the_filled_in_env_file_is_not_for_git() -> None:
    """It holds every secret."""
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_file_that_the_compose_file_mounts_is_there() -> None:
    """A missing one would silently become an empty folder."""
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    sources = [mount.split(":")[0] for each in services.values() for mount in each.get("volumes", [])]
    mounted = [source for source in sources if source.startswith(".")]
    assert mounted
    assert [source for source in mounted if not (ROOT / source).exists()] == []


def test_grafana_is_given_the_data_sources_that_panels_ask() -> None:
    """By their uid; read-only, as the role `reporting`."""
    given = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/relance.yaml").read_text())["datasources"]
    asked = {
        (panel["datasource"]["type"], panel["datasource"]["uid"])
        for dashboard in dashboards().values()
        for panel in panels(dashboard)
    }
    assert asked == {(source["type"], source["uid"]) for source in given}
    assert [source["user"] for source in given if "user" in source] == ["reporting"]
