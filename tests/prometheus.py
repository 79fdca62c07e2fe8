"""A real Prometheus beside the system under test, and Grafana's part: its variables and macros, filled in."""

import json
import math
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from relance_local.child_process import ChildProcess
from relance_local.conditions import free_port, wait_until

ROOT = Path(__file__).parents[1]
DASHBOARDS = ROOT / "deploy/grafana/dashboards"
RULES = ROOT / "deploy/prometheus/rules"
ALERTMANAGER = ROOT / "deploy/alertmanager/alertmanager.yml"
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "alertmanager": "prometheus-alertmanager",
}


def installed(program: str) -> str:
    """The path of one of Prometheus's programs; skips the test where it is missing."""
    # Debian calls Alertmanager itself as its package.
    found = shutil.which(program) or shutil.which(PACKAGES[program])
    if found is None:
        pytest.skip(f"{program} is missing: install it with `apt-get install {PACKAGES[program]}`")
    return found


class Prometheus:
    """A running server, asked by its HTTP API."""

    def __init__(self, address: str, http: aiohttp.ClientSession) -> None:
        self._url = f"http://{address}"
        self._http = http

    async def now(self, expression: str) -> list[float]:
        """The values of an instant query."""
        found = await self._asked("query", {"query": expression})
        return [float(series["value"][1]) for series in found["result"]]

    async def over_time(self, expression: str, ago: timedelta) -> list[float]:
        """All values of a range query that ends now."""
        now = datetime.now(UTC)
        given = {"query": expression, "start": (now - ago).timestamp(), "end": now.timestamp(), "step": "1s"}
        found = await self._asked("query_range", given)
        return [float(value) for series in found["result"] for _, value in series["values"]]

    async def choices(self, query: str) -> list[str]:
        """What Grafana offers for a variable with the query `label_values(metric, label)`."""
        metric, label = query.removeprefix("label_values(").removesuffix(")").split(", ")
        values: list[str] = await self._asked(f"label/{label}/values", {"match[]": metric})
        return values

    async def _asked(self, path: str, parameters: Mapping[str, Any]) -> Any:
        async with self._http.get(f"{self._url}/api/v1/{path}", params=parameters) as answer:
            body = await answer.json()
        assert body["status"] == "success", (parameters, body)
        return body["data"]


@asynccontextmanager
async def _running(
    program: str, folder: Path, configuration: Mapping[str, Any], http: aiohttp.ClientSession, *options: str
) -> AsyncIterator[str]:
    """One of Prometheus's servers; yields its host and port."""
    file = folder / f"{program}.yml"
    file.write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{free_port()}"
    process = ChildProcess(
        program,
        [installed(program), f"--config.file={file}", f"--web.listen-address={address}", *options],
        log=folder / f"{program}.log",
    )

    async def ready() -> bool:
        process.must_run()
        try:
            async with http.get(f"http://{address}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await wait_until(ready, what=f"{program} to answer")
        yield address
    finally:
        await process.stop()


@asynccontextmanager
async def running_alertmanager(folder: Path, receiver: str, http: aiohttp.ClientSession) -> AsyncIterator[str]:
    """Our configuration, without its patience, telling this address; yields its host and port."""
    configuration = yaml.safe_load(ALERTMANAGER.read_text())
    configuration["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    (webhook,) = configuration["receivers"][0]["webhook_configs"]
    webhook["url"] = receiver
    storage = f"--storage.path={folder / 'alertmanager'}"
    async with _running("alertmanager", folder, configuration, http, storage, "--cluster.listen-address=") as address:
        yield address


@asynccontextmanager
async def running_prometheus(
    folder: Path, targets: Mapping[str, str], http: aiohttp.ClientSession, *, alertmanager: str | None = None
) -> AsyncIterator[Prometheus]:
    """Our rules, evaluated as quickly as it scrapes. `targets` is host and port by job."""
    told = [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "*.yml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()
        ],
        "alerting": {"alertmanagers": told},
    }
    storage = f"--storage.tsdb.path={folder / 'prometheus'}"
    async with _running("prometheus", folder, configuration, http, storage) as address:
        yield Prometheus(address, http)


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard that Grafana is given, by file name."""
    return {file.name: json.loads(file.read_text()) for file in sorted(DASHBOARDS.glob("*.json"))}


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def filled_in(query: str, variables: Mapping[str, list[str]]) -> str:
    """PromQL as Grafana would send it."""
    query = query.replace("$__rate_interval", "5m").replace("$__range", "10m")
    for name, values in variables.items():
        query = query.replace(f"${name}", "|".join(values))
    assert "$" not in query
    return query


def expanded(sql: str, variables: Mapping[str, list[str]]) -> str:
    """SQL as Grafana would send it."""
    sql = re.sub(r"\$__timeFilter\((.*?)\)", r"\1 BETWEEN now() - interval '1 day' AND now()", sql)
    for name, values in variables.items():
        sql = sql.replace(f"${name}", ",".join(f"'{value}'" for value in values))
    assert "$" not in sql
    return sql


def any_finite(values: list[float]) -> bool:
    """Whether there is a number among them."""
    return any(math.isfinite(value) for value in values)
