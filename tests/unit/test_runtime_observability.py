"""What a log line may not show is masked, wherever in the line it stands."""

import pytest

from shared.runtime.observability import MASK, Masked, in_reading_order, mask_text

masked = Masked({"email", "Full_Name", "house_number"})


def test_personal_fields_are_masked_by_their_name_at_any_depth() -> None:
    event = {
        "event": "order placed",
        "email": "a@b.se",
        "order": {"customer": {"full_name": "Åsa Öberg", "house_number": 12, "country": "SE"}, "lines": 3},
        "people": [{"EMAIL": "x"}, {"email": None}],
    }
    assert masked(None, "info", event) == {
        "event": "order placed",
        "email": MASK,
        "order": {"customer": {"full_name": MASK, "house_number": MASK, "country": "SE"}, "lines": 3},
        "people": [{"EMAIL": MASK}, {"email": None}],
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail to <asa.oberg+shop@example.co.uk>, again", f"mail to <{MASK}>, again"),
        ("to=åsa@exämple.se;x", f"to={MASK};x"),
        ("ValueError: input_value='Asa@Example.ORG'", f"ValueError: input_value='{MASK}'"),
        ("born 19811218-9876 in Umeå", f"born {MASK} in Umeå"),
        ("811218+9876", MASK),
        ("hetu 131052-308T", f"hetu {MASK}"),
        ("hetu 131052-308t", f"hetu {MASK}"),
        ("/v1/orders?q=198507099805", f"/v1/orders?q={MASK}"),
        ("/v1/orders?q=198599999805", "/v1/orders?q=198599999805"),
        ("order 12345678-1234-7a43-9c52-8e2b7f1d4c11", "order 12345678-1234-7a43-9c52-8e2b7f1d4c11"),
        ("postgresql at db:5432, 10.00 EUR, 2026-11-25", "postgresql at db:5432, 10.00 EUR, 2026-11-25"),
        ("@here and foo@bar", "@here and foo@bar"),
    ],
)
def test_addresses_and_identity_numbers_are_masked_in_any_text(text: str, shown: str) -> None:
    assert mask_text(text) == shown
    assert masked(None, "info", {"event": text})["event"] == shown
    assert masked(None, "info", {"event": "x", "list": [{"deep": text}]})["list"] == [{"deep": shown}]


def test_an_address_used_as_a_key_is_masked_too() -> None:
    assert masked(None, "info", {"event": "x", "by": {"a@b.se": 1}})["by"] == {MASK: 1}


def test_a_value_that_is_no_plain_one_is_shown_as_text_and_masked() -> None:
    assert masked(None, "info", {"event": "x", "error": ValueError("no a@b.se")})["error"] == f"no {MASK}"


def test_what_is_nested_too_deep_is_not_shown() -> None:
    deep: object = "a"
    for _ in range(50):
        deep = [deep]
    assert MASK in str(masked(None, "info", {"event": "x", "deep": deep})["deep"])


def test_a_line_begins_with_when_how_grave_who_and_what() -> None:
    line = in_reading_order(None, "info", {"order": "1", "event": "hi", "color_message": "x", "service": "s"})
    assert list(line) == ["timestamp", "level", "service", "message", "order"]
