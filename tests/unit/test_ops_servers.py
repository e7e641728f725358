"""Databases are named once, and no message shows an address: there is a password in it."""

import pytest
import typer

from shared.ops.servers import Database, databases, one_database
from tests.plugins.operator import ops

ORDERS = "orders=postgresql://a:secret@db:5432/orders"
NOTIFICATIONS = "notifications=postgresql://b:p,w=x@db/notifications"


def test_databases_are_named_one_by_one_or_with_commas() -> None:
    expected = [Database(*each.split("=", 1)) for each in (ORDERS, NOTIFICATIONS)]
    assert databases([ORDERS, NOTIFICATIONS]) == expected
    assert databases([f"{ORDERS},{NOTIFICATIONS}"]) == expected
    assert databases([f" {ORDERS}, {NOTIFICATIONS},"]) == expected


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://a:secret@db/orders",
        "orders=mysql://a:secret@db/orders",
        "orders=postgresql://a:secret@db",
        "Orders=postgresql://a:secret@db/orders",
        f"{ORDERS},orders=postgresql://a:secret@other/orders",
    ],
)
def test_what_names_no_database_is_refused_without_showing_the_address(given: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        databases([given])
    assert "secret" not in str(refused.value)


def test_one_database_is_the_only_one_or_the_one_asked_for() -> None:
    assert one_database([ORDERS]).service == "orders"
    assert one_database([ORDERS, NOTIFICATIONS], "notifications").service == "notifications"
    with pytest.raises(typer.BadParameter, match="orders, notifications"):
        one_database([ORDERS, NOTIFICATIONS])
    with pytest.raises(typer.BadParameter, match="of the service orders"):
        one_database([NOTIFICATIONS], "orders")


async def test_a_server_that_is_away_is_named_without_its_password_and_ends_with_3() -> None:
    answer = await ops("status", "-d", "orders=postgresql://a:secret@127.0.0.1:1/orders")
    assert answer.code == 3
    assert "the database of orders cannot be reached" in answer.err
    assert "secret" not in answer.out + answer.err


async def test_an_address_without_a_port_is_asked_wrongly() -> None:
    answer = await ops("topics", "compare", "--kafka", "localhost")
    assert answer.code == 2
    assert "host:port" in answer.err


async def test_a_kafka_that_is_away_ends_with_3_and_one_sentence() -> None:
    answer = await ops("topics", "compare", "--kafka", "127.0.0.1:1")
    assert answer.code == 3
    assert answer.err.startswith("Error: Kafka cannot be reached at 127.0.0.1:1")
    assert len(answer.err.splitlines()) == 1


async def test_what_a_command_needs_may_stand_in_the_environment() -> None:
    answer = await ops("status", env={"OPS_DATABASES": "orders=postgresql://a:b@127.0.0.1:1/orders"})
    assert answer.code == 3


@pytest.mark.parametrize(
    "words", [(), ("topics",), ("tokens",), ("shops",), ("quarantine",), ("journey",), ("status",), ("contracts",)]
)
async def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    answer = await ops(*words, "--help")
    assert answer.code == 0
    assert "Usage" in answer.out
