"""Nothing in a message is without end, and an order of the largest size still fits into a record."""

import json
from typing import Annotated, get_args

import pytest
from pydantic import BaseModel, Field

from shared.contracts.catalogue import all_contracts
from shared.contracts.documents import schema_of
from shared.contracts.message import Message, write_record
from shared.contracts.order import MAX_LINES, LineUnits, UnitState
from shared.contracts.topics import MAX_ORDER_BYTES, MAX_RECORD_BYTES, TOPICS
from shared.contracts.values import Line
from tests import builders
from tests.contracts.walks import open_collections, open_numbers, open_texts

every_contract = pytest.mark.parametrize("contract", all_contracts(), ids=lambda contract: contract.type)


@every_contract
def test_every_text_has_a_maximum_length_and_says_which_characters_it_takes(contract: type[Message]) -> None:
    assert open_texts(schema_of(contract)) == []


@every_contract
def test_every_number_has_bounds(contract: type[Message]) -> None:
    assert open_numbers(schema_of(contract)) == []


@every_contract
def test_every_list_has_a_maximum_length(contract: type[Message]) -> None:
    assert open_collections(schema_of(contract)) == []


class Careless(BaseModel):
    """What the walks above have to find."""

    text: str
    any_text: Annotated[str, Field(max_length=10)]
    texts: list[Line]
    number: int
    floor: Annotated[int, Field(ge=0)]
    table: dict[str, Line]


def test_a_careless_contract_is_found_out() -> None:
    schema = Careless.model_json_schema()
    assert open_texts(schema) == ["properties.text", "properties.any_text"]
    assert open_numbers(schema) == ["properties.number", "properties.floor"]
    assert open_collections(schema) == ["properties.texts", "properties.table"]


def size_of_an_order(lines: int) -> int:
    order = builders.an_order(lines=[builders.a_line(line_id=str(number)) for number in range(lines)])
    event = builders.placed(order)
    return len(write_record(event, event.meta).encode())


def test_an_order_of_the_most_lines_is_accepted_and_leaves_room_for_later_events() -> None:
    assert size_of_an_order(MAX_LINES) < MAX_ORDER_BYTES


def test_whatever_happens_to_the_units_of_the_largest_order_can_be_said_of_it() -> None:
    """Each line split into all states, and all of them named in the event, each line by the longest id there is."""
    states = dict.fromkeys(get_args(UnitState), 100_000)
    rows = [LineUnits(line_id=f"{number:0128}", units=100_000) for number in range(MAX_LINES)]
    line = builders.priced(builders.a_line(quantity=1_000_000), include_vat=True)
    split = line.model_copy(update={"units": states})
    more = len(split.model_dump_json()) - len(line.model_dump_json())
    growth = MAX_LINES * more + len(json.dumps([row.model_dump() for row in rows]))
    assert MAX_ORDER_BYTES + growth + 16_384 < MAX_RECORD_BYTES


def test_the_broker_takes_more_than_any_record() -> None:
    for topic in TOPICS:
        assert int(topic.broker_settings(1)["max.message.bytes"]) >= MAX_RECORD_BYTES + 64 * 1024


def test_an_order_with_too_many_lines_is_refused() -> None:
    lines = [builders.a_line(line_id=str(number)) for number in range(MAX_LINES + 1)]
    document = json.loads(builders.to_place(builders.an_order(lines=lines[:1])).model_dump_json())
    document["lines"] = [json.loads(line.model_dump_json()) for line in lines]
    with pytest.raises(ValueError, match="at most 2000 items"):
        type(builders.to_place(builders.an_order())).model_validate_json(json.dumps(document))
