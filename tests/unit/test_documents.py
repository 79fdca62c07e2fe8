"""Promises of what is written beside the code."""

import json
import re
import tomllib
from pathlib import Path

from relance_local.broker import kafka_version
from relance_local.dashboards.written import FOLDER, written
from relance_local.settings_page import PAGE, settings_page

ROOT = Path(__file__).parents[2]
SERVICES = {"ingest": "relance-ingest", "router": "relance-router", "sla-monitor": "relance-sla-monitor"}


def pinned(lock: Path) -> dict[str, str]:
    """Package to version, of a requirements lock."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ \\]+)", lock.read_text(), re.MULTILINE))


def test_every_setting_is_documented() -> None:
    """`python -m relance_local.settings_page` writes the page."""
    assert PAGE.read_text() == settings_page()


def test_containers_and_local_runs_have_the_same_kafka() -> None:
    """What is tested is what is shipped."""
    assert f"image: apache/kafka:{kafka_version()}\n" in (ROOT / "docker-compose.yml").read_text()


def test_every_lock_has_hashes_and_no_addresses_and_agrees_with_the_whole() -> None:
    """One resolution, exported for developers and once per image."""
    whole = pinned(ROOT / "requirements.lock")
    locks = [ROOT / "requirements.lock", *sorted((ROOT / "deploy/containers/locks").glob("*.lock"))]
    assert {lock.stem for lock in locks} == {"requirements", "build", *SERVICES}
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text
        assert "--index" not in text
        packages = pinned(lock)
        assert packages
        assert text.count("--hash=sha256:") >= len(packages)
        assert packages.items() <= whole.items()


def test_every_dependency_of_a_service_is_in_its_images_lock() -> None:
    """An image installs without resolving anything."""
    for service in SERVICES:
        packages = pinned(ROOT / f"deploy/containers/locks/{service}.lock")
        for folder in (f"services/{service}", "shared"):
            project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
            names = {re.split(r"[\[<>=]", name)[0].lower() for name in project["dependencies"]} - {"relance"}
            assert names <= packages.keys(), (service, names - packages.keys())
        assert "pytest" not in packages


def test_dashboards_are_as_they_were_generated() -> None:
    """`python -m relance_local.dashboards` writes them."""
    assert {file.name: file.read_text() for file in FOLDER.glob("*.json")} == written()


def test_every_panel_says_what_it_shows() -> None:
    """A manager reads the description, not the query."""
    for dashboard in map(json.loads, written().values()):
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
        for panel in dashboard["panels"]:
            assert panel["title"]
            if panel["type"] != "row":
                assert panel["description"]
                assert all(target.get("expr") or target.get("rawSql") for target in panel["targets"])


def test_no_panel_shows_who_somebody_is() -> None:
    """Reps and leads have no names on dashboards (invariant 7)."""
    for text in written().values():
        queries = " ".join(re.findall(r'"(?:rawSql|expr)": "(.*)"', text))
        assert queries
        assert not re.search(r"\b(rep|contact|email|phone|name|endpoint)\b|\*\s+FROM", queries)
