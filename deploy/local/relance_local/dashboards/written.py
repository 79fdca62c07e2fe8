"""Every dashboard, as the text of the file that Grafana is given."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from relance_local.dashboards import marketing, operations, overview, team

FOLDER = Path(__file__).parents[3] / "grafana" / "dashboards"


def written() -> dict[str, str]:
    """File name to text; the same text every time."""
    boards = (overview.dashboard(), team.dashboard(), marketing.dashboard(), operations.dashboard())
    return {
        f"{board.uid}.json": json.dumps(board, cls=JSONEncoder, sort_keys=True, indent=1) + "\n" for board in boards
    }
