"""PostgreSQL: one engine per process, one place that opens and commits transactions."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from relance.personal_data import PersonalData
from relance.settings import AsyncpgUrl, ServiceSettings

_AFTER_COMMIT = "relance.after_commit"
_PERSONAL_DATA = "relance.personal_data"


def after_commit(connection: AsyncConnection, call: Callable[[], None]) -> None:
    """Have `call` made once the transaction is committed, and not at all when it is rolled back: to count, for one."""
    connection.info[_AFTER_COMMIT].append(call)


def sealed(connection: AsyncConnection) -> PersonalData:
    """Seals what is written into columns of personal data, and opens text; jsonb is opened as it is read."""
    found: PersonalData = connection.info[_PERSONAL_DATA]
    return found


class Database:
    """The service's own schema, reached by the service's own role."""

    def __init__(
        self,
        url: AsyncpgUrl,
        *,
        schema: str,
        pool_size: int,
        timeout: timedelta,
        personal_data: PersonalData | None = None,
    ) -> None:
        """`timeout` bounds the wait for a connection, for the connect itself, and for each statement.

        `personal_data` opens what is read from jsonb columns; `sealed` seals what is written.
        """
        seconds = timeout.total_seconds()
        self.schema = schema
        self.personal_data = personal_data or PersonalData()
        self.engine: AsyncEngine = create_async_engine(
            str(url),
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=seconds,
            pool_use_lifo=True,
            json_deserializer=self.personal_data.open_json,
            connect_args={
                "timeout": seconds,
                "command_timeout": seconds,
                "server_settings": {
                    "application_name": f"relance-{schema}",
                    "search_path": schema,
                    "timezone": "UTC",
                    # Work waits for a lock no longer than for a statement; a forgotten transaction holds none for ever.
                    "lock_timeout": f"{int(seconds * 1000)}ms",
                    "idle_in_transaction_session_timeout": f"{int(seconds * 4000)}ms",
                },
            },
        )

    @classmethod
    def of(cls, settings: ServiceSettings, schema: str, personal_data: PersonalData | None = None) -> "Database":
        """As the settings say."""
        return cls(
            settings.database_url,
            schema=schema,
            pool_size=settings.database_pool_size,
            timeout=settings.database_timeout,
            personal_data=personal_data,
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One unit of work: committed when the block ends, rolled back when it raises."""
        after: list[Callable[[], None]] = []
        async with self.engine.begin() as connection:
            connection.info[_AFTER_COMMIT] = after
            connection.info[_PERSONAL_DATA] = self.personal_data
            yield connection
        for call in after:
            call()

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[asyncpg.Connection]:
        """The asyncpg connection under SQLAlchemy, for hot paths: each statement is a transaction of its own."""
        async with self.engine.connect() as connection:
            raw = await _raw(connection)
            while raw.is_closed():  # it noticed that PostgreSQL went away while it was in the pool
                await connection.invalidate()
                raw = await _raw(connection)
            try:
                yield raw
            finally:
                if raw.is_closed():
                    await connection.invalidate()

    async def ping(self) -> None:
        """Raises whatever stands between this process and its database."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give every connection back."""
        await self.engine.dispose()


async def _raw(connection: AsyncConnection) -> asyncpg.Connection:
    raw = (await connection.get_raw_connection()).driver_connection
    if not isinstance(raw, asyncpg.Connection):
        raise TypeError(f"asyncpg is needed, not {type(raw)}")
    return raw
