"""One Apache Kafka broker (KRaft, without containers), its jars fetched by Maven."""

import asyncio
import base64
import shutil
import signal
import subprocess
import tempfile
import uuid
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from relance_local.child_process import ChildProcess
from relance_local.conditions import free_port, wait_until

_FOLDER = Path(__file__).parents[1]
_POM = _FOLDER / "pom.xml"
_START_LIMIT = timedelta(seconds=90)

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
offsets.retention.minutes=525600
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# A broker that was killed is let back in once its old session is over.
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
"""


class KafkaNotFetched(RuntimeError):
    """Maven could not fetch Kafka; says what Maven said."""


def kafka_version() -> str:
    """The version that pom.xml names."""
    found = ElementTree.parse(_POM).find(".//{*}kafka.version")  # noqa: S314 - our own file
    if found is None or not found.text:
        raise KafkaNotFetched(f"{_POM} names no kafka.version.")
    return found.text


def fetch_kafka(cache: Path) -> Path:
    """The folder of Kafka's jars below `cache`, fetched by Maven when it is not there yet.

    Raises:
        KafkaNotFetched: Maven failed.
    """
    jars = cache / f"kafka-{kafka_version()}"
    if jars.is_dir():
        return jars
    cache.mkdir(parents=True, exist_ok=True)
    fetched = Path(tempfile.mkdtemp(prefix="fetching-", dir=cache))
    command = [
        "mvn", "--quiet", "--batch-mode", "--file", str(_POM),
        "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(fetched)
        raise KafkaNotFetched(f"`{' '.join(command)}` failed:\n{(done.stdout + done.stderr)[-2000:]}")
    try:
        # Into place at once: another process that fetches at the same time finds all of it or nothing.
        fetched.rename(jars)
    except OSError:
        if not jars.is_dir():
            raise
        shutil.rmtree(fetched)
    return jars


class Broker:
    """A broker with its data in a folder. Start it, and start it again on the same port after `kill` or `stop`."""

    def __init__(self, folder: Path, jars: Path) -> None:
        self._folder = folder
        self._jars = jars
        self._port = free_port()
        self._process: ChildProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self._port}"

    @property
    def process(self) -> ChildProcess:
        """The broker's process."""
        if self._process is None:
            raise RuntimeError("the broker was not started")
        return self._process

    async def start(self) -> None:
        """Start, and wait until it answers.

        Raises:
            ProcessDied: it ended by itself; with the end of its log.
            NotInTime: it did not answer.
        """
        properties = self._folder / "server.properties"
        self._folder.mkdir(parents=True, exist_ok=True)
        logs = self._folder / "logs"
        properties.write_text(_PROPERTIES.format(port=self._port, controller_port=free_port(), logs=logs))
        # Kafka writes this file last: without it a formatting was cut short, and is done again.
        if not (logs / "meta.properties").exists():
            await asyncio.to_thread(self._format, properties)
        process = self._process = ChildProcess(
            "Kafka", self._java("kafka.Kafka", str(properties)), log=self._folder / "kafka.log"
        )

        async def answers() -> bool:
            process.must_run()
            return await self._answers()

        await wait_until(answers, what="Kafka to answer", limit=_START_LIMIT)

    async def stop(self) -> None:
        """Stop in order."""
        if self._process:
            self._process.send(signal.SIGCONT)
            await self._process.stop()

    def _format(self, properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # One argument: an id may begin with a dash.
        arguments = ["format", f"--cluster-id={cluster}", "--config", str(properties)]
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", *arguments), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")

    def _java(self, *arguments: str) -> list[str]:
        # One core's worth of compiler and collector: on a small machine Kafka starts sooner so.
        options = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        logging = f"-Dlog4j2.configurationFile={_FOLDER / 'kafka-log4j2.properties'}"
        return ["java", *options, logging, "-cp", f"{self._jars}/*", *arguments]

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False  # not even listening: the client would log it as an error
        writer.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, request_timeout_ms=2000)
        try:
            await admin.start()
            await admin.list_topics()
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()
        return True
