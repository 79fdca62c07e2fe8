"""PostgreSQL: one engine per process, one place that opens and commits transactions."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from relance.personal_data import PersonalData
from relance.settings import AsyncpgUrl, ServiceSettings

STANDS_STILL = timedelta(seconds=20)
"""A process that says nothing for so long is taken for one that is frozen or gone: what it holds is for others."""

_AFTER_COMMIT = "relance.after_commit"
_PERSONAL_DATA = "relance.personal_data"
_END_WHEN_IDLE = text("SELECT set_config('idle_session_timeout', :limit, false)")


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
                    # Work waits for a lock no longer than for a statement; a forgotten transaction holds none for
                    # ever, nor does one whose answer nobody reads.
                    "lock_timeout": _milliseconds(timeout),
                    "idle_in_transaction_session_timeout": _milliseconds(STANDS_STILL),
                    "tcp_user_timeout": _milliseconds(STANDS_STILL),
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
    async def session(self, idle_limit: timedelta = STANDS_STILL) -> AsyncIterator[AsyncConnection]:
        """A connection of one's own, for what a session holds beyond transactions: advisory locks, listeners, settings.

        All that ends with the block, and when this process says nothing for `idle_limit`: PostgreSQL ends the session.
        """
        async with self.engine.connect() as connection:
            await connection.execute(_END_WHEN_IDLE, {"limit": _milliseconds(idle_limit)})
            await connection.commit()
            try:
                yield connection
            finally:
                # Closed, not given back: the pool would hand what it holds to its next user.
                await connection.invalidate()

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


def _milliseconds(duration: timedelta) -> str:
    return f"{duration // timedelta(milliseconds=1)}ms"


async def _raw(connection: AsyncConnection) -> asyncpg.Connection:
    raw = (await connection.get_raw_connection()).driver_connection
    if not isinstance(raw, asyncpg.Connection):
        raise TypeError(f"asyncpg is needed, not {type(raw)}")
    return raw
