"""What we start belongs to us: it ends when we end, and only when we say so."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from relance_local.child_process import ChildProcess, ProcessDied
from relance_local.conditions import wait_until

IGNORES_SIGTERM = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
STARTS_A_CHILD = """
import signal, sys
from pathlib import Path
from relance_local.child_process import ChildProcess
print(ChildProcess("child", ["sleep", "600"], log=Path(sys.argv[1])).pid, flush=True)
signal.pause()
"""


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has ended too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Nobody is left to stop it, so the kernel does."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTS_A_CHILD, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    assert not is_gone(child)
    parent.kill()
    await parent.wait()
    await wait_until(lambda: is_gone(child), what="the child to die", limit=timedelta(seconds=5))


async def test_ctrl_c_in_our_terminal_does_not_reach_a_child(tmp_path: Path) -> None:
    """A terminal signals its session; children have their own, so that we can stop them in order."""
    child = ChildProcess("child", ["sleep", "600"], log=tmp_path / "log")
    try:
        assert os.getsid(child.pid) == child.pid != os.getsid(0)
    finally:
        child.kill()


async def test_a_child_that_ignores_the_request_to_stop_is_killed_when_patience_is_over(tmp_path: Path) -> None:
    """Stopping has a limit."""
    child = ChildProcess("child", ["sh", "-c", IGNORES_SIGTERM], log=tmp_path / "log")
    await wait_until(lambda: "ready" in child.tail(), what="the child to ignore SIGTERM")
    assert await child.stop(patience=timedelta(seconds=0.3)) == -signal.SIGKILL


async def test_a_child_that_died_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    """The person who reads the error need not look for the log."""
    child = ChildProcess("Kafka", ["sh", "-c", "echo the disk is full; exit 3"], log=tmp_path / "log")
    assert await child.ended() == 3
    with pytest.raises(ProcessDied, match=r"(?s)Kafka ended with status 3.*the disk is full"):
        child.must_run()
