"""What holds for every contract there is: documented, exampled, published on a declared topic."""

import inspect
import json
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft202012Validator

from shared.contracts.asyncapi import writers_of
from shared.contracts.catalogue import all_contracts, contract_of
from shared.contracts.documents import SCHEMAS, as_text, example_of, schema_of
from shared.contracts.message import Message, read_envelope, read_message, record_headers, write_record
from shared.contracts.topics import BY_NAME, CHANNELS, TOPICS, Topic

every_contract = pytest.mark.parametrize("contract", all_contracts(), ids=lambda contract: contract.type)
every_topic = pytest.mark.parametrize("topic", CHANNELS, ids=lambda topic: topic.name)


def record_of(contract: type[Message]) -> bytes:
    return json.dumps(example_of(contract)).encode()


def validator(contract: type[Message]) -> Any:
    return Draft202012Validator(schema_of(contract), format_checker=Draft202012Validator.FORMAT_CHECKER)


@every_contract
def test_a_contract_says_what_it_means(contract: type[Message]) -> None:
    assert inspect.getdoc(contract) != inspect.getdoc(contract.__base__)
    assert len(contract.__doc__ or "") > 20


@every_contract
def test_a_type_is_two_words_and_a_version(contract: type[Message]) -> None:
    subject, words, version = contract.type.split(".")
    assert subject.isalpha()
    assert words.replace("-", "").isalpha()
    assert version.removeprefix("v").isdigit()


@every_contract
def test_a_schema_is_valid_and_the_committed_one(contract: type[Message]) -> None:
    Draft202012Validator.check_schema(schema_of(contract))
    assert (SCHEMAS / f"{contract.type}.json").read_text("utf-8") == as_text(schema_of(contract))


@every_contract
def test_an_example_is_valid_by_its_schema(contract: type[Message]) -> None:
    assert [problem.message for problem in validator(contract).iter_errors(example_of(contract))] == []


@every_contract
def test_an_example_is_read_by_its_contract_and_written_back_the_same(contract: type[Message]) -> None:
    message = read_message(read_envelope(record_of(contract)))
    assert type(message) is contract
    assert json.loads(write_record(message, message.meta)) == example_of(contract)


@every_contract
def test_a_record_is_a_cloud_event_to_the_official_sdk(contract: type[Message]) -> None:
    message = read_message(read_envelope(record_of(contract)))
    headers = {name: value.encode() for name, value in record_headers(message, message.meta).items()}
    event = from_structured_event(KafkaMessage(headers, message.subject, write_record(message, message.meta).encode()))
    assert (event.get_id(), event.get_type(), event.get_source()) == (
        message.meta.id,
        contract.type,
        message.meta.source,
    )
    assert event.get_subject() == event.get_extension("partitionkey") == message.subject
    assert event.get_time() == message.meta.time
    assert event.get_data() == example_of(contract)["data"]


@every_contract
def test_a_record_written_with_the_official_sdk_is_read(contract: type[Message]) -> None:
    record = record_of(contract)
    written = to_structured_event(
        from_structured_event(KafkaMessage({"content-type": b"application/cloudevents+json"}, None, record))
    )
    message = read_message(read_envelope(written.value))
    assert message == read_message(read_envelope(record))
    assert message.meta.id == JSONFormat().read(None, record).get_id()


@every_contract
def test_the_headers_repeat_what_the_value_says(contract: type[Message]) -> None:
    message, example = read_message(read_envelope(record_of(contract))), example_of(contract)
    headers = record_headers(message, message.meta)
    repeated = {name.removeprefix("ce_"): value for name, value in headers.items() if name != "content-type"}
    assert repeated == {name: example[name] for name in repeated}
    assert {"id", "type", "source", "subject"} <= repeated.keys()
    assert ("sequence" in repeated) == contract.topic.sequenced


@every_contract
def test_an_example_shows_what_strangers_get(contract: type[Message]) -> None:
    addresses = [
        word for word in json.dumps(example_of(contract)).split('"') if "@" in word and "Message-ID" not in word
    ]
    assert all(".example" in address or "@example.org" in address for address in addresses), addresses


@every_contract
def test_a_contract_is_on_a_declared_topic_by_a_writer_of_that_topic(contract: type[Message]) -> None:
    assert BY_NAME[contract.topic.name] is contract.topic
    assert set(writers_of(contract)) <= set(contract.topic.writers)


@every_topic
def test_a_topic_has_an_owner_and_readers_and_says_what_it_is_about(topic: Topic) -> None:
    assert topic.owner
    assert topic.writers
    assert topic.readers
    assert topic.about.endswith(".")


@every_topic
def test_a_topic_is_kept_for_a_stated_time_or_compacted(topic: Topic) -> None:
    settings = topic.broker_settings(min_insync_replicas=2)
    assert ("retention.ms" in settings) != (settings["cleanup.policy"] == "compact")
    assert topic.compacted or topic.retention_ms >= 14 * 24 * 3600 * 1000


@every_topic
def test_a_topic_carries_messages(topic: Topic) -> None:
    assert [contract for contract in all_contracts() if contract.topic is topic]


def test_a_type_is_declared_once() -> None:
    with pytest.raises(TypeError, match="declared twice"):

        class Again(Message, type="order.placed.v1", topic=TOPICS[1]):
            """The same type a second time."""


def test_an_unknown_type_is_answered_with_the_known_ones() -> None:
    with pytest.raises(LookupError, match=r"order\.placed\.v1"):
        contract_of("order.vanished.v1")
