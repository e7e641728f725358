"""What a contract looks like to those who do not have our code: the JSON schema of its records, and an example.

Both describe the whole CloudEvents document as it stands in a record, the envelope included.
"""

import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from shared.contracts.message import Envelope, Message
from shared.contracts.topics import Topic
from shared.contracts.values import Identifier

SCHEMAS = Path(__file__).parent / "schemas"
EXAMPLES = Path(__file__).parent / "examples"
SequenceText = Annotated[str, StringConstraints(max_length=23, pattern=r"^[0-9]{10}\.[0-9]{12}$")]


class PlainSchema(GenerateJsonSchema):
    """Without the titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def schema_mode(topic: Topic) -> JsonSchemaMode:
    """A topic that strangers write is described as what they may send; any other as what its readers get."""
    return "serialization" if topic.owner in topic.writers else "validation"


@cache
def record_model(contract: type[Message]) -> type[Envelope]:
    """The envelope with this contract as its data; on a numbered topic with all that our writers put there."""
    fields: dict[str, Any] = {"type": (Literal[contract.type], ...), "data": (contract, ...)}
    if contract.topic.sequenced:
        always = {"time": AwareDatetime, "sequence": SequenceText, "partitionkey": Identifier}
        described = {name: Field(description=Envelope.model_fields[name].description) for name in always}
        fields |= {name: (annotation, described[name]) for name, annotation in always.items()}
    return create_model(f"{contract.__name__}Record", __base__=Envelope, __doc__=contract.__doc__, **fields)


def schema_of(contract: type[Message]) -> dict[str, Any]:
    """The JSON schema (2020-12) of this contract's records."""
    model, mode = record_model(contract), schema_mode(contract.topic)
    return {
        "$schema": PlainSchema.schema_dialect,
        **model.model_json_schema(mode=mode, schema_generator=PlainSchema),
        "title": contract.type,
    }


def example_of(contract: type[Message]) -> dict[str, Any]:
    """The committed example of this contract's records. Raises FileNotFoundError where there is none."""
    document: dict[str, Any] = json.loads((EXAMPLES / f"{contract.type}.json").read_text("utf-8"))
    return document


def as_text(document: dict[str, Any]) -> str:
    """A JSON document as it is committed: indented, in its own order, readable as it is."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
