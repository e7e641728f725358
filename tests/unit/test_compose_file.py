"""docker-compose.yml says the same as the local stack: a service that runs in the one runs in the other as it is."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import postgres
from deploy.local.demo.connect import KINDS
from deploy.local.demo.system import PORTS, World, settings_of
from deploy.local.kafka import server as kafka
from deploy.local.kafka.jars import kafka_version

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
URLS = {name: f"http://{name}:8080" for name in PORTS if name != "backoffice"}
INSIDE = World("kafka:9092", "mailbox", 1025, "/files", URLS)
BROKERS_OWN = {"node.id", "process.roles", "listeners", "advertised.listeners", "listener.security.protocol.map"}
BROKERS_OWN |= {"inter.broker.listener.name", "controller.listener.names", "controller.quorum.voters", "log.dirs"}
"""Where the broker is and what it calls itself; the rest is how it behaves."""


def default_port(service: str) -> int:
    """The port on the machine, where no variable says otherwise."""
    (published, *_) = SERVICES[service]["ports"]
    return int(re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-(\d+)\}:\d+", published)[1])  # type: ignore[index]


@pytest.mark.parametrize("name", PORTS)
def test_a_service_is_told_the_same_in_both(name: str) -> None:
    database = f"postgresql://{name}:{name}@postgres:5432/{name}"
    told = {setting: str(value) for setting, value in SERVICES[name]["environment"].items()}
    assert told == settings_of(name, database, "0.0.0.0", 8080, INSIDE)  # noqa: S104 - inside its container
    assert SERVICES[name]["command"] == [f"services.{name}.app"]
    assert default_port(name) == PORTS[name]


def test_every_service_of_the_project_is_in_both() -> None:
    ours = {folder.parent.name for folder in (ROOT / "services").glob("*/app.py")}
    assert ours == set(PORTS) == {name for name, each in SERVICES.items() if ".app" in str(each.get("command"))}


def test_each_service_has_a_database_of_its_own_in_both() -> None:
    made = re.findall(r"create database (\w+) owner (\w+)", (ROOT / "deploy/local/databases.sql").read_text())
    assert made == [(name, name) for name in PORTS]


def test_the_broker_behaves_alike_in_both() -> None:
    lines = [line.partition("=") for line in kafka.SETTINGS.splitlines() if "=" in line]
    local = {name.strip(): value.strip() for name, _, value in lines}
    environment = SERVICES["kafka"]["environment"]
    composed = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in environment.items()
        if name != "KAFKA_HEAP_OPTS"
    }
    assert {name: value for name, value in composed.items() if name not in BROKERS_OWN} == {
        name: value for name, value in local.items() if name not in BROKERS_OWN
    }
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_the_database_server_takes_as_many_connections_in_both() -> None:
    assert SERVICES["postgres"]["command"][2] == f"max_connections={postgres.SETTINGS['max_connections']}"


def test_the_companies_that_are_not_ours_are_in_both() -> None:
    for kind, port in KINDS.items():
        sandbox = SERVICES[f"sandbox-{kind}"]
        assert sandbox["command"][:2] == ["deploy.local.sandbox", kind]
        assert default_port(f"sandbox-{kind}") == port
