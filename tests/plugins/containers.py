"""The tests' servers as containers, made once per test session and removed at its end."""

import json
from pathlib import Path

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException, NotFound  # type: ignore[import-untyped]
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from deploy.local.folders import locked
from deploy.local.ports import HOST, take_port

POSTGRES_IMAGE = "postgres:17"
KAFKA_IMAGE = "apache/kafka:4.3.1"


def engine_answers() -> bool:
    """Whether a container engine is there and willing."""
    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


class ContainerServers:
    """The containers of one test session; `folder` is shared by all its worker processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def join(self) -> None:
        """Containers belong to one session: there is nobody to tell."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def leave(self) -> None:
        """Remove the containers that this session started."""
        client = docker.from_env()
        try:
            for record in self.folder.glob("*.json"):
                _remove(client, json.loads(record.read_text())["container"])
        finally:
            client.close()

    def postgres_url(self) -> str:
        """The address of PostgreSQL's own database; starts the container if no worker has."""
        return self._address_of("postgres")

    def kafka(self) -> str:
        """Kafka's address, `host:port`; starts the container if no worker has."""
        return self._address_of("kafka")

    def _address_of(self, name: str) -> str:
        record = self.folder / f"{name}.json"
        with locked(self.folder / f"{name}.lock"):
            if not record.exists():
                container, address = _start_postgres() if name == "postgres" else _start_kafka()
                record.write_text(json.dumps({"container": container, "address": address}))
            return str(json.loads(record.read_text())["address"])


def _remove(client: docker.DockerClient, container: str) -> None:
    try:
        client.containers.get(container).remove(force=True, v=True)
    except NotFound:
        return


def _start_postgres() -> tuple[str, str]:
    server = PostgresContainer(POSTGRES_IMAGE, driver=None).with_command("postgres -c max_connections=300")
    server.start()
    return server.get_wrapped_container().id, server.get_connection_url()


def _start_kafka() -> tuple[str, str]:
    port = take_port()
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_MESSAGE_MAX_BYTES": "4194304",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "8",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    broker = DockerContainer(KAFKA_IMAGE, env=settings).with_bind_ports(9092, port)
    broker.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(90))
    broker.start()
    return broker.get_wrapped_container().id, f"{HOST}:{port}"
