"""The topics and messages as one AsyncAPI 3 document; nothing in it is written by hand but a few sentences."""

import inspect
from typing import Any

from pydantic.json_schema import models_json_schema

from shared.contracts.catalogue import all_contracts
from shared.contracts.documents import PlainSchema, example_of, record_model, schema_mode
from shared.contracts.message import CONTENT_TYPE, Message
from shared.contracts.topics import CHANNELS, PARTITIONS, Topic

VERSION = "0.1.0"
MEDIA_TYPE = CONTENT_TYPE.partition(";")[0]
KAFKA_BINDING = "0.5.0"
ABOUT = """\
Order handling after checkout. Every record is one CloudEvents 1.0 event in structured JSON mode: all of it stands in
the record's value, and the headers only repeat what console tools filter by. The key is the event's subject.
A CloudEvents library that guesses the mode by the `ce_` headers has to be told that it is the structured one.

Delivery is at least once, and an old duplicate may come after newer events: ignore every sequence that is not greater
than the last one of that source, subject and topic. That is right for whoever keeps what the newest event says; who
counts events has to wait for a missing number, because a late one may be new. Ignore fields that you do not know. A
type never changes its meaning: what is not a new optional field becomes a new type. Fields marked `x-personal` tell
about a person.
"""
HEADERS = {
    "content-type": {"type": "string", "const": CONTENT_TYPE},
    "ce_id": {"type": "string", "maxLength": 128},
    "ce_type": {"type": "string", "maxLength": 128},
    "ce_source": {"type": "string", "maxLength": 128},
    "ce_subject": {"type": "string", "maxLength": 128},
    "ce_sequence": {"type": "string", "maxLength": 23},
    "traceparent": {"type": "string", "maxLength": 128},
}
ATTRIBUTES = {"ce_id": "id", "ce_type": "type", "ce_source": "source", "ce_subject": "subject"}
OPTIONAL_ATTRIBUTES = {"ce_sequence": "sequence", "traceparent": "traceparent"}


def asyncapi_document() -> dict[str, Any]:
    """The document as plain data, ready to be served as JSON. Raises FileNotFoundError where an example is missing."""
    contracts = all_contracts()
    return {
        "asyncapi": "3.0.0",
        "id": "urn:ordersystem:messages",
        "info": {
            "title": "Order system: topics and messages",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": MEDIA_TYPE,
        "channels": {topic.name: _channel(topic) for topic in CHANNELS},
        "operations": dict(operation for topic in CHANNELS for operation in _operations(topic)),
        "components": {
            "messages": {contract.type: _message(contract) for contract in contracts},
            "schemas": _schemas(contracts),
        },
    }


def _on(topic: Topic) -> list[type[Message]]:
    return [contract for contract in all_contracts() if contract.topic is topic]


def _channel(topic: Topic) -> dict[str, Any]:
    settings = topic.broker_settings(min_insync_replicas=2)
    kept = {"retention.ms": topic.retention_ms} if not topic.compacted else {}
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"{topic.about} Owned by {topic.owner}; the key is the {topic.key}.",
        "messages": {contract.type: {"$ref": f"#/components/messages/{contract.type}"} for contract in _on(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": PARTITIONS,
                "topicConfiguration": {
                    "cleanup.policy": [settings["cleanup.policy"]],
                    "max.message.bytes": int(settings["max.message.bytes"]),
                    **kept,
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    sends = [
        _operation(writer, "send", topic, [contract for contract in _on(topic) if writer in writers_of(contract)])
        for writer in topic.writers
    ]
    return sends + [_operation(reader, "receive", topic, _on(topic)) for reader in topic.readers]


def writers_of(contract: type[Message]) -> tuple[str, ...]:
    """Who says this: the topic's writers, or those of them that the contract names."""
    return contract.written_by or contract.topic.writers


def _operation(who: str, action: str, topic: Topic, contracts: list[type[Message]]) -> tuple[str, dict[str, Any]]:
    group = {"kafka": {"groupId": {"type": "string", "const": f"{who}.{topic.name}"}, "bindingVersion": KAFKA_BINDING}}
    return f"{who.replace(' ', '-')}.{action}.{topic.name}", {
        "action": action,
        "summary": f"What {who} {action}{'' if ' ' in who else 's'} on {topic.name}.",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{contract.type}"} for contract in contracts],
        "tags": [{"name": who}],
        **({"bindings": group} if action == "receive" else {}),
    }


def _message(contract: type[Message]) -> dict[str, Any]:
    example = example_of(contract)
    numbered = ["ce_sequence"] if contract.topic.sequenced else []
    return {
        "name": contract.type,
        "title": contract.type,
        "description": inspect.getdoc(contract),
        "contentType": MEDIA_TYPE,
        "headers": {"type": "object", "properties": HEADERS, "required": ["content-type", *ATTRIBUTES, *numbered]},
        "payload": {"$ref": f"#/components/schemas/{contract.__name__}Record"},
        "correlationId": {"location": "$message.payload#/correlationid"},
        "bindings": {"kafka": {"key": _key(contract.topic), "bindingVersion": KAFKA_BINDING}},
        "examples": [{"name": contract.type, "headers": _headers(example), "payload": example}],
    }


def _key(topic: Topic) -> dict[str, Any]:
    form = {"format": "uuid"} if topic.key == "order id" else {"pattern": "^[^/]+/[^/]+$"}
    return {"type": "string", **form, "description": f"The {topic.key}, which is the event's subject."}


def _headers(example: dict[str, Any]) -> dict[str, str]:
    present = {header: name for header, name in OPTIONAL_ATTRIBUTES.items() if name in example}
    return {
        "content-type": CONTENT_TYPE,
        **{header: example[attribute] for header, attribute in (ATTRIBUTES | present).items()},
    }


def _schemas(contracts: tuple[type[Message], ...]) -> dict[str, Any]:
    _, definitions = models_json_schema(
        [(record_model(contract), schema_mode(contract.topic)) for contract in contracts],
        ref_template="#/components/schemas/{model}",
        schema_generator=PlainSchema,
    )
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas
