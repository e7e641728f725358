"""A personal identity number is found in a record under whatever name, and is gone from what is kept of it."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.documents import example_of
from shared.contracts.message import HasPersonalNumber
from shared.contracts.never_sent import NEVER_SENT, OTHER_NAMES, PUT_OUT, has_one, is_never_sent, without_number
from shared.contracts.order_commands import PlaceOrder
from shared.contracts.reading import read_record
from shared.contracts.topics import MAX_RECORD_BYTES
from tests.contracts.test_records import changed

NUMBER = "19850709-9805"
SPELLINGS = (
    NEVER_SENT,
    *OTHER_NAMES,
    "Personnummer",
    "personal-number",
    "personalIdentityNumber",
    "henkilötunnus",
    "HENKILÖTUNNUS",
    "SSN",
    "person_nummer",
)


def record_with(name: str, place: str = "data", value: Any = NUMBER, *, ascii_only: bool = False) -> bytes:
    dot = "." if place else ""
    return json.dumps(changed(example_of(PlaceOrder), f"{place}{dot}{name}", value), ensure_ascii=ascii_only).encode()


@pytest.mark.requirement("R011")
@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_whatever_it_is_called_it_is_not_kept_and_the_record_is_refused(name: str, *, ascii_only: bool) -> None:
    for place in ("", "data", "data.customer", "data.customer.address"):
        kept = without_number(record_with(name, place, ascii_only=ascii_only))
        assert NUMBER.encode() not in kept
        with pytest.raises(HasPersonalNumber, match="by HTTP only"):
            read_record(kept, PlaceOrder.type)


@pytest.mark.parametrize("value", [850709_9805, [NUMBER], {"value": NUMBER}, {"a": [{"b": NUMBER}]}])
def test_it_is_not_kept_whatever_it_is_wrapped_in(value: Any) -> None:
    kept = without_number(record_with("personnummer", value=value))
    assert b"9805" not in kept
    assert has_one(json.loads(kept))


def test_a_name_behind_escapes_is_found() -> None:
    hidden = record_with("personnummer").replace(b"personnummer", rb"\u0070\u0065rsonnummer")
    assert NUMBER.encode() not in without_number(hidden)


def test_a_name_that_stands_twice_is_put_out_twice() -> None:
    twice = record_with("ssn").replace(b'"ssn": ', b'"ssn": "19850709-9805", "ssn": ')
    assert without_number(twice).count(NUMBER.encode()) == 0


def test_data_that_stand_twice_hide_nothing() -> None:
    first = json.dumps({"ssn": NUMBER}).encode()
    assert NUMBER.encode() not in without_number(b'{"data": ' + first + b"," + record_with("colour", value="x")[1:])


@pytest.mark.parametrize(
    "broken",
    [
        record_with("personnummer")[:-2],
        record_with("personnummer", value={"value": NUMBER})[:-2],
        record_with("personnummer").replace(b"personnummer", rb"\u0070ersonnummer")[:-2],
        b"personnummer=19850709-9805",
        b"<henkilotunnus>19850709-9805</henkilotunnus>",
        "henkilötunnus: 19850709-9805".encode(),
        "HENKILÖTUNNUS: 19850709-9805".encode(),
        b'{"SSN": "19850709-9805',
        b'\xff\xfe{"ssn": "19850709-9805"}',
        b"[" * 100_000 + b'{"ssn": "19850709-9805"}',
    ],
)
def test_what_is_no_json_is_cut_off_where_it_names_one(broken: bytes) -> None:
    assert NUMBER.encode() in broken
    assert NUMBER.encode() not in without_number(broken)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", [b'\\"', b'"', b"\\", b'"ssn', b'{"a":', b"\\u0073", b'"\\u0073'])
def test_no_record_takes_long_to_look_through(part: bytes) -> None:
    for record in (part * (MAX_RECORD_BYTES // len(part)), b'"ssn' + part * (MAX_RECORD_BYTES // len(part))):
        assert len(without_number(record)) <= len(record) + len(PUT_OUT)


@pytest.mark.parametrize("depth", [190, 500, 900, 2_000, 50_000])
def test_however_deep_it_is_nested_it_is_not_kept(depth: int) -> None:
    kept = without_number(b'{"a":' * depth + b'{"ssn": "19850709-9805"}' + b"}" * depth)
    assert NUMBER.encode() not in kept


def test_a_record_without_one_stays_as_it_is() -> None:
    for text in (json.dumps(example_of(PlaceOrder)).encode(), b'{"message": "Personal, passning"}', b"person", b"\xff"):
        assert without_number(text) is text


@given(st.text())
def test_no_other_name_is_taken_for_one(name: str) -> None:
    plain = "".join(each for each in unicodedata.normalize("NFKD", name).casefold() if each.isalpha())
    if not any(part in plain for part in ("person", "ssn", "henkil", "hetu", "samord", "social")):
        assert not is_never_sent(name)


@given(st.binary())
def test_whatever_stands_in_a_record_what_is_kept_of_it_needs_no_second_look(record: bytes) -> None:
    for text in (record, b'"ssn"' + record, b'{"ssn": ' + record):
        kept = without_number(text)
        assert without_number(kept) == kept
