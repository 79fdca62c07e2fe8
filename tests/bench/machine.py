"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

from relance_local.broker import kafka_version


def machine(postgresql: str, parts: str = "router, PostgreSQL, Kafka and the sink") -> dict[str, str]:
    """The machine, which `parts` share, and the versions that matter; nothing that names it."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores for everything: {parts}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.1f} processes (one minute)",
        "Python": platform.python_version(),
        "PostgreSQL": f"{postgresql}, as installed: fsync and synchronous commit on; commit times kept",
        "Kafka": f"{kafka_version()}, aiokafka {version('aiokafka')}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
