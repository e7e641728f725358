"""Batches of records as a writer without a client library could make them: right in what Kafka looks at, only there."""

import struct
import time
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer, TopicPartition, codec
from aiokafka.errors import NotLeaderForPartitionError, for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

from tests.plugins.waiting import eventually

COMPRESSED: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, codec.gzip_encode),
    "snappy": (2, codec.snappy_encode),
    "lz4": (3, codec.lz4_encode),
    "zstd": (4, codec.zstd_encode),
}


def number(value: int) -> bytes:
    """A number of variable length, its sign in its lowest bit."""
    value = (value << 1) ^ (value >> 63)
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


def piece(value: bytes | None) -> bytes:
    """Bytes with their length before them."""
    return number(-1) if value is None else number(len(value)) + value


def record(
    place: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[bytes, bytes | None]] = (),
    *,
    longer: int = 0,
    attributes: int = 0,
) -> bytes:
    """A record that says it is at this place in its batch, and that it is `longer` than it is."""
    fields = [bytes([attributes]), number(0), number(place), piece(key), piece(value), number(len(headers))]
    fields += [piece(name) + piece(content) for name, content in headers]
    made = b"".join(fields)
    return number(len(made) + longer) + made


def batch(
    records: Sequence[bytes], compression: str = "lz4", *, within: bytes = b"", behind: bytes = b"", base: int = 0
) -> bytes:
    """The records as one batch, its checksum right; more bytes may stand within what is compressed, and behind it."""
    attributes, compress = COMPRESSED[compression]
    now, count = int(time.time() * 1000), len(records)
    covered = struct.pack(">hiqqqhii", attributes, count - 1, now, now, -1, -1, -1, count)
    covered += compress(b"".join(records) + within) + behind
    following = struct.pack(">ibI", -1, 2, calc_crc32c(covered)) + covered
    return struct.pack(">qi", base, len(following)) + following


async def produce(kafka: str, topic: str, made: bytes, partition: int = 0) -> int:
    """Sends a batch as it is. Returns the offset that its first record has got; raises what the broker answers."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        client = producer.client
        await client._wait_on_metadata(topic)  # noqa: SLF001 - the producer itself sends well-made batches only

        async def sent() -> tuple[int, int] | None:
            leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
            request = ProduceRequest(
                required_acks=-1, timeout=10_000, topics=[(topic, [(partition, made)])], transactional_id=None
            )
            ((_, ((_, code, offset, *_),)),) = (await client.send(leader, request)).topics
            return None if code == NotLeaderForPartitionError.errno else (code, offset)

        code, offset = await eventually(sent)
        if code:
            raise for_code(code)(f"{topic} {partition}")
        return offset
