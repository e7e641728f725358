"""Fields that tell about a person are declared, and the order log has none of them."""

import json
from typing import Any

import pytest

from shared.contracts.catalogue import all_contracts
from shared.contracts.documents import example_of, schema_of
from shared.contracts.message import Message
from shared.contracts.order import Customer
from shared.contracts.order_events import OrderPlaced
from shared.contracts.order_log import CommandRejected, EffectUnknown, LogEntry, MessageFailed, MessageSent
from shared.contracts.shop_facts import ShopFact
from shared.contracts.values import Identifier, Line, Personal, Value, masked, masked_email, personal_fields_of
from tests.contracts.walks import subschemas, undeclared_personal_fields

ABOUT_PERSONS = [contract for contract in all_contracts() if not issubclass(contract, ShopFact | LogEntry)]
LOG_ENTRIES = [contract for contract in all_contracts() if issubclass(contract, LogEntry)]
ADDRESS = "asa.oberg@example.org"


@pytest.mark.parametrize("contract", ABOUT_PERSONS, ids=lambda contract: contract.type)
def test_a_field_whose_name_tells_of_a_person_is_declared_personal(contract: type[Message]) -> None:
    assert undeclared_personal_fields(contract) == []


class Careless(Value):
    """What the walk above has to find."""

    mobile_phone: Line
    billing_address: Line
    account: Personal[Identifier] | None = None
    customer: Customer


def test_an_undeclared_personal_field_is_found_out() -> None:
    assert undeclared_personal_fields(Careless) == ["mobile_phone", "billing_address"]


def test_a_declaration_inside_a_union_counts() -> None:
    assert "account" in personal_fields_of(Careless)
    assert "customer_id" in personal_fields_of(OrderPlaced)


def test_strangers_see_in_the_schema_which_fields_are_personal() -> None:
    marked = {path.rsplit(".", 1)[-1] for path, node in subschemas(schema_of(OrderPlaced)) if node.get("x-personal")}
    assert {"email", "phone", "full_name", "street", "message", "ip_address"} <= marked


def test_a_masked_order_says_nothing_about_a_person() -> None:
    example = example_of(OrderPlaced)
    personal = frozenset(personal_fields_of(OrderPlaced))
    text = json.dumps(masked(example, personal), ensure_ascii=False)
    for word in (
        "Öberg",
        "asa.",
        "+46",
        "Tegnér",
        "113 59",
        "Sundsvall 8",
        "kund-20417",
        "192.0.2",
        "Presentinslagning",
    ):
        assert word not in text
    assert "Tekopp" in text


@pytest.mark.parametrize("contract", LOG_ENTRIES, ids=lambda contract: contract.type)
def test_a_log_entry_has_no_personal_field_but_a_masked_recipient(contract: type[Message]) -> None:
    assert personal_fields_of(contract) == set()
    assert [path for path in undeclared_personal_fields(contract) if path != "recipient"] == []


@pytest.mark.parametrize(
    ("contract", "field", "value"),
    [
        (MessageSent, "recipient", ADDRESS),
        (MessageFailed, "recipient", ADDRESS),
        (EffectUnknown, "key", f"mail:order-received:{ADDRESS}"),
    ],
)
def test_a_log_entry_refuses_an_address(contract: type[Message], field: str, value: str) -> None:
    data = example_of(contract)["data"] | {field: value}
    with pytest.raises(ValueError, match=field):
        contract.model_validate_json(json.dumps(data))


@pytest.mark.parametrize(
    ("contract", "field", "value"),
    [
        (MessageFailed, "detail", f"550 5.1.1 <{ADDRESS}>: User unknown"),
        (MessageFailed, "parameters", {"recipient": ADDRESS}),
        (EffectUnknown, "detail", f"while waiting for the answer about {ADDRESS}"),
        (CommandRejected, "detail", f"{ADDRESS} is not an address"),
        (CommandRejected, "errors", [f"customer.email: {ADDRESS}"]),
    ],
)
def test_an_address_quoted_in_a_log_entry_is_masked(contract: type[Message], field: str, value: Any) -> None:
    data = example_of(contract)["data"] | {field: value}
    written = contract.model_validate_json(json.dumps(data)).model_dump_json()
    assert ADDRESS not in written
    assert "a***@example.org" in written


@pytest.mark.parametrize("address", [ADDRESS, "å@exämple.org", f"{'x' * 64}@{'y' * 255}", "@", ""])
def test_a_masked_address_fits_where_it_belongs(address: str) -> None:
    data = example_of(MessageSent)["data"] | {"recipient": masked_email(address)}
    assert MessageSent.model_validate_json(json.dumps(data)).recipient == data["recipient"]
