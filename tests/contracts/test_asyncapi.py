"""The AsyncAPI document is valid by AsyncAPI's own schema and leaves nothing out."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from shared.contracts.asyncapi import VERSION, asyncapi_document
from shared.contracts.catalogue import all_contracts
from shared.contracts.documents import example_of
from shared.contracts.topics import CHANNELS
from shared.ops.contract_files import ASYNCAPI, ROOT

OFFICIAL = Path(__file__).with_name("asyncapi-3.0.0.json")


@cache
def official() -> Draft7Validator:
    return Draft7Validator(json.loads(OFFICIAL.read_text("utf-8")))


def references(document: Any) -> set[str]:
    """Every `$ref` in a document."""
    if isinstance(document, list):
        return {found for item in document for found in references(item)}
    if isinstance(document, dict):
        own = {document["$ref"]} if isinstance(document.get("$ref"), str) else set()
        return own | {found for item in document.values() for found in references(item)}
    return set()


def test_the_document_is_valid_asyncapi() -> None:
    assert [error.message for error in official().iter_errors(asyncapi_document())] == []


@pytest.mark.parametrize(
    ("part", "wrong"),
    [("channels", []), ("operations", {"x": {"action": "shout"}}), ("info", {}), ("asyncapi", "2.6.0")],
)
def test_the_official_schema_finds_what_is_wrong(part: str, wrong: Any) -> None:
    assert list(official().iter_errors(asyncapi_document() | {part: wrong}))


def test_the_committed_document_is_the_present_one() -> None:
    assert json.loads(ASYNCAPI.read_text("utf-8")) == asyncapi_document()


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi_document()
    assert references(document)
    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_message_stands_on_its_channel_with_headers_key_and_example() -> None:
    document = asyncapi_document()
    for contract in all_contracts():
        assert contract.type in document["channels"][contract.topic.name]["messages"]
        message = document["components"]["messages"][contract.type]
        assert message["examples"][0]["payload"] == example_of(contract)
        assert set(message["headers"]["required"]) <= message["examples"][0]["headers"].keys()
        assert message["bindings"]["kafka"]["key"]["type"] == "string"


def test_every_writer_and_reader_of_a_topic_has_its_operation() -> None:
    operations = asyncapi_document()["operations"].values()
    for topic in CHANNELS:
        here = [each for each in operations if each["channel"]["$ref"] == f"#/channels/{topic.name}"]
        assert sorted(each["tags"][0]["name"] for each in here if each["action"] == "send") == sorted(topic.writers)
        assert sorted(each["tags"][0]["name"] for each in here if each["action"] == "receive") == sorted(topic.readers)


def test_a_service_sends_only_what_it_writes() -> None:
    sent = asyncapi_document()["operations"]["notifications.send.orders.log"]["messages"]
    types = {message["$ref"].rsplit("/", 1)[1] for message in sent}
    assert "message.sent.v1" in types
    assert "command.rejected.v1" not in types


def test_the_document_bears_the_version_of_the_project() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"] == VERSION
