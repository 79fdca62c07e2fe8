"""`relance-ingest encrypt`: stores all personal data as RELANCE_PERSONAL_DATA_KEYS says now."""

import asyncio
from collections.abc import Callable

import typer
from rich.console import Console
from rich.progress import Progress

from relance.command_line import load_settings
from relance.database import Database
from relance.personal_data import CannotOpen, PersonalData
from relance.resealing import SealedColumn, count, reseal
from relance_ingest.acceptance.naming import name_all
from relance_ingest.settings import IngestSettings

COLUMNS = (
    SealedColumn("leads", "data", "jsonb"),
    SealedColumn("quarantine_decisions", "reason", "text", key_type="bigint"),
    SealedColumn("erasures", "reason", "text"),
)


def encrypt_command(schema: str) -> Callable[[], None]:
    """The command."""

    def encrypt() -> None:
        """Seal what is stored with the first of RELANCE_PERSONAL_DATA_KEYS, or open it when that one is empty.

        It may be interrupted and run again, while the service runs.
        """
        settings = load_settings(IngestSettings)
        try:
            stored_anew = asyncio.run(_encrypt(settings, schema))
        except CannotOpen as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        typer.echo(f"Stored anew: {stored_anew}.")

    return encrypt


async def _encrypt(settings: IngestSettings, schema: str) -> int:
    personal_data = PersonalData(settings.personal_data_keys)
    database = Database.of(settings, schema, personal_data)
    stored_anew = 0
    try:
        await name_all(database)
        with Progress(console=Console(stderr=True)) as progress:
            for column in COLUMNS:
                task = progress.add_task(f"{column.table}.{column.name}", total=await count(database, column))
                async for looked_at, changed in reseal(database, column, personal_data):
                    progress.advance(task, looked_at)
                    stored_anew += changed
    finally:
        await database.close()
    return stored_anew
