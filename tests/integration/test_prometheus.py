"""Promises of what Prometheus and Alertmanager are given, checked by their own tools."""

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.prometheus import (
    ALERTMANAGER,
    ROOT,
    RULES,
    dashboards,
    installed,
    panels,
    running_alertmanager,
    running_prometheus,
)

ALERTS = [Path(__file__).with_name(name) for name in ("alerts.yml", "alerts_of_days.yml")]


async def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of Prometheus's tools, to its end."""
    return await asyncio.to_thread(
        subprocess.run, [installed(program), *arguments], capture_output=True, text=True, check=False
    )


def rules() -> list[dict[str, Any]]:
    """All that is recorded or alerted on."""
    return [
        rule
        for file in RULES.glob("*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert, by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


async def test_the_configurations_are_valid() -> None:
    """Rules included."""
    prometheus = await run("promtool", "check", "config", str(ROOT / "deploy/prometheus/prometheus.yml"))
    assert prometheus.returncode == 0, prometheus.stdout + prometheus.stderr
    assert "3 rule files found" in prometheus.stdout
    alertmanager = await run("amtool", "check-config", str(ALERTMANAGER))
    assert alertmanager.returncode == 0, alertmanager.stdout + alertmanager.stderr


async def test_alerts_fire_when_they_should_and_only_then() -> None:
    """alerts.yml and alerts_of_days.yml say when."""
    done = await run("promtool", "test", "rules", *map(str, ALERTS))
    assert done.returncode == 0, done.stdout + done.stderr


async def test_an_alert_arrives_with_what_to_do_and_so_does_its_end(tmp_path: Path) -> None:
    """From a service's metric by our rules through Alertmanager, with our configuration, to whoever is told."""
    halted = 1
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=f'relance_consumer_halted{{consumer="router"}} {halted}\n')

    async def receive(request: web.Request) -> web.Response:
        told.put_nowait(await request.json())
        return web.Response()

    service = web.Application()
    service.add_routes([web.get("/metrics", metrics), web.post("/told", receive)])
    async with (
        aiohttp.ClientSession() as http,
        TestServer(service) as server,
        running_alertmanager(tmp_path, str(server.make_url("/told")), http) as alertmanager,
        running_prometheus(tmp_path, {"router": f"{server.host}:{server.port}"}, http, alertmanager=alertmanager),
    ):
        async with asyncio.timeout(30):
            begun = await told.get()
            halted = 0
            while (ended := await told.get())["status"] != "resolved":
                pass
    (alert,) = begun["alerts"]
    assert alert["labels"] == {"alertname": "ConsumerHalted", "consumer": "router", "severity": "page"}
    assert alert["annotations"]["summary"] == "router has stopped"
    assert "router.dlq" in alert["annotations"]["action"]
    assert [each["labels"] for each in ended["alerts"]] == [alert["labels"]]


async def test_who_has_leads_that_nobody_has_sees_no_zero_beside_them(tmp_path: Path) -> None:
    """A zero stands alone, when there are none."""
    (asked,) = [
        target["expr"]
        for panel in panels(dashboards()["relance-overview.json"])
        if panel["title"] == "Nobody has them"
        for target in panel["targets"]
    ]
    waiting = {"series": 'relance_router_unrouted_leads{reason="closed", instance="a"}', "values": "0x5 3x5"}
    cases = [("2m", "{}", 0), ("8m", '{reason="closed"}', 3)]
    expected = [
        {"expr": asked, "eval_time": at, "exp_samples": [{"labels": labels, "value": value}]}
        for at, labels, value in cases
    ]
    file = tmp_path / "panel.yml"
    case = {"interval": "1m", "input_series": [waiting], "promql_expr_test": expected}
    file.write_text(yaml.safe_dump({"rule_files": [], "tests": [case]}))
    done = await run("promtool", "test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_and_says_what_is_wrong_and_what_to_do() -> None:
    """Whoever is woken reads these three sentences."""
    tested = "".join(file.read_text() for file in ALERTS)
    found = alerts()
    assert found
    for name, alert in found.items():
        assert alert["annotations"].keys() == {"summary", "description", "action"}
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert re.search(rf'alertname: {name}\n\s+eval_time: .*\n\s+exp_alerts:\n|alertname="{name}"', tested), name


def test_inhibitions_name_alerts_that_there_are() -> None:
    """A misspelt one inhibits nothing."""
    configuration = yaml.safe_load(ALERTMANAGER.read_text())
    named = {
        name
        for rule in configuration["inhibit_rules"]
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]
        for name in re.findall(r"[A-Z]\w+", matcher)
    }
    assert named
    assert named <= alerts().keys()


def test_every_metric_that_is_asked_for_is_one_that_a_service_has() -> None:
    """Or that a rule records. A misspelt one is an empty panel, or an alert that never comes."""
    expressions = [
        target["expr"]
        for dashboard in dashboards().values()
        for panel in panels(dashboard)
        for target in panel["targets"]
        if "expr" in target
    ]
    expressions += [
        variable["query"] for dashboard in dashboards().values() for variable in dashboard["templating"]["list"]
    ]
    expressions += [rule["expr"] for rule in rules()]
    asked = {
        re.sub(r"_(total|bucket|sum|count)$", "", name)
        for expression in expressions
        for name in re.findall(r"(?<![:\w])relance_\w+(?![:\w])", expression)
    }
    folders = [ROOT / "shared", *(ROOT / "services" / name for name in ("ingest", "router", "sla-monitor"))]
    code = "\n".join(file.read_text() for folder in folders for file in folder.rglob("*.py"))
    had = {re.sub(r"_total$", "", name) for name in re.findall(r'"(relance_\w+)"', code)}
    assert asked
    assert asked <= had
    recorded = {name for expression in expressions for name in re.findall(r"\w+:[\w:]+", expression)}
    assert recorded <= {rule["record"] for rule in rules() if "record" in rule}
