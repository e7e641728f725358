"""Whatever bytes stand on a topic, reading them gives a message or a stated reason; never another error."""

import json
import re
from typing import Any

import pytest

from shared.contracts.documents import example_of
from shared.contracts.message import InvalidData, NotUnderstood, UnknownType, read_envelope, read_message
from shared.contracts.order_commands import PlaceOrder
from shared.contracts.order_events import OrderPlaced
from shared.contracts.order_log import CommandRejected, MessageSent
from shared.contracts.reading import read_head, read_record
from shared.contracts.shop_facts import ShopSettings

ABSENT = object()
MISSING_NAME_MARK = "a name that no contract knows"


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The document with the value at a dotted path replaced, added, or taken away."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    *way, last = path.split(".")
    place: Any = copy
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return copy


def _said_of(error: NotUnderstood) -> str:
    """What is said of a record, but for data that are no object, which have no field to be named."""
    return "." if "data: " in str(error) or len(str(error)) >= 1_000 else f"^{re.escape(str(error))}$"


def reading(document: Any) -> Any:
    """The message in a document, read as on a topic whose records are numbered, in steps and in one pass."""
    record = document if isinstance(document, bytes) else json.dumps(document).encode()
    try:
        envelope = read_envelope(record)
        envelope.number()
        message = read_message(envelope)
    except NotUnderstood as error:
        with pytest.raises(type(error), match=_said_of(error)):
            assert read_head(record).number() == read_record(record, read_head(record).type).meta.sequence
        raise
    at_once = read_record(record, envelope.type)
    assert at_once.model_dump() == message.model_dump()
    assert at_once.meta == message.meta or envelope.time is None
    assert read_head(record).meta().sequence == at_once.meta.sequence
    return message


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"null",
        b"true",
        b"[]",
        b'"text"',
        b"{",
        b"\x00\x01\x02",
        b"\xff\xfe{}",
        b"not json at all",
        b"[" * 10_000 + b"]" * 10_000,
        b"[" + json.dumps(example_of(OrderPlaced)).encode() + b"]",
    ],
    ids=lambda record: record[:12].decode("latin-1"),
)
def test_what_is_not_one_event_is_not_understood(record: bytes) -> None:
    with pytest.raises(NotUnderstood):
        reading(record)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("specversion", "0.3"),
        ("specversion", ABSENT),
        ("id", ABSENT),
        ("id", ""),
        ("id", "x" * 9_000),
        ("id", "i d"),
        ("id", 7),
        ("source", "/örders"),
        ("type", ABSENT),
        ("subject", ABSENT),
        ("subject", "x" * 9_000),
        ("shop", ABSENT),
        ("shop", "Nordic Tea"),
        ("time", "yesterday"),
        ("time", "2026-11-25T17:41:08"),
        ("datacontenttype", "application/xml"),
        ("sequence", "1" + "0" * 20),
        ("sequence", 10**20),
        ("sequence", "1795525200.000000000000"),
        ("sequence", "1795525200.000000000001\n"),
        ("sequence", "१७९५५२५२००.०००००००००००१"),
        ("traceparent", "x" * 9_000),
        ("data", None),
        ("data", []),
        ("data", "text"),
        ("data", ABSENT),
    ],
)
def test_an_envelope_outside_its_bounds_is_not_understood(path: str, value: Any) -> None:
    with pytest.raises(NotUnderstood) as raised:
        reading(changed(example_of(OrderPlaced), path, value))
    assert raised.value.reason.startswith((path, "sequence"))


def test_a_type_without_a_contract_is_told_apart() -> None:
    with pytest.raises(UnknownType, match=r"order\.vanished\.v1"):
        reading(changed(example_of(OrderPlaced), "type", "order.vanished.v1"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("order_id", ABSENT),
        ("order_id", "10482"),
        ("currency", "XXX"),
        ("currency", "sek"),
        ("language", "de"),
        ("lines", []),
        ("lines.0.quantity", 0),
        ("lines.0.quantity", -1),
        ("lines.0.quantity", 10**20),
        ("lines.0.quantity", 1.0),
        ("lines.0.quantity", "2"),
        ("lines.0.quantity", True),
        ("lines.0.unit_price", -1),
        ("lines.0.unit_price", 89.5),
        ("lines.0.unit_price", 10**20),
        ("lines.0.discount", 17_801),
        ("lines.0.name", " "),
        ("lines.0.name", "Te\u2028kopp"),
        ("lines.0.name", "Te\x00kopp"),
        ("lines.0.name", "x" * 201),
        ("lines.0.line_id", "2"),
        ("lines.0.line_id", ""),
        ("lines.0.vat_rate", "101"),
        ("lines.0.vat_rate", "24.999"),
        ("lines.0.vat_rate", "NaN"),
        ("lines.0.vat_rate", "Infinity"),
        ("exchange_rate", "0"),
        ("exchange_rate", "1e400"),
        ("customer.email", "nobody"),
        ("customer.email", "asa@oberg@example.org"),
        ("customer.address.country", "Sverige"),
        ("delivery.promised_date", 0),
        ("delivery.promised_date", "2026-02-30"),
        ("placed_at", "2026-11-25T18:41:07"),
        ("message", "x" * 5_001),
        ("message", "\x00"),
        ("total", -1),
    ],
)
def test_a_command_outside_its_bounds_is_refused_with_the_field_named(path: str, value: Any) -> None:
    with pytest.raises(InvalidData) as raised:
        reading(changed(example_of(PlaceOrder), f"data.{path}", value))
    field, of_the_whole = path.rpartition(".")[2], {"lines.0.line_id", "lines.0.discount"}
    assert any(error.startswith(path) or (path in of_the_whole and field in error) for error in raised.value.errors)


@pytest.mark.parametrize(
    ("number", "field"),
    [
        (number, field)
        for number in ("NaN", "Infinity", "-Infinity", "1e400")
        for field in ("total", "unknown_to_us")
        if (number, field) != ("1e400", "unknown_to_us")
    ],
)
def test_a_number_that_is_none_is_refused_wherever_it_stands(number: str, field: str) -> None:
    text = json.dumps(changed(example_of(PlaceOrder), f"data.{field}", MISSING_NAME_MARK))
    with pytest.raises(InvalidData):
        reading(text.replace(f'"{MISSING_NAME_MARK}"', number).encode())


def test_a_number_beyond_all_bounds_in_a_field_that_nobody_knows_is_passed_over() -> None:
    text = json.dumps(changed(example_of(PlaceOrder), "data.unknown_to_us", MISSING_NAME_MARK), ensure_ascii=False)
    record = text.replace(f'"{MISSING_NAME_MARK}"', "1e400").encode()
    assert read_record(record, PlaceOrder.type) == reading(example_of(PlaceOrder))


def test_a_personal_identity_number_behind_an_escape_is_found_all_the_same() -> None:
    text = json.dumps(changed(example_of(PlaceOrder), "data.personal_identity_number", "19121212-1212"))
    hidden = text.replace("personal_identity", r"\u0070ersonal\u005fidentity").encode()
    assert b"personal" not in hidden
    with pytest.raises(InvalidData, match="must not be sent here"):
        reading(hidden)


@pytest.mark.parametrize("escape", [r"\ud800", r"\udc00", r"\ud800\ud800"])
def test_a_lone_surrogate_is_refused_wherever_it_stands(escape: str) -> None:
    for field in ("data.message", "data.unknown_to_us", "id"):
        text = json.dumps(changed(example_of(PlaceOrder), field, MISSING_NAME_MARK))
        with pytest.raises(NotUnderstood):
            reading(text.replace(MISSING_NAME_MARK, escape).encode())


@pytest.mark.parametrize("place", ["data", "data.customer", "data.customer.address"])
def test_a_personal_identity_number_is_refused_wherever_it_stands(place: str) -> None:
    document = changed(example_of(PlaceOrder), f"{place}.personal_identity_number", "19121212-1212")
    with pytest.raises(InvalidData, match="personal_identity_number: must not be sent here") as raised:
        reading(document)
    assert "1212" not in str(raised.value)


def test_an_envelope_for_another_shop_than_its_data_is_refused() -> None:
    document = changed(example_of(OrderPlaced), "shop", "another-shop")
    with pytest.raises(InvalidData, match="different shops"):
        reading(document)


def test_a_time_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidData, match="not a time zone"):
        reading(changed(example_of(ShopSettings), "data.time_zone", "Europe/Atlantis"))


def test_what_was_wrong_with_a_field_never_repeats_what_was_sent() -> None:
    document = changed(example_of(PlaceOrder), "data.customer.email", "hemlig@@example.org")
    with pytest.raises(InvalidData) as raised:
        reading(document)
    assert "hemlig" not in str(raised.value)


def test_the_reasons_of_a_wrong_command_fit_into_its_rejection() -> None:
    document = changed(example_of(PlaceOrder), "data.lines", [{}] * 2_000)
    with pytest.raises(InvalidData) as raised:
        reading(document)
    rejection = example_of(CommandRejected)["data"] | {"errors": raised.value.errors}
    assert len(CommandRejected.model_validate_json(json.dumps(rejection)).errors) == 20


def test_a_name_chosen_by_the_writer_cannot_spoil_the_reason() -> None:
    document = changed(example_of(MessageSent), "data.parameters", {"a\nb" * 5_000: "x"})
    with pytest.raises(InvalidData) as raised:
        reading(document)
    assert all(len(error) <= 500 and "\n" not in error for error in raised.value.errors)


def test_data_about_another_subject_than_the_envelope_is_refused() -> None:
    with pytest.raises(InvalidData, match="subject"):
        reading(changed(example_of(OrderPlaced), "subject", "01a213cc-0338-7a51-9c3e-000000000000"))


@pytest.mark.parametrize(
    "path",
    ["unknown", "data.unknown", "data.order.unknown", "data.order.lines.0.unknown", "data.order.customer.unknown"],
)
def test_a_reader_ignores_what_it_does_not_know(path: str) -> None:
    assert reading(changed(example_of(OrderPlaced), path, {"new": ["field"]})) == reading(example_of(OrderPlaced))


def test_a_record_without_optional_attributes_is_understood() -> None:
    document = example_of(PlaceOrder)
    for attribute in ("time", "actor", "partitionkey", "traceparent", "datacontenttype"):
        document.pop(attribute)
    message = reading(document)
    assert message.meta.actor == "unknown"
    assert message.meta.time.tzinfo is not None


@pytest.mark.parametrize(
    ("written", "meant"), [("1E+1", "10"), ("-0", "0"), (25, "25"), (25.5, "25.5"), ("25.50", "25.50")]
)
def test_a_rate_is_written_plainly_however_it_came(written: Any, meant: str) -> None:
    message = reading(changed(example_of(PlaceOrder), "data.delivery.vat_rate", written))
    assert json.loads(message.model_dump_json())["delivery"]["vat_rate"] == meant
