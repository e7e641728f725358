"""Settings that an operator typed are refused field by field, and never with a field that nobody reads."""

import pytest

from services.orders.ops import NotSettings, differences, field_from, read_fields, settings_from
from tests.builders import a_shop


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("name=Nordic Tea = good", ("name", "Nordic Tea = good")),
        ("phone=0701234567", ("phone", "0701234567")),
        ("languages=sv, fi", ("languages", ["sv", "fi"])),
        ('languages=["en"]', ("languages", ["en"])),
        ("features=", ("features", [])),
        ("prices_include_vat=false", ("prices_include_vat", False)),
        ("first_order_number=1001", ("first_order_number", 1001)),
        ("rounding=whole", ("rounding", "whole")),
        ("vat_country=SE", ("vat_country", "SE")),
        ("vat_country=", ("vat_country", None)),
    ],
)
def test_a_field_is_read_as_its_contract_wants_it(text: str, field: tuple[str, object]) -> None:
    assert field_from(text) == field


@pytest.mark.parametrize("text", ["name", "colour=red", "first_order_number=many", "=x"])
def test_what_is_no_field_is_refused(text: str) -> None:
    with pytest.raises(NotSettings):
        field_from(text)


def test_a_misspelt_field_and_a_wrong_value_are_named_together() -> None:
    fields = a_shop().model_dump(mode="json") | {"curency": "SEK", "currency": "XXX"}
    with pytest.raises(NotSettings) as refused:
        settings_from(fields)
    assert [sentence.split(":")[0] for sentence in refused.value.sentences] == ["curency", "currency"]


@pytest.mark.parametrize("zone", ["Europe/Stokholm", "Europe", "../etc"])
def test_a_time_zone_must_exist(zone: str) -> None:
    with pytest.raises(NotSettings, match="time_zone"):
        settings_from(a_shop().model_dump(mode="json") | {"time_zone": zone})


def test_settings_are_read_from_the_fields_or_from_a_whole_record() -> None:
    assert read_fields('{"name": "Tea"}') == {"name": "Tea"}
    assert read_fields('{"specversion": "1.0", "data": {"name": "Tea"}}') == {"name": "Tea"}
    for text in ("[]", "", '{"specversion": "1.0"}'):
        with pytest.raises(NotSettings):
            read_fields(text)


def test_only_what_changed_is_a_difference() -> None:
    shop = a_shop()
    assert differences(shop, shop) == {}
    assert differences(shop, a_shop(currency="EUR")) == {"currency": ("SEK", "EUR")}
    assert differences(None, shop)["currency"] == (None, "SEK")
