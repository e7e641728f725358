"""The compiled parser reads what is as it should be; what a writer made otherwise is read field by field, none lost."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatch

from shared.messaging.tolerant_records import (
    Record,
    TolerantRecords,
    UnreadBatch,
    fault,
    name_as_written,
    read_tolerantly,
)
from tests.plugins.hand_made import COMPRESSED, batch, record

BASE = 1_000


def good(place: int) -> bytes:
    return record(place, b"key", b"value %d" % place, [(b"ce_id", b"1"), (b"nothing", None)])


def read(answer: bytes, *, from_offset: int = BASE) -> list[Any]:
    """What a consumer is given of the answer to a fetch."""
    partition = TopicPartition("orders.log", 0)
    return list(fetcher.PartitionRecords(partition, TolerantRecords(answer), [], from_offset, None, None, True, 0))  # noqa: FBT003


def values(records: list[Any]) -> list[tuple[int, bytes | None]]:
    return [(one.offset, one.value) for one in records]


def test_the_consumers_of_aiokafka_take_these_records_where_they_took_its_own() -> None:
    read_tolerantly()
    read_tolerantly()
    assert fetcher.MemoryRecords is TolerantRecords
    assert "MemoryRecords" in fetcher.Fetcher._proc_fetch_request.__code__.co_names  # noqa: SLF001 - how it is called


@pytest.mark.parametrize("compression", COMPRESSED)
def test_a_good_batch_is_read_by_the_compiled_parser(compression: str) -> None:
    answer = batch([good(0), good(1)], compression, base=BASE) + batch([good(0)], compression, base=BASE + 2)
    records = TolerantRecords(answer)
    assert records.size_in_bytes() == len(answer)
    found = []
    while records.has_next():
        found += list(records.next_batch())
    assert records.next_batch() is None
    compiled = type(next(iter(DefaultRecordBatch(batch([good(0)])))))
    assert [type(one) for one in found] == [compiled] * 3
    assert compiled is not Record
    assert values(found) == [(BASE, b"value 0"), (BASE + 1, b"value 1"), (BASE + 2, b"value 0")]


@pytest.mark.parametrize("compression", COMPRESSED)
def test_a_name_that_is_not_utf_8_is_kept_and_told_and_costs_no_other_record_anything(compression: str) -> None:
    headers = [(b"a", b"\xff"), (b"\xffn\xc3\xa5", b"\x00"), (b"", None)]
    answer = batch([good(0), record(1, None, None, headers), good(2)], compression, base=BASE)
    first, poison, last = read(answer + batch([good(0)], base=BASE + 3))[:3]
    assert values([first, last]) == [(BASE, b"value 0"), (BASE + 2, b"value 2")]
    assert (poison.offset, poison.key, poison.value) == (BASE + 1, None, None)
    assert [(name_as_written(name), value) for name, value in poison.headers] == headers
    assert poison.timestamp == last.timestamp == first.timestamp
    assert poison.timestamp_type == first.timestamp_type
    assert fault(poison.value, poison.headers) == r"the name of a header is not UTF-8: \xffn\xc3\xa5"
    assert fault(last.value, last.headers) is None
    assert fault(last.value, [("åäö 名前 🫖", b"")]) is None


def test_reading_begins_in_the_middle_of_such_a_batch() -> None:
    answer = batch([record(place, b"k", b"%d" % place, [(b"\xff", None)]) for place in range(5)], base=BASE)
    assert values(read(answer, from_offset=BASE + 3)) == [(BASE + 3, b"3"), (BASE + 4, b"4")]


OTHERWISE: dict[str, Callable[[], bytes]] = {
    "a record says that it is longer": lambda: batch([good(0), record(1, b"k", b"v", longer=3), good(2)], base=BASE),
    "a record says that it is shorter": lambda: batch([good(0), record(1, b"k", b"v", longer=-2), good(2)], base=BASE),
    "attributes that look like a longer number": lambda: batch(
        [good(0), record(1, b"k", b"v", attributes=0x80), good(2)], base=BASE
    ),
    "places of other batches": lambda: batch([good(0), record(70_000, b"k", b"v"), good(2)], "none", base=BASE),
    "a place before its batch": lambda: batch([good(0), record(-5, b"k", b"v"), good(2)], "none", base=BASE),
    "more behind the last record": lambda: batch(
        [good(0), record(1, b"k", b"v"), good(2)], within=b"more", base=BASE
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERWISE)
def test_what_kafka_does_not_compare_is_not_believed(case: str) -> None:
    assert values(read(OTHERWISE[case]())) == [(BASE, b"value 0"), (BASE + 1, b"v"), (BASE + 2, b"value 2")]


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_that_cannot_be_decompressed_is_kept_whole_in_its_last_records_place(compression: str) -> None:
    made = batch([good(0), good(1), good(2)], compression, behind=b"garbage", base=BASE)
    (kept,) = read(made)
    assert (kept.offset, kept.key, kept.headers) == (BASE + 2, None, ())
    assert isinstance(kept.value, UnreadBatch)
    assert kept.value == made
    assert str(fault(kept.value, kept.headers)).startswith("a batch is kept whole, 3 of its records cannot be read: ")


def test_what_could_be_read_before_the_rest_is_given_once() -> None:
    endless = b"\xff" * 20
    made = batch([good(0), endless, record(2, b"k", b"v")], "none", base=BASE)
    first, kept = read(made)
    assert values([first]) == [(BASE, b"value 0")]
    assert (kept.offset, kept.value) == (BASE + 2, made)
    assert str(fault(kept.value, ())).startswith("a batch is kept whole, 2 of its records cannot be read: ")


def test_a_wrong_checksum_is_an_error() -> None:
    damaged = bytearray(batch([good(0), record(1, b"k", b"v", [(b"\xff", None)])], base=BASE))
    damaged[-1] ^= 1
    with pytest.raises(CorruptRecordException, match="Invalid CRC"):
        read(bytes(damaged))


def test_a_codec_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = batch([good(0)], "zstd", base=BASE)
    monkeypatch.setattr("aiokafka.codec.has_zstd", lambda: False)
    with pytest.raises(UnsupportedCodecError):
        read(answer)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_bytes_a_batch_has_the_reader_gets_to_its_end_within_its_places(seed: int) -> None:
    chance = random.Random(seed)
    whole = b"".join([good(0), record(1, b"k", b"v" * 50, [(b"\xff", b"x")]), good(2), good(3)])
    for _ in range(50):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        answer = batch([bytes(broken), b"", b"", b""], "lz4", base=BASE)
        offsets = [one.offset for one in read(answer)]
        assert offsets == sorted(set(offsets))
        assert set(offsets) <= set(range(BASE, BASE + 4))
        assert offsets
