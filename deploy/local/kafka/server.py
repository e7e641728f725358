"""One broker that is its own controller; it makes no topic that nobody declared."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.failure import LocalStackError
from deploy.local.folders import cache_folder, locked
from deploy.local.kafka.jars import java_command, kafka_version
from deploy.local.ports import HOST
from deploy.local.processes import Process, recall, remember, start_process

_READY_WITHIN = 90.0
_RECORD = "process.json"
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes=4194304
replica.fetch.max.bytes=4194304
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
"""


@dataclass(frozen=True)
class Kafka:
    """A running broker: its process and the port of its plain listener."""

    process: Process
    port: int

    @property
    def bootstrap(self) -> str:
        """Its address as clients take it: `host:port`."""
        return f"{HOST}:{self.port}"

    async def stop(self) -> None:
        """Stop the broker and wait until its logs are closed."""
        await self.process.stop(signal.SIGTERM, within=30.0)


async def start(folder: Path, port: int, controller_port: int, log: Path, heap: str = "768m") -> Kafka:
    """Start Kafka on the data in `folder`, formatted first where it is empty; returns when it can be used."""
    await _end_leftover(folder)
    settings = await asyncio.to_thread(_prepare, folder, port, controller_port)
    command = await asyncio.to_thread(java_command, heap, "-Xms256m", "-XX:+UseSerialGC")
    process = start_process("Kafka", [*command, "kafka.Kafka", settings], log)
    remember(process, folder / _RECORD)
    kafka = Kafka(process, port)
    async with contextlib.AsyncExitStack() as undo:
        undo.push_async_callback(kafka.stop)
        await _until_it_answers(kafka)
        undo.pop_all()
    return kafka


async def forget(folder: Path) -> None:
    """Delete the data, after ending a broker that still runs on it."""
    await _end_leftover(folder)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def leftover(folder: Path) -> Process | None:
    """The broker that an earlier run started on the data in `folder`, if it still runs."""
    return recall(folder / _RECORD)


async def _end_leftover(folder: Path) -> None:
    running = leftover(folder)
    if running is not None:
        await running.stop(signal.SIGTERM, within=30.0)


def _prepare(folder: Path, port: int, controller_port: int) -> Path:
    data = folder.absolute() / "data"
    if not (data / "meta.properties").exists():
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(_formatted(), data)
    settings = folder.absolute() / "server.properties"
    settings.write_text(SETTINGS.format(host=HOST, port=port, controller_port=controller_port, data=data))
    return settings


def _formatted() -> Path:
    """A formatted storage folder that no broker ever ran on, made once per version and copied for every use."""
    cache = cache_folder()
    made = cache / f"kafka-{kafka_version()}" / "formatted"
    java = java_command("256m")
    with locked(cache / "kafka-format.lock"):
        if made.exists():
            return made
        half = made.with_name("formatted.half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        settings = made.with_name("format.properties")
        settings.write_text(SETTINGS.format(host=HOST, port=9092, controller_port=9093, data=half))
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", settings]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-600:]
            raise LocalStackError(f"Kafka's storage could not be formatted: {said}")
        half.rename(made)
    return made


async def _until_it_answers(kafka: Kafka) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while not (kafka.process.listens_on(kafka.port) and await _answers(kafka)):
        if not kafka.process.alive():
            raise kafka.process.ended_early()
        if time.monotonic() > deadline:
            raise LocalStackError(f"Kafka did not answer within {_READY_WITHIN:.0f} s; its log: {kafka.process.log}")
        await asyncio.sleep(0.05)


async def _answers(kafka: Kafka) -> bool:
    """Whether the broker is open and has told its own controller that it may be used."""
    try:
        _, writer = await asyncio.open_connection(HOST, kafka.port)
    except OSError:
        return False
    writer.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except KafkaError:
        return False
    finally:
        await admin.close()
