"""An operator's terminal shows no personal data, and obeys nothing that stood in a record."""

import json

import pytest

from shared.ops.quarantine import escaped
from shared.ops.shown import age, printable
from shared.runtime.masking import masked_bytes, masked_record, read_json, without_personal


def test_personal_fields_are_masked_by_the_contracts_and_addresses_in_all_other_texts() -> None:
    document = {"customer": {"full_name": "Åsa Öberg", "email": "asa@example.org"}, "note": "from asa@example.org"}
    assert without_personal(document) == {
        "customer": {"full_name": "***", "email": "***"},
        "note": "from a***@example.org",
    }


def test_an_identity_number_is_masked_wherever_it_stands() -> None:
    assert "811218-9876" not in json.dumps(without_personal({"anything": ["my number is 811218-9876"]}))


def test_control_characters_are_written_as_what_they_are() -> None:
    assert printable("\x1b[31mred\x9b\u202e\ud800") == "\\x1b[31mred\\x9b\\u202e\\ud800"
    assert printable("Åsa, päivää") == "Åsa, päivää"


def test_a_document_that_is_nested_too_deep_is_no_document() -> None:
    with pytest.raises(ValueError, match="nested"):
        read_json(b"[" * 100_000)
    assert masked_record(b"[" * 100_000) == "100000 bytes that are not JSON"
    assert isinstance(masked_record(b"[" * 900 + b"]" * 900), list | str)


def test_what_is_shown_of_a_record_can_be_written_as_json_whatever_stood_in_it() -> None:
    deep = "[" * 150 + '"asa@example.org"' + "]" * 150
    shown = masked_record(b'{"a": "\\ud800", "b": [NaN, Infinity, 1e999], "c": ' + deep.encode() + b"}")
    assert shown["a"] == "\\ud800"
    assert shown["b"] == ["nan", "inf", "inf"]
    assert "too deep" in json.dumps(shown, allow_nan=False, ensure_ascii=False)


def test_bytes_are_shown_one_by_one_where_they_are_asked_for() -> None:
    assert escaped(b"caf\xc3\xa9 \\ \x00") == "caf\\xc3\\xa9 \\x5c \\x00"
    assert escaped(None) is None


def test_of_what_is_no_text_only_the_length_is_masked_bytes() -> None:
    assert masked_bytes(b"\xff\xfe") == "2 bytes that are no text"
    assert masked_bytes(b"asa@example.org") == "a***@example.org"
    assert masked_bytes(None) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (0.25, "0.2 s"), (59, "59 s"), (61, "1 min 1 s"), (7_260, "2 h 1 min"), (200_000, "2 d 7 h")],
)
def test_a_length_of_time_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert age(seconds) == text
