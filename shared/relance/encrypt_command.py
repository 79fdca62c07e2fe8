"""The command `encrypt` of a service that holds personal data: it stores all of it as its keys say now."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import typer
from rich.console import Console
from rich.progress import Progress

from relance.command_line import load_settings
from relance.database import Database
from relance.personal_data import CannotOpen, PersonalData, PersonalDataSettings
from relance.resealing import SealedColumn, count, reseal

Before = Callable[[Database], Awaitable[None]]


def encrypt_command(
    kind: type[PersonalDataSettings], schema: str, columns: Sequence[SealedColumn], before: Before
) -> Callable[[], None]:
    """The command; `before` is done first, while what is stored can still be looked into."""

    def encrypt() -> None:
        """Seal what is stored with the first of RELANCE_PERSONAL_DATA_KEYS, or open it when that one is empty.

        It may be interrupted and run again, while the service runs.
        """
        settings = load_settings(kind)
        try:
            stored_anew = asyncio.run(_encrypt(settings, schema, columns, before))
        except CannotOpen as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        typer.echo(f"Stored anew: {stored_anew}.")

    return encrypt


async def _encrypt(settings: PersonalDataSettings, schema: str, columns: Sequence[SealedColumn], before: Before) -> int:
    personal_data = PersonalData(settings.personal_data_keys)
    database = Database.of(settings, schema, personal_data)
    stored_anew = 0
    try:
        await before(database)
        with Progress(console=Console(stderr=True)) as progress:
            for column in columns:
                task = progress.add_task(f"{column.table}.{column.name}", total=await count(database, column))
                async for looked_at, changed in reseal(database, column, personal_data):
                    progress.advance(task, looked_at)
                    stored_anew += changed
    finally:
        await database.close()
    return stored_anew
