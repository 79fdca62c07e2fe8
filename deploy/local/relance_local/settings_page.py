"""Writes docs/settings.md from the services' settings: `python -m relance_local.settings_page`."""

from pathlib import Path

from pydantic_core import PydanticUndefined

from relance.settings import ServiceSettings
from relance_ingest.settings import IngestSettings
from relance_router.settings import RouterSettings
from relance_sla_monitor.settings import SlaMonitorSettings

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"

_HEAD = """\
# Settings

Environment variables, read once at start. Durations are ISO 8601 (`PT20S`) or a number of seconds. A wrong or missing
one stops the service with a sentence that names it. Written by `python -m relance_local.settings_page`.
"""


def settings_page() -> str:
    """The page's text."""
    sections = [_section("All services", ServiceSettings, set())]
    shared = set(ServiceSettings.model_fields)
    for name, kind in (("ingest", IngestSettings), ("router", RouterSettings), ("sla-monitor", SlaMonitorSettings)):
        sections.append(_section(name, kind, shared))
    return "\n".join([_HEAD, *sections])


def _section(title: str, kind: type[ServiceSettings], without: set[str]) -> str:
    lines = [f"## {title}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in kind.model_fields.items():
        if name in without:
            continue
        default = "required" if field.default is PydanticUndefined else f"`{_written(field.default)}`"
        # A bar ends a cell, in code too.
        meaning = (field.description or "").replace("|", r"\|")
        lines.append(f"| `RELANCE_{name.upper()}` | {default} | {meaning} |")
    return "\n".join([*lines, ""])


def _written(value: object) -> str:
    if hasattr(value, "total_seconds"):
        return f"{value.total_seconds():g} s"
    if value is None:
        return "none"
    return "[]" if value in (frozenset(), ()) else str(value)


if __name__ == "__main__":
    PAGE.write_text(settings_page())
