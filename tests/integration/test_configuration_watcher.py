"""Promises of watching routing.yaml."""

from pathlib import Path

from tests.integration.conftest import OpenDatabase
from tests.system import Endpoints, routing

from relance_local.services import ROUTER
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.configuration.watcher import ConfigurationWatcher


async def test_a_file_that_was_away_for_a_moment_is_no_longer_refused(
    open_database: OpenDatabase, tmp_path: Path
) -> None:
    """Mounted files are swapped; the same content afterwards is no new version, and nothing to alarm about."""
    file = tmp_path / "routing.yaml"
    content = routing(Endpoints(), {"sales": ["anna"]})
    applied: list[str] = []
    watcher = ConfigurationWatcher(file, open_database(ROUTER), ConfigurationVersions(), lambda: applied.append("once"))
    file.write_text(content)
    await watcher.look()
    file.unlink()
    await watcher.look()
    assert "cannot be read" in str(watcher.refused)
    file.write_text(content)
    await watcher.look()
    assert watcher.refused is None
    assert applied == ["once"]
