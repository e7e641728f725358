"""A published type keeps its promise in both directions: every way to break it is named, what is harmless passes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.catalogue import all_contracts
from shared.contracts.documents import schema_of
from shared.contracts.message import Message
from shared.contracts.order_events import ConfirmationRequested
from shared.contracts.order_log import MessageSent
from shared.ops.compatibility import breaking_changes

Schema = dict[str, Any]


def after(change: Callable[[Schema], object], contract: type[Message] = ConfirmationRequested) -> list[str]:
    """What a change of the contract's schema breaks."""
    old = schema_of(contract)
    new: Schema = json.loads(json.dumps(old))
    change(new)
    return breaking_changes(old, new)


def order(schema: Schema) -> Schema:
    fields: Schema = schema["$defs"]["OrderSnapshot"]
    return fields


def field(schema: Schema, name: str) -> Schema:
    found: Schema = order(schema)["properties"][name]
    return found


@pytest.mark.parametrize("contract", all_contracts(), ids=lambda contract: contract.type)
def test_no_change_breaks_nothing(contract: type[Message]) -> None:
    assert breaking_changes(schema_of(contract), schema_of(contract)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda new: order(new)["properties"].update(gift={"type": "boolean", "default": False}),
        lambda new: new["$defs"]["Money"]["properties"].update(text={"type": "string"}),
        lambda new: new.update(title="Another title", description="Other words"),
        lambda new: field(new, "number").update(description="Other words", examples=[1]),
        lambda new: field(new, "reference").update({"x-personal": True}),
        lambda new: new["$defs"].update(Unused={"type": "object"}),
    ],
)
def test_a_new_optional_field_and_documentation_may_come(change: Callable[[Schema], object]) -> None:
    assert after(change) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda new: order(new)["properties"].pop("reference"), "data.order.reference: removed or renamed"),
        (
            lambda new: (order(new)["properties"].pop("totals"), order(new)["required"].remove("totals")),
            "data.order.totals: removed or renamed; readers who know",
        ),
        (
            lambda new: order(new)["properties"].update(ref=order(new)["properties"].pop("reference")),
            "data.order.reference: removed or renamed",
        ),
        (lambda new: order(new)["required"].append("reference"), "data.order.reference: now required"),
        (lambda new: order(new)["required"].remove("number"), "data.order.number: no longer always there"),
        (
            lambda new: (
                order(new)["properties"].update(gift={"type": "boolean"}),
                order(new)["required"].append("gift"),
            ),
            "data.order.gift: new and required",
        ),
        (lambda new: field(new, "number").update(type="string"), "data.order.number: type 'integer' became 'string'"),
        (lambda new: field(new, "language")["enum"].remove("fi"), "data.order.language: 'fi' is no longer allowed"),
        (lambda new: field(new, "language")["enum"].append("nb"), "data.order.language: 'nb' is new"),
        (lambda new: field(new, "language").pop("enum"), "data.order.language: values ['sv', 'fi', 'en'] became None"),
        (lambda new: field(new, "number").update(enum=[1]), "data.order.number: values None became [1]"),
        (lambda new: field(new, "reference").update(maxLength=100), "maxLength 200 became 100; records that are kept"),
        (lambda new: field(new, "reference").update(maxLength=300), "maxLength 200 became 300; readers who know"),
        (lambda new: field(new, "reference").pop("maxLength"), "maxLength 200 became None; readers who know"),
        (lambda new: field(new, "number").update(minimum=5), "minimum 1 became 5; records that are kept"),
        (lambda new: field(new, "number").update(minimum=0), "minimum 1 became 0; readers who know"),
        (lambda new: field(new, "lines").update(maxItems=10), "maxItems 2000 became 10; records that are kept"),
        (lambda new: field(new, "shop").update(pattern="^[a-z]+$"), "data.order.shop: pattern"),
        (lambda new: field(new, "id").pop("format"), "data.order.id: format 'uuid' became None"),
        (lambda new: field(new, "message").update(default="-"), "data.order.message: default '' became '-'"),
        (lambda new: field(new, "total")["anyOf"].pop(), "data.order.total: can no longer be null"),
        (lambda new: field(new, "total")["anyOf"].append({"type": "string"}), "data.order.total: can now be string"),
        (
            lambda new: field(new, "delivery_address")["anyOf"][0].update({"$ref": "#/$defs/Money"}),
            "data.order.delivery_address.country: removed or renamed",
        ),
        (
            lambda new: new["$defs"]["Money"]["properties"]["amount"].update(maximum=1),
            "data.order.totals.incl_vat.amount: maximum",
        ),
        (
            lambda new: new["properties"]["type"].update(const="order.confirmed.v1"),
            "type: 'order.confirmation-requested.v1' is no longer allowed",
        ),
        (lambda new: new["properties"].pop("sequence"), "sequence: removed or renamed"),
        (lambda new: field(new, "lines").update(items=True), "data.order.lines[]: {"),
        (lambda new: field(new, "lines").update(uniqueItems=True), "data.order.lines: uniqueItems None became True"),
    ],
)
def test_whatever_breaks_a_reader_is_named(change: Callable[[Schema], object], sentence: str) -> None:
    assert any(sentence in found for found in after(change)), after(change)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda names: names.update({"^x$": names.pop(next(iter(names)))}), "data.parameters: allowed names"),
        (lambda names: next(iter(names.values()))["anyOf"].pop(), "data.parameters.*: can no longer be integer"),
    ],
)
def test_a_table_with_free_names_keeps_its_promise_too(change: Callable[[Schema], object], sentence: str) -> None:
    found = after(
        lambda new: change(new["$defs"]["MessageSent"]["properties"]["parameters"]["patternProperties"]), MessageSent
    )
    assert any(sentence in each for each in found), found
