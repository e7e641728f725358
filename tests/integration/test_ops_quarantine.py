"""What was not understood is listed with its reason; what stands in it is masked unless somebody asks for the bytes."""

import json
from uuid import uuid4

import pytest

from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.groups import Group
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from tests.plugins.kit import Kit
from tests.plugins.operator import ops

ORDER = str(uuid4())
NO_EVENT = {"order": {"customer": {"email": "asa@example.org", "full_name": "Åsa Öberg"}}, "city": "Umeå", "n": 7}


@pytest.fixture
async def database(kit: Kit) -> tuple[str, str]:
    """The option that names a database with three quarantined records."""
    values = [json.dumps(NO_EVENT).encode(), b"\xff\x00 asa@example.org", None]
    headers = [("ce_id", b"1"), ("from", b"asa@example.org"), ("\x1b[2J", b"\xff"), ("nothing", None)]
    records = [
        Arrived("orders.events", 1, 40 + number, ORDER.encode(), value, headers) for number, value in enumerate(values)
    ]
    await IngestStore(kit.pool, ORDERS_EVENTS, [Group("test", ORDERS_EVENTS)]).take(records)
    return ("-d", f"orders={kit.dsn}")


async def test_quarantined_records_are_listed_the_latest_first_with_their_reason(database: tuple[str, str]) -> None:
    listed = await ops("quarantine", "list", *database, "--json")
    assert [(row["position"], row["partition"], row["offset"]) for row in listed.document] == [
        ("orders/3", 1, 42), ("orders/2", 1, 41), ("orders/1", 1, 40)
    ]  # fmt: skip
    assert listed.document[0]["reason"] == "the record has no value"
    table = await ops("quarantine", "list", *database, "--limit", "1")
    assert "orders/3" in table.out
    assert "orders/2" not in table.out
    other = await ops("quarantine", "list", *database, "--topic", "orders.log")
    assert other.out == "nothing is quarantined\n"


async def test_a_record_is_shown_without_personal_data(database: tuple[str, str]) -> None:
    for words in ((), ("--json",)):
        shown = await ops("quarantine", "show", "orders/1", *database, *words)
        assert shown.code == 0, shown.err
        assert "asa" not in shown.out
        assert "Öberg" not in shown.out
        assert "\x1b" not in shown.out
        assert ORDER in shown.out
    document = shown.document
    assert document["value"] == {"order": {"customer": {"email": "***", "full_name": "***"}}, "city": "***", "n": 7}
    assert document["headers"][:2] == [["ce_id", "1"], ["from", "a***@example.org"]]
    assert document["headers"][3] == ["nothing", None]


async def test_of_bytes_that_are_no_document_only_the_length_is_shown(database: tuple[str, str]) -> None:
    shown = await ops("quarantine", "show", "2", *database)
    assert shown.out.splitlines()[-1] == "18 bytes that are not JSON"


async def test_the_bytes_are_shown_escaped_to_who_asks_for_them(database: tuple[str, str]) -> None:
    shown = await ops("quarantine", "show", "2", *database, "--raw")
    assert shown.out.splitlines()[-1] == "\\xff\\x00 asa@example.org"


async def test_a_record_without_a_value_says_so(database: tuple[str, str]) -> None:
    shown = await ops("quarantine", "show", "orders/3", *database)
    assert shown.out.splitlines()[-1] == "the record has no value"


async def test_a_position_without_a_record_ends_with_1_and_one_that_is_none_with_2(database: tuple[str, str]) -> None:
    assert (await ops("quarantine", "show", "99", *database)).code == 1
    assert (await ops("quarantine", "show", "orders/x", *database)).code == 2
    assert (await ops("quarantine", "show", "notifications/1", *database)).code == 2
