"""Ingest that answers without storing anything: the same process, but for its acceptance.

Launches in place of a service's command: `ingest_without_storing.py COMMAND ARGUMENT…`, the command left unread.
"""

import sys
from typing import Any
from unittest.mock import patch

from typing_extensions import override

from relance import ids
from relance.ids import LeadId
from relance_ingest import main
from relance_ingest.acceptance import Acceptance, Accepted, NewLead


class NothingStored(Acceptance):
    """Says that it accepted."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    @override
    async def accept(self, lead: NewLead) -> Accepted:
        return Accepted(LeadId(ids.new_id()), repeated=False)

    @override
    async def drain(self) -> None:
        pass


if __name__ == "__main__":
    del sys.argv[1]
    with patch.object(main, "Acceptance", NothingStored):
        main.command_line()
