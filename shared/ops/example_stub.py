"""A first example of a new contract, made of what the other examples say; a person then makes it a good one."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from shared.contracts.catalogue import all_contracts
from shared.contracts.documents import EXAMPLES, example_of, schema_of
from shared.contracts.message import Message

PLAIN = {"boolean": True, "integer": 1, "string": "example", "array": [], "object": {}, "number": 1}


def stub_of(contract: type[Message]) -> dict[str, Any]:
    """A record of this contract. Raises LookupError, naming the field, where nothing fitting is known."""
    like = next(_others(contract), None)
    if like is None:
        raise LookupError(f"{contract.type}: no other example to start from")
    data = {name: _value(contract, name) for name, field in contract.model_fields.items() if field.is_required()}
    subject = contract.model_validate_json(TypeAdapter(dict[str, Any]).dump_json(data)).subject
    return {**like, "type": contract.type, "subject": subject, "partitionkey": subject, "data": data}


def _others(contract: type[Message]) -> Iterator[dict[str, Any]]:
    """The examples of other contracts, those on the same topic first."""
    others = sorted(all_contracts(), key=lambda other: other.topic is not contract.topic)
    for other in others:
        if other is not contract and (EXAMPLES / f"{other.type}.json").exists():
            yield example_of(other)


def _value(contract: type[Message], name: str) -> Any:
    field = contract.model_fields[name]
    annotation: Any = Annotated[field.annotation, field]
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    borrowed = [example["data"][name] for example in _others(contract) if name in example["data"]]
    document = schema_of(contract)
    schema = document["$defs"][contract.__name__]["properties"][name]
    for value in [*borrowed, *schema.get("enum", ()), PLAIN.get(schema.get("type", ""))]:
        try:
            adapter.validate_json(TypeAdapter(Any).dump_json(value), strict=True)
        except ValidationError:
            continue
        return value
    raise LookupError(f"{contract.type}: no value is known that fits {name}; write the example by hand")
