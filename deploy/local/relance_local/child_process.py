"""A process that we started: stopped by its id, and gone when we are gone."""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypedDict

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class ProcessDied(RuntimeError):
    """A process ended that should not have; the message holds the end of its log."""


def _die_with_parent() -> None:
    # Runs in the child between fork and exec. Nothing is left behind, not even when the parent is killed.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Identity(TypedDict, total=False):
    """Who a child runs as, in subprocess's words."""

    user: str
    group: str
    extra_groups: list[str]


def as_user(user: str | None) -> Identity:
    """Run as a user with its own group only; as ourselves when None."""
    return Identity(user=user, group=user, extra_groups=[]) if user else Identity()


class ChildProcess:
    """A running child. It has a session of its own, so that Ctrl-C reaches only us, who stop children in order."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start it. `user` is whom to run it as, when we are root; output goes to the end of `log`."""
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                **as_user(user),
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no locks
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def must_run(self) -> None:
        """Make sure that it runs.

        Raises:
            ProcessDied: with the end of its log.
        """
        if not self.is_running:
            raise ProcessDied(f"{self.name} ended with status {self.exit_code}. The end of {self.log}:\n{self.tail()}")

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.is_running:
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it ends by itself; returns its exit status."""
        return await asyncio.to_thread(self._process.wait)

    def kill(self) -> None:
        """End it at once, as a crash would, and wait for its end."""
        self.send(signal.SIGKILL)
        self._process.wait()

    async def stop(self, *, patience: timedelta = timedelta(seconds=30), by: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, wait, and kill it when patience is over. Returns its exit status."""
        self.send(by)
        try:
            return await asyncio.to_thread(self._process.wait, patience.total_seconds())
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode
